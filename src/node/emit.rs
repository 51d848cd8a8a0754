//! What a handler of many outputs returns: one, several, a stream, or nothing.

use std::fmt;
use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use serde::Serialize;

use super::error::NodeError;
use crate::value::{Value, to_value};

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
    /// Each output with the cursor that stands behind it.
    Resumable(OutputStream<(T, Value)>),
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
    ///
    /// With a journal they are drawn and kept whole before the first branch starts; see
    /// [`resumable`](Self::resumable).
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
    /// With a journal they are drawn and kept whole before the first branch starts; see
    /// [`resumable`](Self::resumable).
    ///
    /// An error ends the group: what was drawn before it goes on, the error is a failed state.
    #[must_use]
    pub fn stream(outputs: impl Stream<Item = Result<T, NodeError>> + Send + 'static) -> Self {
        Self { kind: EmitKind::Stream(Box::pin(outputs)) }
    }

    /// One output per item of a stream that can be drawn from its middle: each item has a cursor, a
    /// small value that says where the source stands after it.
    ///
    /// Without a journal it is a stream like any other: drawn as [`stream`](Self::stream) is, with
    /// cursors that nobody reads. With one, its outputs are not kept whole before the first branch
    /// starts: each goes on record with its cursor, then its branch starts.
    ///
    /// After a restart the handler is called again for the same attempt, unless the end of the stream
    /// is on record, and [`Context::cursor`](super::Context::cursor) gives the cursor of the last
    /// output on record. What it returns then is resumable too, and goes on with the item after that
    /// one; if there is none, it is an empty stream. A failure is retried as the node's retry policy
    /// says, with the same cursor; the last one is an error of the stream, as a prune or another kind
    /// of output is. A [`Signal::RequeueAfter`](super::Signal::RequeueAfter) has it called again later.
    ///
    /// An error ends the group: what was drawn before it goes on, the error is a failed state. One
    /// before the first output fails the attempt, which may be retried.
    ///
    /// A cursor is written with every output and has no limit, so keep it small. NaN in it becomes
    /// null, as in JSON. One that serde cannot write as JSON, such as `u128::MAX`, is a permanent error
    /// of the stream.
    ///
    /// ```
    /// use futures_util::stream;
    /// use hotgraph::{Context, Emit, Handler};
    /// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    /// # struct Row { id: u64 }
    ///
    /// let rows = |_: (), ctx: Context| async move {
    ///     let next = ctx.cursor::<u64>()?.map_or(0, |last| last + 1);
    ///     Ok(Emit::resumable(stream::iter((next..1_000).map(|id| Ok((Row { id }, id))))))
    /// };
    /// let handler = Handler::many("rows", rows);
    /// ```
    #[must_use]
    pub fn resumable<C: Serialize>(
        outputs: impl Stream<Item = Result<(T, C), NodeError>> + Send + 'static,
    ) -> Self {
        let outputs = outputs.map(|item| {
            let (output, cursor) = item?;
            let cursor = to_value(&cursor);
            let no_value = |error| NodeError::permanent(format_args!("cursor: {error}"));
            Ok((output, cursor.map_err(no_value)?))
        });
        Self { kind: EmitKind::Resumable(Box::pin(outputs)) }
    }
}

impl<T> fmt::Debug for Emit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EmitKind::Nothing => "Emit::nothing",
            EmitKind::One(_) => "Emit::one",
            EmitKind::Each(_) => "Emit::each",
            EmitKind::Stream(_) => "Emit::stream",
            EmitKind::Resumable(_) => "Emit::resumable",
        })
    }
}
