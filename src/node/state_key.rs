//! What names a slot: its type, its version, how long it lives, and how older versions are read.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::NodeError;
use crate::value::{Value, ValueError, from_value, to_value};

/// How many older versions a key can read.
const MOST_UPGRADES: usize = 8;

/// What a run's store calls slots of a session and slots of one input, before their names.
const OF_SESSION: &str = "session/";
const OF_INVOCATION: &str = "invocation/";

/// How long a slot lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lifetime {
    /// As long as the session: what an input that succeeds leaves in it, the next one finds.
    #[default]
    Session,
    /// As long as one input: it is gone when the input ends, whatever way it ends.
    Invocation,
}

/// Why a slot could not be read or written; it is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// The slot holds nothing, and something is required.
    #[error("slot `{slot}` holds nothing")]
    Absent {
        /// The slot.
        slot: String,
    },
    /// What it holds is of another type.
    #[error("slot `{slot}` cannot be read as `{wanted}`")]
    Misfit {
        /// The slot.
        slot: String,
        /// The type that was wanted.
        wanted: &'static str,
        /// What does not fit.
        source: ValueError,
    },
    /// What was to be put into it is no value.
    #[error("slot `{slot}` cannot hold that")]
    NoValue {
        /// The slot.
        slot: String,
        /// What is wrong with it.
        source: ValueError,
    },
    /// The hook that reads an older version failed.
    #[error("slot `{slot}` cannot be made of its version {from}: {reason}")]
    NotUpgraded {
        /// The slot.
        slot: String,
        /// The older version.
        from: u32,
        /// What the hook said.
        reason: String,
    },
    /// The slot lives as long as one input, and was asked for between inputs.
    #[error("slot `{slot}` lives as long as one input, and belongs to its handlers")]
    OutOfScope {
        /// The slot.
        slot: String,
    },
}

/// Makes what a key holds of what an older version of it held.
type Hook<T> = fn(Value) -> Result<T, NodeError>;

/// Names a slot that holds a `T`: `ns:name:v1` for namespace, name and version.
///
/// A version is another slot; [`upgrades_from`](Self::upgrades_from) says how an older one is read.
///
/// ```
/// use hotgraph::{Lifetime, StateKey};
///
/// const TURNS: StateKey<Vec<String>> = StateKey::new("chat", "turns", 2)
///     .upgrades_from(1, |old| Ok(vec![old.as_str().unwrap_or_default().to_owned()]));
/// const DRAFT: StateKey<String> = StateKey::new("chat", "draft", 1).lifetime(Lifetime::Invocation);
/// assert_eq!(TURNS.to_string(), "chat:turns:v2");
/// ```
pub struct StateKey<T> {
    namespace: &'static str,
    name: &'static str,
    version: u32,
    lifetime: Lifetime,
    upgrades: [Option<(u32, Hook<T>)>; MOST_UPGRADES],
}

impl<T> StateKey<T> {
    /// Names a slot that lives as long as its session.
    ///
    /// # Panics
    ///
    /// If namespace or name are empty or have other characters than ASCII letters, digits, `_`, `-` and
    /// `.`, or the version is 0. In a constant, that is an error of the compiler.
    #[must_use]
    pub const fn new(namespace: &'static str, name: &'static str, version: u32) -> Self {
        assert!(is_plain(namespace), "a slot's namespace is of letters, digits, `_`, `-` and `.`");
        assert!(is_plain(name), "a slot's name is of letters, digits, `_`, `-` and `.`");
        assert!(version > 0, "versions of a slot count from 1");
        let upgrades = [None; MOST_UPGRADES];
        Self { namespace, name, version, lifetime: Lifetime::Session, upgrades }
    }

    /// Says how long the slot lives. A key of another lifetime is another slot.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Reads what an older version of the slot holds, where this one holds nothing.
    ///
    /// The first who reads the slot writes it back as this version, and the older one is gone. Of several
    /// older versions the latest counts.
    ///
    /// # Panics
    ///
    /// If the version is not an older one, is named twice, or is the ninth.
    #[must_use]
    pub const fn upgrades_from(mut self, version: u32, hook: Hook<T>) -> Self {
        assert!(version > 0 && version < self.version, "only an older version can be upgraded");
        let mut place = 0;
        while let Some((named, _)) = &self.upgrades[place] {
            assert!(*named != version, "an older version is upgraded in one way");
            place += 1;
            assert!(place < MOST_UPGRADES, "a key reads eight older versions at most");
        }
        self.upgrades[place] = Some((version, hook));
        self
    }

