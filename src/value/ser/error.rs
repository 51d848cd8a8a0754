//! Why data has no value; or a place where a value can put itself.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;

use serde::ser;

use super::super::Value;

/// The newtype name under which values recognise each other.
pub(in super::super) const TOKEN: &str = "$hotgraph::Value";

/// Where a value that is being serialised puts itself.
#[derive(Default)]
pub(super) struct Slot(Cell<Option<Value>>);

impl Slot {
    pub(super) fn put(&self, value: Value) {
        self.0.set(Some(value));
    }

    pub(super) fn take(&self) -> Option<Value> {
        self.0.take()
    }
}

impl StdError for Slot {}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value can be put here")
    }
}

#[derive(Debug)]
pub(super) enum Error {
    Failed(String),
    Slot(Slot),
}

impl Error {
    pub(super) fn key() -> Self {
        Self::Failed("key must be a string".into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(message) => f.write_str(message),
            Self::Slot(slot) => slot.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(_) => None,
            Self::Slot(slot) => Some(slot),
        }
    }
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Failed(message.to_string())
    }
}

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;
