//! The key-value data of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::value::Value;

/// The key-value data of one run, shared by its states.
///
/// A write is visible to states created after it. Two branches that write one key race, and the
/// last write wins: use a merger to combine what branches found.
#[derive(Clone, Debug, Default)]
pub struct Store {
    data: Arc<RwLock<BTreeMap<String, Value>>>,
}

impl Store {
    pub(crate) fn new(data: BTreeMap<String, Value>) -> Self {
        Self { data: Arc::new(RwLock::new(data)) }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.data.read().get(key).cloned()
    }

    /// Sets a key, and returns what it held.
    pub fn put(&self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.data.write().insert(key.into(), value.into())
    }

    /// Removes a key, and returns what it held.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.data.write().remove(key)
    }

    /// Everything the store holds at this moment.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Value> {
        self.data.read().clone()
    }
}
