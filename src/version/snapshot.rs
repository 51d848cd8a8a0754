//! The routing table: which version a start gets. Immutable; a change makes a new one.

use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use super::pin::Version;
use crate::id::{GraphName, VersionNumber};

/// The routing of all graphs at one revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    revision: u64,
    graphs: HashTrieMapSync<GraphName, Route>,
}

/// Where the starts of one graph go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub active: Option<VersionNumber>,
    pub versions: RedBlackTreeMapSync<VersionNumber, Arc<Version>>,
    /// The highest number that was given, also to versions that are gone.
    pub head: u64,
    /// Versions in the order they became active, and whether a rollback left them.
    pub history: Vec<(VersionNumber, bool)>,
}

/// Which version a start asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Active,
    Version(VersionNumber),
}

/// Why a start gets no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the graph was never published")]
    UnknownGraph,
    #[error("the graph has no active version")]
    NoActiveVersion,
    #[error("the graph has no version {0}")]
    UnknownVersion(VersionNumber),
    #[error("version {0} is gone")]
    Gone(VersionNumber),
}

impl Snapshot {
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn route(&self, graph: &GraphName) -> Option<&Route> {
        self.graphs.get(graph)
    }

    /// The same routing with one graph's changed.
    pub(crate) fn with(&self, graph: GraphName, route: Route) -> Self {
        Self { revision: self.revision + 1, graphs: self.graphs.insert(graph, route) }
    }

    /// The version a start gets.
    pub(crate) fn resolve(
        &self,
        graph: &GraphName,
        selector: Selector,
    ) -> Result<Arc<Version>, ResolveError> {
        let route = self.graphs.get(graph).ok_or(ResolveError::UnknownGraph)?;
        let number = match selector {
            Selector::Active => route.active.ok_or(ResolveError::NoActiveVersion)?,
            Selector::Version(number) => number,
        };
        match route.versions.get(&number) {
            Some(version) => Ok(version.clone()),
            None if (1..=route.head).contains(&number.0) => Err(ResolveError::Gone(number)),
            None => Err(ResolveError::UnknownVersion(number)),
        }
    }
}
