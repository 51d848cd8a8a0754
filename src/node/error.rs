//! How a handler says that it failed, or that its branch ends or waits.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::value::Value;

/// Why a handler did not return an output.
///
/// Every `std` error converts into one, so `?` works in a handler; such a failure is retried as
/// the policy says. It does not implement `std::error::Error` itself, so that this holds.
#[derive(Clone)]
pub struct NodeError {
    pub(crate) kind: ErrorKind,
}

#[derive(Clone)]
pub(crate) enum ErrorKind {
    Failed { message: Arc<str>, retryable: bool },
    Signal(Signal),
}

/// What a handler says about its branch instead of returning an output.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// The branch ends as `PRUNED`, with this data.
    Prune(Value),
    /// The same attempt runs again after the delay; no retry is counted.
    RequeueAfter(Duration),
}

impl NodeError {
    /// A failure that is retried as the policy says.
    #[must_use]
    pub fn new(message: impl fmt::Display) -> Self {
        Self::failed(message.to_string(), true)
    }

    /// A failure that no retry can mend.
    #[must_use]
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self::failed(message.to_string(), false)
    }

    /// The same failure, never retried; a signal stays what it is.
    #[must_use]
    pub fn no_retry(self) -> Self {
        match self.kind {
            ErrorKind::Failed { message, .. } => {
                Self { kind: ErrorKind::Failed { message, retryable: false } }
            }
            ErrorKind::Signal(_) => self,
        }
    }

    /// Whether the policy's retries apply.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Failed { retryable: true, .. })
    }

    /// A failure that was put on record.
    pub(crate) fn of_fault(message: &Arc<str>, retryable: bool) -> Self {
        Self { kind: ErrorKind::Failed { message: message.clone(), retryable } }
    }

    fn failed(message: String, retryable: bool) -> Self {
        Self { kind: ErrorKind::Failed { message: message.into(), retryable } }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for NodeError {
    /// Keeps the error's text and that of its sources.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::failed(message, true)
    }
}

impl From<Signal> for NodeError {
    fn from(signal: Signal) -> Self {
        Self { kind: ErrorKind::Signal(signal) }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Failed { message, .. } => f.write_str(message),
            ErrorKind::Signal(Signal::Prune(data)) => write!(f, "pruned: {data}"),
            ErrorKind::Signal(Signal::RequeueAfter(delay)) => {
                write!(f, "requeued after {} ms", delay.as_millis())
            }
        }
    }
}

impl fmt::Debug for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeError({self})")
    }
}