    /// Where a run's store keeps a version of it.
    pub(super) fn place(&self, version: u32) -> String {
        let Self { namespace, name, .. } = self;
        let scope = match self.lifetime {
            Lifetime::Session => OF_SESSION,
            Lifetime::Invocation => OF_INVOCATION,
        };
        format!("{scope}{namespace}:{name}:v{version}")
    }

    /// Where a run's store keeps it.
    pub(crate) fn own_place(&self) -> String {
        self.place(self.version)
    }

    /// Where a run's store keeps the older versions that it reads, the latest first.
    pub(crate) fn older_places(&self) -> Vec<String> {
        self.older().into_iter().map(|(version, _)| self.place(version)).collect()
    }

    fn older(&self) -> Vec<(u32, Hook<T>)> {
        let mut older: Vec<_> = self.upgrades.iter().flatten().copied().collect();
        older.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        older
    }

    /// Refuses a key of a slot that lives as long as one input.
    pub(crate) fn of_session(&self) -> Result<(), SlotError> {
        match self.lifetime {
            Lifetime::Session => Ok(()),
            Lifetime::Invocation => Err(SlotError::OutOfScope { slot: self.to_string() }),
        }
    }
}

/// What reading a slot gave.
pub(crate) struct Reading<T> {
    pub value: T,
    /// What is to be written back, if an older version was read: its place, and the value.
    pub upgraded: Option<(String, Value)>,
}

impl<T: Serialize + DeserializeOwned> StateKey<T> {
    /// Reads the slot, or the latest older version that holds something.
    pub(crate) fn read(
        &self,
        get: impl Fn(&str) -> Option<Value>,
    ) -> Result<Option<Reading<T>>, SlotError> {
        if let Some(held) = get(&self.own_place()) {
            return Ok(Some(Reading { value: self.typed(&held)?, upgraded: None }));
        }
        let mut older = self.older().into_iter();
        let found = older.find_map(|(from, hook)| {
            let place = self.place(from);
            get(&place).map(|held| (from, hook, place, held))
        });
        let Some((from, hook, place, held)) = found else { return Ok(None) };
        let value = hook(held).map_err(|error| {
            let (slot, reason) = (self.to_string(), error.to_string());
            SlotError::NotUpgraded { slot, from, reason }
        })?;
        let upgraded = Some((place, self.value(&value)?));
        Ok(Some(Reading { value, upgraded }))
    }

    pub(crate) fn typed(&self, held: &Value) -> Result<T, SlotError> {
        from_value(held).map_err(|source| {
            let wanted = std::any::type_name::<T>();
            SlotError::Misfit { slot: self.to_string(), wanted, source }
        })
    }

    pub(crate) fn value(&self, value: &T) -> Result<Value, SlotError> {
        let slot = || self.to_string();
        to_value(value).map_err(|source| SlotError::NoValue { slot: slot(), source })
    }

    pub(crate) fn absent(&self) -> SlotError {
        SlotError::Absent { slot: self.to_string() }
    }
}

/// The name of a session's slot, by its place in a run's store; nothing if no such slot is there.
pub(crate) fn session_slot(place: &str) -> Option<&str> {
    place.strip_prefix(OF_SESSION)
}

/// Where a run's store keeps the slot of a session with that name.
pub(crate) fn session_place(slot: &str) -> String {
    format!("{OF_SESSION}{slot}")
}

const fn is_plain(name: &str) -> bool {
    let (bytes, mut place) = (name.as_bytes(), 0);
    while place < bytes.len() {
        if !matches!(bytes[place], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.') {
            return false;
        }
        place += 1;
    }
    !bytes.is_empty()
}

// By hand: a key is plain data whatever its slot holds.
impl<T> Clone for StateKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StateKey<T> {}

impl<T> fmt::Display for StateKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:v{}", self.namespace, self.name, self.version)
    }
}

impl<T> fmt::Debug for StateKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateKey({self}, {:?})", self.lifetime)
    }
}
