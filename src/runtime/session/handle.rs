//! The handle of a session: what a caller can see and do.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::cell::SessionCell;
use super::error::SessionError;
use super::next::Next;
use super::slot::SessionSlot;
use super::turn::Turn;
use crate::event::EventStream;
use crate::id::{GraphName, VersionNumber};
use crate::node::StateKey;
use crate::runtime::Inner;
use crate::session::StepOutcome;
use crate::value::Value;

/// One logical run that takes many inputs, one after another. Cloning it gives another handle.
///
/// With a journal a session goes on after a restart: with its number of steps, its slots and its
/// version, and by itself with an input that was under way. It keeps its version until it moves or is
/// finished. Dropping handles changes nothing.
///
/// What is asked of it takes its turn: a handler must not wait for the session that it works for.
#[derive(Clone)]
#[must_use = "a session does nothing until it is given an input"]
pub struct Session {
    inner: Arc<Inner>,
    cell: Arc<SessionCell>,
    graph: Option<GraphName>,
}

/// How a session stands between inputs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionView {
    /// The graph.
    pub graph: GraphName,
    /// The version that its next input runs on.
    pub version: VersionNumber,
    /// How many inputs were accepted: the number of the last one.
    pub steps: u64,
    /// The input that was accepted and does not go on in this process, if there is one.
    pub stranded: Option<u64>,
    /// How the last input ended.
    pub last: Option<Arc<StepOutcome>>,
    /// What slots hold, by names such as `chat:turns:v1`.
    pub slots: BTreeMap<String, Value>,
    /// Whether it takes no more inputs.
    pub is_finished: bool,
}

impl Session {
    pub(in crate::runtime) fn new(inner: Arc<Inner>, id: Arc<str>) -> Self {
        let cell = inner.session_cell(&id);
        Self { inner, cell, graph: None }
    }

    /// Says on which graph the session begins; one that has begun has to be of that graph.
    ///
    /// It begins on the version that a start would get, with its id as the sticky key.
    pub fn graph(mut self, graph: impl Into<GraphName>) -> Self {
        self.graph = Some(graph.into());
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.cell.id
    }

    /// The next input: `value` overrides the inputs that its entry node declares.
    pub fn next(&self, value: impl Into<Value>) -> Next {
        Next::new(self.clone(), value.into())
    }

    /// Moves the session to the version that a start would get now, and says which it is.
    ///
    /// Slots stay. An input that is under way ends on its own version first.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the session is finished or unknown, there is no such version, or the move
    /// cannot be put on record; the session stays where it is then.
    ///
    /// # Cancel safety
    ///
    /// Dropped while other turns are before it, it does nothing. Later, it loses only its answer.
    pub async fn newest(&self) -> Result<VersionNumber, SessionError> {
        self.turn(Turn::move_to_newest).await
    }

    /// Ends the session for good, when every input before has ended: its events end, too.
    ///
    /// Finishing it again changes nothing. An input that is stranded is given up with its session, but
    /// its run stays where it is.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the session is unknown, an input before is parked, or the end cannot be put on
    /// record.
    ///
    /// # Cancel safety
    ///
    /// Dropped while other turns are before it, it does nothing. Later, it loses only its answer.
    pub async fn finish(&self) -> Result<(), SessionError> {
        self.turn(Turn::finish).await
    }

    /// How the session stands, when every turn before has ended.
    ///
    /// # Errors
    ///
    /// If it is unknown, or cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    pub async fn view(&self) -> Result<SessionView, SessionError> {
        self.turn(Turn::view).await
    }

    /// A slot of the session, to be read and written between inputs.
    pub fn slot<T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static>(
        &self,
        key: &StateKey<T>,
    ) -> SessionSlot<T> {
        SessionSlot::new(self.clone(), *key)
    }

    /// Events of the session, from now on: those of the runs of its inputs, an
    /// [`InputEnded`](crate::event::EventKind::InputEnded) after each, and
    /// [`SessionFinished`](crate::event::EventKind::SessionFinished) as the last.
    ///
    /// The stream stays open between inputs. It is not on record: after a restart subscribe again.
    pub fn events(&self) -> EventStream {
        self.cell.bus.subscribe()
    }

    /// Does something with the session when nothing else is done with it any more.
    pub(super) async fn turn<T, W, F>(&self, work: W) -> Result<T, SessionError>
    where
        W: FnOnce(Turn) -> F + Send,
        F: Future<Output = Result<T, SessionError>> + Send + 'static,
        T: Send + 'static,
    {
        let held = self.cell.held.clone().lock_owned().await;
        let turn = Turn::new(self.inner.clone(), self.cell.clone(), held);
        // From here on it does not matter whether anybody waits.
        let task = self.inner.sessions.turns.spawn(work(turn.on(self.graph.clone())));
        let cut_off = SessionError::CutOff { session: self.id().clone() };
        task.await.unwrap_or(Err(cut_off))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inner.sessions.drop_unused(&self.cell);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .field("graph", &self.graph)
            .finish_non_exhaustive()
    }
}
