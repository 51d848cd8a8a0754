//! The key-value data of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::value::Value;

/// The key-value data of one run, shared by its states.
///
/// Keys that begin with `session/` and `invocation/` are those of slots, which
/// [`Context::slot`](super::Context::slot) reads and writes.
///
/// A write is visible to states created after it. Two branches that write one key race, and the
/// last write wins: use a merger to combine what branches found.
#[derive(Clone, Debug, Default)]
pub struct Store {
    data: Arc<RwLock<Data>>,
}

#[derive(Debug, Default)]
struct Data {
    keys: BTreeMap<String, Value>,
    /// What has changed since somebody asked, oldest first; `None` if nobody is going to.
    changes: Option<Vec<StoreChange>>,
}

/// A key, and what it holds from then on; nothing if it was removed.
pub(crate) type StoreChange = (String, Option<Value>);

impl Store {
    pub(crate) fn new(keys: BTreeMap<String, Value>) -> Self {
        Self { data: Arc::new(RwLock::new(Data { keys, changes: None })) }
    }

    /// Remembers changes from now on.
    pub(crate) fn watch(&self) {
        self.data.write().changes = Some(Vec::new());
    }

    /// What has changed since the last call.
    pub(crate) fn take_changes(&self) -> Vec<StoreChange> {
        let is_changed = self.data.read().changes.as_ref().is_some_and(|all| !all.is_empty());
        if !is_changed {
            return Vec::new();
        }
        self.data.write().changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.data.read().keys.get(key).cloned()
    }

    /// Sets a key, and returns what it held.
    pub fn put(&self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        self.data.write().put(key, value)
    }

    /// Removes a key, and returns what it held.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.data.write().remove(key)
    }

    /// Puts a value under a newer key and removes the older one, unless the newer one holds something by
    /// now; returns what that holds.
    pub(crate) fn take_over(&self, older: &str, newer: String, value: Value) -> Value {
        let mut data = self.data.write();
        data.remove(older);
        if let Some(held) = data.keys.get(&newer) {
            return held.clone();
        }
        data.put(newer, value.clone());
        value
    }

    /// Everything the store holds at this moment.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Value> {
        self.data.read().keys.clone()
    }
}

impl Data {
    fn put(&mut self, key: String, value: Value) -> Option<Value> {
        if let Some(changes) = &mut self.changes {
            changes.push((key.clone(), Some(value.clone())));
        }
        self.keys.insert(key, value)
    }

    fn remove(&mut self, key: &str) -> Option<Value> {
        let was = self.keys.remove(key)?;
        if let Some(changes) = &mut self.changes {
            changes.push((key.to_owned(), None));
        }
        Some(was)
    }
}
