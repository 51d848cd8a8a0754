//! Why a value has not the shape of the data, and where; or a value on its way out.

use std::error::Error as StdError;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::super::Value;

/// A value that travels inside an error.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Value);

impl StdError for Shared {}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value can be taken here")
    }
}

#[derive(Debug)]
pub(super) enum Error {
    Failed(Box<Failure>),
    /// Boxed, like the failure, because small results are cheaper to pass on than values.
    Shared(Box<Shared>),
}

#[derive(Debug)]
pub(super) struct Failure {
    /// From the inside to the outside.
    path: Vec<String>,
    message: String,
}

impl Error {
    /// The same failure, seen from outside of the field or element.
    pub(super) fn within(mut self, step: impl fmt::Display) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.path.push(step.to_string());
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = match self {
            Self::Failed(failure) => failure,
            Self::Shared(shared) => return shared.fmt(f),
        };
        for (place, step) in failure.path.iter().rev().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{step}")?;
        }
        let colon = if failure.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", failure.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(_) => None,
            Self::Shared(shared) => Some(&**shared),
        }
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Failed(Box::new(Failure { path: Vec::new(), message: message.to_string() }))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found: &dyn fmt::Display = if found == Unexpected::Unit { &"null" } else { &found };
        Self::custom(format_args!("invalid type: {found}, expected {expected}"))
    }
}

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;
