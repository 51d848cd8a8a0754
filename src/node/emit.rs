//! What a handler of many outputs returns: one, several, a stream, or nothing.

use std::fmt;
use std::pin::Pin;

use futures_util::Stream;

use super::error::NodeError;

/// A boxed stream of outputs.
pub(crate) type OutputStream<T> = Pin<Box<dyn Stream<Item = Result<T, NodeError>> + Send>>;

/// The outputs of a handler that may have many.
pub struct Emit<T> {
    pub(crate) kind: EmitKind<T>,
}

pub(crate) enum EmitKind<T> {
    Nothing,
    One(T),
    Each(Box<dyn Iterator<Item = T> + Send>),
    Stream(OutputStream<T>),
}

impl<T> Emit<T> {
    /// One state without fields: the branch goes on.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { kind: EmitKind::Nothing }
    }

    /// One output.
    #[must_use]
    pub const fn one(output: T) -> Self {
        Self { kind: EmitKind::One(output) }
    }

    /// One output per item, drawn as branches finish; no items make an empty group.
    #[must_use]
    pub fn each<I>(outputs: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self { kind: EmitKind::Each(Box::new(outputs.into_iter())) }
    }

    /// One output per item of a stream, drawn only as fast as branches finish.
    ///
    /// An error ends the group: what was drawn before it goes on, the error is a failed state.
    #[must_use]
    pub fn stream(outputs: impl Stream<Item = Result<T, NodeError>> + Send + 'static) -> Self {
        Self { kind: EmitKind::Stream(Box::pin(outputs)) }
    }
}

impl<T> fmt::Debug for Emit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EmitKind::Nothing => "Emit::nothing",
            EmitKind::One(_) => "Emit::one",
            EmitKind::Each(_) => "Emit::each",
            EmitKind::Stream(_) => "Emit::stream",
        })
    }
}
