//! What a version is, for ever: the record that outlives its handlers.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::compatibility::CompatibilityReport;
use crate::clock::Timestamp;
use crate::graph::{Document, Outline};
use crate::id::{GraphName, VersionNumber};

/// The versions of other graphs that a version's nodes run: one for each such node, in the order of
/// the nodes' identifiers.
pub(crate) type Bindings = Arc<[(GraphName, VersionNumber)]>;

/// What a version is; it never changes, and it outlives the version's retirement.
///
/// The journal has it as its fields are here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The graph.
    pub graph: GraphName,
    /// The number inside the graph.
    pub number: VersionNumber,
    /// The hash of its definition; `None` if a handler is opaque.
    pub hash: Option<[u8; 32]>,
    /// The version it followed: the active one when it was published, else the latest.
    pub parent: Option<VersionNumber>,
    /// How many versions it descends from, by their parents.
    pub depth: u64,
    /// Who published it, if that was said.
    pub author: Option<Arc<str>>,
    /// What was said about it.
    pub note: Option<Arc<str>>,
    /// When it was published.
    pub created_at: Timestamp,
    /// The tags it was published with.
    pub tags: Arc<[Arc<str>]>,
    /// How it differs from its parent for callers and runs; `None` for the first version.
    pub compatibility: Option<Arc<CompatibilityReport>>,
    /// The versions of other graphs that its nodes run: one for each such node, in the order of the
    /// nodes' identifiers.
    pub bindings: Arc<[(GraphName, VersionNumber)]>,
    /// What is known without the handlers; the journal has the normalised definition, as JSON.
    #[serde(rename = "document", with = "written")]
    pub(crate) written: Arc<Outline>,
    /// What is known with them.
    #[serde(skip)]
    pub(crate) compiled: OnceLock<Arc<Outline>>,
}

impl Manifest {
    /// The definition, normalised, without the values of secrets.
    #[must_use]
    pub fn document(&self) -> &Document {
        self.outline().document()
    }

    pub(crate) fn outline(&self) -> &Outline {
        self.compiled.get().unwrap_or(&self.written)
    }

    /// Brings what is known with the handlers.
    pub(super) fn bring(&self, outline: &Arc<Outline>) {
        // Two of one definition are the same.
        let _ = self.compiled.set(outline.clone());
    }
}

/// An outline as its document's JSON.
mod written {
    use std::sync::Arc;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::graph::{Document, Outline};

    pub(super) fn serialize<S: Serializer>(
        outline: &Arc<Outline>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&outline.document().to_json())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Outline>, D::Error> {
        let document = Document::from_json(&String::deserialize(deserializer)?);
        document.map(|it| Arc::new(Outline::of_document(it))).map_err(D::Error::custom)
    }
}
