//! Values of secrets beside the versions of a graph: operational, and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What the runs of a graph can read, whatever their version: that of its latest publish.
///
/// No record, hash or manifest has them, and `Debug` shows only how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct GraphSecrets(Arc<BTreeMap<String, String>>);

impl GraphSecrets {
    pub(crate) fn new(secrets: BTreeMap<String, String>) -> Self {
        Self(Arc::new(secrets))
    }

    pub(crate) fn values(&self) -> Arc<BTreeMap<String, String>> {
        self.0.clone()
    }
}

impl fmt::Debug for GraphSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphSecrets({})", self.0.len())
    }
}
