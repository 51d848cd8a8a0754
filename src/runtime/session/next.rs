//! An input that is about to be given to a session.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use super::error::SessionError;
use super::handle::Session;
use crate::session::{Given, StepOutcome};
use crate::value::Value;

/// An input of a session; awaiting it gives the input to the session and waits for its end.
///
/// Inputs are taken in the order in which they are first awaited, one after another. How an accepted
/// input ends is in its outcome. With a journal it is on record before anything of it is done.
///
/// # Errors
///
/// [`SessionError`] if the input is not taken; nothing has changed then. An input that was accepted and
/// cannot be carried out at this moment is an error as well:
/// [`Parked`](SessionError::Parked), [`Stranded`](SessionError::Stranded),
/// [`Journal`](SessionError::Journal) or [`Start`](SessionError::Start). The same input with the same
/// id again asks how it ended.
///
/// # Cancel safety
///
/// Dropped while other inputs are before it, it does nothing. Dropped later, it loses only its answer:
/// the input is carried out. Name the input with [`input_id`](Self::input_id) to find out.
#[must_use = "the input is given when this is awaited"]
pub struct Next {
    session: Session,
    given: Given,
}

impl Next {
    pub(super) const fn new(session: Session, value: Value) -> Self {
        let given = Given { id: None, entry: None, value, store: BTreeMap::new() };
        Self { session, given }
    }

    /// Names the input: the same one of that name again gives the outcome that it had, and does not run
    /// again.
    ///
    /// An input without a name is carried out each time it is given.
    pub fn input_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.given.id = Some(id.into());
        self
    }

    /// Sets a key of the store that the input's run has; the next input does not find it.
    pub fn store(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.given.store.insert(key.into(), value.into());
        self
    }

    /// Begins at this node instead of the root: it runs, and what follows it.
    ///
    /// What follows it must need nothing but what follows it, too. What the node itself reads of others, the
    /// input gives.
    pub fn entry(mut self, node: impl Into<Arc<str>>) -> Self {
        self.given.entry = Some(node.into());
        self
    }
}

impl IntoFuture for Next {
    type Output = Result<Arc<StepOutcome>, SessionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { session, given } = self;
        Box::pin(async move { session.turn(|turn| turn.next(given)).await })
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next")
            .field("session", &self.session.id())
            .field("input_id", &self.given.id)
            .field("entry", &self.given.entry)
            .finish_non_exhaustive()
    }
}
