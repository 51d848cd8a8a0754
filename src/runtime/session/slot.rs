//! A slot of a session as a caller sees it, between inputs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SessionError;
use super::handle::Session;
use super::turn::{Ground, Turn};
use crate::journal::Patience;
use crate::node::{Reading, SlotError, StateKey, session_slot};
use crate::session::{SessionEntry, SlotChange};
use crate::value::Value;

/// One typed slot of a session, between inputs: an input that is under way is waited for.
///
/// # Cancel safety
///
/// Dropping a future of it while others are before it does nothing; later, it loses only the answer.
#[derive(Clone, Debug)]
pub struct SessionSlot<T> {
    session: Session,
    key: StateKey<T>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> SessionSlot<T> {
    pub(super) const fn new(session: Session, key: StateKey<T>) -> Self {
        Self { session, key }
    }

    /// What the slot holds; an older version of it is upgraded first, and put on record if the session
    /// is. A slot of a session that has not begun holds nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be read as a `T` or not be upgraded, if the key is one of a slot that lives as long
    /// as one input, or if the session cannot be read or what was upgraded not be put on record.
    pub async fn get(&self) -> Result<Option<T>, SessionError> {
        let key = self.key;
        self.session.turn(move |turn| turn.get(key)).await
    }

    /// What the slot holds, which has to be something.
    ///
    /// # Errors
    ///
    /// [`SlotError::Absent`] if it holds nothing, and as [`get`](Self::get).
    pub async fn require(&self) -> Result<T, SessionError> {
        let session = self.session.id().clone();
        let held = self.get().await?;
        held.ok_or_else(|| SessionError::Slot { session, source: self.key.absent() })
    }

    /// Puts a value into the slot, on record if the session is.
    ///
    /// # Errors
    ///
    /// If the value is none that can be stored, if the key is one of a slot that lives as long as one
    /// input, or if the session is finished, unknown, or cannot be put on record.
    pub async fn put(&self, value: &T) -> Result<(), SessionError> {
        let (key, value) = (self.key, self.key.value(value));
        let change = move |turn: Turn| async move {
            let value = value.map_err(|source| turn.slot_error(source))?;
            turn.put(&key, Some(value)).await.map(drop)
        };
        self.session.turn(change).await
    }

    /// Empties the slot, its older versions included, and says whether it held anything.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn clear(&self) -> Result<bool, SessionError> {
        let key = self.key;
        self.session.turn(move |turn| async move { turn.put(&key, None).await }).await
    }
}

impl Turn {
    async fn get<T: Serialize + DeserializeOwned + Send>(
        mut self,
        key: StateKey<T>,
    ) -> Result<Option<T>, SessionError> {
        self.of_slot(&key).await?;
        let reading = key.read(|place| self.held_in(place));
        let Some(reading) = reading.map_err(|source| self.slot_error(source))? else {
            return Ok(None);
        };
        let Reading { value, upgraded } = reading;
        // A finished session is read as it is.
        if let Some((older, upgraded)) = upgraded.filter(|_| self.refuse_finished().is_ok()) {
            let newer = (key.own_place(), Some(upgraded));
            self.change([newer, (older, None)]).await?;
        }
        Ok(Some(value))
    }

    /// Puts a value into a slot, or empties it; says whether it held anything.
    async fn put<T>(
        mut self,
        key: &StateKey<T>,
        value: Option<Value>,
    ) -> Result<bool, SessionError> {
        self.of_slot(key).await?;
        self.refuse_finished()?;
        let places = std::iter::once(key.own_place()).chain(key.older_places());
        let held: Vec<_> = places.filter(|place| self.held_in(place).is_some()).collect();
        let was_held = !held.is_empty();
        let mut changes: Vec<_> = held.into_iter().map(|place| (place, None)).collect();
        changes.extend(value.map(|value| (key.own_place(), Some(value))));
        self.change(changes).await.map(|()| was_held)
    }

    /// Reads the session for somebody who asks for a slot of it between inputs.
    async fn of_slot<T>(&mut self, key: &StateKey<T>) -> Result<(), SessionError> {
        key.of_session().map_err(|source| self.slot_error(source))?;
        self.read().await?;
        self.settle().await
    }

    /// What the slot at a place of a run's store holds.
    fn held_in(&self, place: &str) -> Option<Value> {
        let slot = session_slot(place)?;
        self.held.state.as_ref()?.slots().get(slot).cloned()
    }

    /// Changes slots by their places; a session that has not begun does so now.
    async fn change(
        &mut self,
        changes: impl IntoIterator<Item = (String, Option<Value>)>,
    ) -> Result<(), SessionError> {
        let named = |(place, value): (String, Option<Value>)| {
            session_slot(&place).map(|slot| (slot.to_owned(), value))
        };
        let changes: Vec<SlotChange> = changes.into_iter().filter_map(named).collect();
        let Ground { mut entries, pin, .. } = self.ground()?;
        entries.push(SessionEntry::SlotsChanged(changes));
        self.write(entries, Patience::Impatient).await?;
        if let Some(pin) = pin {
            self.keep(&pin);
        }
        Ok(())
    }

    fn slot_error(&self, source: SlotError) -> SessionError {
        SessionError::Slot { session: self.id(), source }
    }
}
