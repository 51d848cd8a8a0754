//! A slot as a handler sees it: typed, and kept in the store of its run.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::state_key::{SlotError, StateKey};
use super::store::Store;

/// One typed slot of the run that a handler works for.
///
/// In the run of a session's input the slots of the session are there, and what the handlers put into them
/// is the session's once the input has succeeded. In any other run slots live as long as the run.
/// What holds for writes to the [`Store`] holds here: branches that write one slot race.
pub struct Slot<'a, T> {
    store: &'a Store,
    key: StateKey<T>,
}

impl<'a, T: Serialize + DeserializeOwned> Slot<'a, T> {
    pub(super) const fn new(store: &'a Store, key: StateKey<T>) -> Self {
        Self { store, key }
    }

    /// What the slot holds; an older version of it is upgraded first.
    ///
    /// # Errors
    ///
    /// If it cannot be read as a `T`, or not be upgraded; see [`SlotError`].
    pub fn get(&self) -> Result<Option<T>, SlotError> {
        let Some(reading) = self.key.read(|place| self.store.get(place))? else { return Ok(None) };
        let Some((older, value)) = reading.upgraded else { return Ok(Some(reading.value)) };
        // Another branch may have written it meanwhile: that counts.
        let held = self.store.take_over(&older, self.key.own_place(), value);
        self.key.typed(&held).map(Some)
    }

    /// What the slot holds, which has to be something.
    ///
    /// # Errors
    ///
    /// [`SlotError::Absent`] if it holds nothing, and as [`get`](Self::get).
    pub fn require(&self) -> Result<T, SlotError> {
        self.get()?.ok_or_else(|| self.key.absent())
    }

    /// Puts a value into the slot.
    ///
    /// # Errors
    ///
    /// If the value is none that can be stored.
    pub fn put(&self, value: &T) -> Result<(), SlotError> {
        self.store.put(self.key.own_place(), self.key.value(value)?);
        self.clear_older();
        Ok(())
    }

    /// Empties the slot, its older versions included, and says whether it held anything.
    pub fn clear(&self) -> bool {
        let held = self.store.remove(&self.key.own_place()).is_some();
        self.clear_older() || held
    }

    fn clear_older(&self) -> bool {
        let older = self.key.older_places().into_iter();
        older.filter(|place| self.store.remove(place).is_some()).count() > 0
    }
}

impl<T> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("key", &self.key).finish_non_exhaustive()
    }
}
