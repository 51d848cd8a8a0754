//! Which version a start got, and by which rule.

use serde::{Deserialize, Serialize};

use super::label::Weight;
use crate::id::{LabelName, VersionNumber};

/// How a start came to its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// The version it got.
    pub version: VersionNumber,
    /// Why that one.
    pub rule: StartRule,
    /// The revision of the routing that said so.
    pub revision: u64,
}

/// Which rule gave a start its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StartRule {
    /// The start named the version.
    Explicit,
    /// The version of the graph around it is bound to this one.
    Binding,
    /// It is the active version of the label.
    Active {
        /// The label.
        label: LabelName,
    },
    /// It is the canary of the label, and the start was in its share.
    Canary {
        /// The label.
        label: LabelName,
        /// The bucket of the start's key, 0 to 9,999; `None` if it had no key.
        bucket: Option<u16>,
        /// The canary's share.
        weight: Weight,
    },
}

impl Decision {
    /// The label that the start followed, if it followed one.
    pub(crate) const fn label(&self) -> Option<&LabelName> {
        match &self.rule {
            StartRule::Active { label } | StartRule::Canary { label, .. } => Some(label),
            StartRule::Explicit | StartRule::Binding => None,
        }
    }
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { version, rule, revision } = self;
        match rule {
            StartRule::Explicit => write!(f, "{version}, which was named")?,
            StartRule::Binding => write!(f, "{version}, by the binding of a sub-graph")?,
            StartRule::Active { label } => write!(f, "{version}, active on `{label}`")?,
            StartRule::Canary { label, bucket: Some(bucket), weight } => {
                write!(f, "{version}, canary on `{label}`: bucket {bucket} of {weight}")?;
            }
            StartRule::Canary { label, bucket: None, weight } => {
                write!(f, "{version}, canary on `{label}`: its turn of {weight}")?;
            }
        }
        write!(f, " (revision {revision})")
    }
}
