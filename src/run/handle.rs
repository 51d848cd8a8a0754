//! The handle of a run: what a caller can see and do.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin as BoxPin;
use std::sync::Arc;

use ractor::Actor;

use super::actor::{Opening, RunActor, RunArguments};
use super::cell::{EndGuard, RunCell};
use super::durable::{AttemptKey, Durability, Rest};
use super::error::RetryError;
use super::fanout::Alone;
use super::machine::Stop;
use super::message::RunMessage;
use super::outcome::{Outcome, RunView, StateView};
use super::records::Records;
use super::retention::Keeps;
use super::status::RunStatus;
use super::take_back::RetryWhat;
use super::unites::Barriers;
use crate::clock::Timestamp;
use crate::event::{EventKind, EventStream};
use crate::id::{GraphName, RunId, StateId, VersionNumber};
use crate::journal::JournalError;
use crate::node::Control;
use crate::value::Value;
use crate::version::{Decision, Pin};

/// A run that was started. Awaiting it gives its [`Outcome`]; dropping it detaches.
#[derive(Clone)]
#[must_use = "a run goes on without its handle, but nobody sees how it ends"]
pub struct Run {
    pub(super) cell: Arc<RunCell>,
}

impl Run {
    pub(crate) const fn of(cell: Arc<RunCell>) -> Self {
        Self { cell }
    }

    /// Starts an accepted run without a journal on a task of its own.
    pub(crate) fn spawn(&self, pin: Pin) {
        let (run, end) = (self.clone(), self.guard(pin));
        // Nobody owns it: it never waits for long, and its guard ends the run if tokio drops it.
        tokio::spawn(async move { run.walk_guarded(end).await });
    }

    /// Walks an accepted run without a journal here, as far as that goes without waiting.
    pub(crate) async fn walk(&self, pin: Pin) {
        self.walk_guarded(self.guard(pin)).await;
    }

    /// Starts the actor of an accepted run with a journal.
    ///
    /// It answers when the start is on record, or cannot be.
    pub(crate) async fn record(&self, pin: Pin) -> Result<(), JournalError> {
        self.open(self.guard(pin), Opening::OnRecord).await;
        self.begun().await
    }

    /// Walks from the first state as far as that goes without waiting; an actor takes over the rest.
    async fn walk_guarded(&self, mut end: EndGuard) {
        match Alone::walk(&self.cell, &self.cell.first_pool()) {
            None => end.end(),
            // Boxed: a walk that ends the run keeps no room for what spawning an actor takes.
            Some(rest) => Box::pin(self.open(end, Opening::GoOn(rest))).await,
        }
    }

    /// Goes on with a run that came back from its journal.
    pub(crate) async fn go_on(&self, pin: Pin, barriers: Box<Barriers>, rest: Rest) {
        let rest = Box::new(Alone::resume(&self.cell, &self.cell.first_pool(), barriers, rest));
        self.open(self.guard(pin), Opening::GoOn(rest)).await;
    }

    /// Tells how a run ended that came back from its journal.
    pub(crate) fn has_ended(&self, barriers: Box<Barriers>) {
        self.cell.keep_groups(barriers);
        let outcome = self.cell.machine.lock().outcome();
        self.cell.ending.end(Arc::new(outcome));
    }

    /// Waits until the start is on record, if it is to be.
    pub(crate) async fn begun(&self) -> Result<(), JournalError> {
        match &self.cell.journal {
            None => Ok(()),
            Some(journal) => journal.begun().await,
        }
    }

    /// Whether what the run does is put on record.
    pub(crate) fn is_durable(&self) -> bool {
        self.cell.journal.is_some()
    }

    /// How many records of it this process knows to be there.
    pub(crate) fn written(&self) -> Option<u64> {
        self.cell.journal.as_ref().map(|journal| journal.written())
    }

    /// How much of it is.
    pub(crate) fn durability(&self) -> Durability {
        self.cell.journal.as_ref().map_or(Durability::None, |journal| journal.level)
    }

    /// Whether another handle is of the same run in memory, and not of one that was read back.
    pub(crate) fn shares_cell(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// The name that it can be started by again.
    pub(crate) fn key(&self) -> Option<&str> {
        self.cell.key.as_deref()
    }

    /// The run's signals.
    pub(crate) fn control(&self) -> Arc<Control> {
        self.cell.control()
    }

    /// Whether the run goes on, here or after a restart.
    pub(crate) fn goes_on(&self) -> bool {
        self.cell.machine.lock().goes_on()
    }

    /// Whether the run may still wait for what that attempt asked for.
    pub(crate) fn awaits(&self, AttemptKey(execution, attempt): AttemptKey) -> bool {
        let mut machine = self.cell.machine.lock();
        machine.goes_on() && !machine.is_past(execution, attempt)
    }

    /// Stops the run here; a runtime that opens its journal goes on with it.
    pub(crate) fn park(&self) {
        self.stop(Stop::Parked);
    }

    fn guard(&self, pin: Pin) -> EndGuard {
        EndGuard::open(self.cell.clone(), pin)
    }

    /// The run's identity.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.cell.ground.run
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &GraphName {
        &self.cell.ground.plan.name
    }

    /// The version the run is pinned to.
    #[must_use]
    pub fn version(&self) -> VersionNumber {
        self.cell.ground.version
    }

    /// How the run came to its version.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.cell.decision
    }

    /// How its first episode ended; `None` once states of it were retried by hand.
    pub(crate) fn first_end(&self) -> Option<RunStatus> {
        let machine = self.cell.machine.lock();
        (!machine.was_retried()).then(|| machine.status())
    }

    /// When it started, if anybody wanted to know then.
    pub(crate) fn began(&self) -> Option<Timestamp> {
        self.cell.began
    }

    /// How the run stands, with counts of states by node and status.
    ///
    /// Counts lag behind by what lanes have not reported yet: some 1,000 changes of a status each at
    /// most, and nothing while a lane waits.
    #[must_use]
    pub fn status(&self) -> RunView {
        let mut view = self.cell.machine.lock().view();
        if view.status == RunStatus::Running && self.cell.control().is_paused() {
            view.status = RunStatus::Paused;
        }
        view
    }

    /// The states whose records are kept, in the order they were made.
    #[must_use]
    pub fn states(&self) -> Vec<StateView> {
        self.cell.machine.lock().states()
    }

    /// Events of this run, from now on.
    pub fn events(&self) -> EventStream {
        self.cell.bus.subscribe()
    }

    /// Tells those who watch the run of something that is not the run's own.
    pub(crate) fn announce(&self, kind: EventKind) {
        self.cell.announce(kind);
    }

    /// What its store holds at this moment.
    pub(crate) fn stored(&self) -> BTreeMap<String, Value> {
        self.cell.ground.store.snapshot()
    }

    /// The graph as Mermaid, each node with the counts of its states by status.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let view = self.status();
        self.cell.ground.plan.document().to_mermaid_with(|node| view.mark(node))
    }

    /// Stops attempts at their next await and ends every state as `CANCELLED`.
    ///
    /// A run that has ended stays as it is.
    pub fn cancel(&self) {
        self.stop(Stop::Cancelled);
    }

    fn stop(&self, stop: Stop) {
        let is_parked = stop == Stop::Parked;
        // Recorded here and now: the run's actor may be busy, or not there yet.
        let mut machine = self.cell.machine.lock();
        let had_ended = machine.is_ended();
        let stopped = machine.stop(stop.clone());
        drop(machine);
        if stopped.is_none() {
            if had_ended && !self.is_ended() {
                // A retry opens the next episode, whose actor hears of it then.
                self.cell.tell(RunMessage::Stop(stop));
            }
            return;
        }
        match is_parked {
            true => self.cell.control().park(),
            false => self.cell.control().cancel(),
        }
        self.cell.tell(RunMessage::GraceBegins);
    }

    /// Holds new states back; attempts under way go on. Child runs pause too.
    pub fn pause(&self) {
        if !self.is_ended() {
            self.cell.set_paused(true);
        }
    }

    /// Lets a paused run go on.
    pub fn resume(&self) {
        self.cell.set_paused(false);
    }

    /// Retries a state by hand: a new attempt with a fresh budget of retries.
    ///
    /// An ended run opens its next episode on the version it is pinned to. `id` names the retry: the
    /// same one again is refused for the states of this node, and for every state if it named a
    /// [`retry_failed`](Self::retry_failed). Retrying one output of a fanout draws the whole fanout again,
    /// once: the failed outputs beside it are retried with it. What earlier attempts led to stays as it is: mergers
    /// that fired do not fire again, and failures below a state that succeeded remain failures. A
    /// merger of the outputs that are retried, which has not fired, joins those of the new attempt.
    ///
    /// # Errors
    ///
    /// If the state is unknown or has not ended, the id was used, the run is being stopped or is
    /// gone, deleted or superseded, the journal cannot tell or does not take it, its version is retired
    /// or revoked, or the runtime is shut down. Nothing has changed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the retry accepted or not; the same id tells which.
    pub async fn retry(&self, state: StateId, id: impl Into<String>) -> Result<(), RetryError> {
        self.retry_what(RetryWhat::One(state), id.into()).await.map(drop)
    }

    /// Retries every failed state by hand, and says which; cancelled states are not failed ones.
    ///
    /// An `id` that named any other retry is refused.
    ///
    /// # Errors
    ///
    /// As [`Run::retry`], and if no state failed.
    ///
    /// # Cancel safety
    ///
    /// As [`Run::retry`].
    pub async fn retry_failed(&self, id: impl Into<String>) -> Result<Vec<StateId>, RetryError> {
        self.retry_what(RetryWhat::Failed, id.into()).await
    }

    pub(super) async fn open(&self, end: EndGuard, opening: Opening) {
        let cell = self.cell.clone();
        let arguments = RunArguments { cell, end, opening };
        // Waits for nothing but tokio's budget, without which nobody can drop this halfway. An actor
        // that fails to start has dropped its guard, which ended the run.
        drop(tokio::task::unconstrained(Actor::spawn(None, RunActor, arguments)).await);
    }

    /// Whether the run may be forgotten: it has ended, also if nobody was told yet.
    pub(crate) fn is_over(&self) -> bool {
        self.cell.machine.lock().is_ended()
    }

    /// Gives up the records of a run that has ended, but for what went wrong; counts and outcome
    /// stay.
    pub(crate) fn keep_failures(&self) -> Records {
        self.cell.machine.lock().keep_failures()
    }

    /// How much the run keeps, which has ended.
    pub(crate) fn keeps(&self) -> Keeps {
        self.cell.machine.lock().keeps()
    }

    #[cfg(test)]
    pub(super) const fn cell(&self) -> &Arc<RunCell> {
        &self.cell
    }

    /// Whether the run has ended and no retry has opened it again.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.cell.ending.is_over()
    }

    /// Waits for the run's end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the run goes on, and its outcome is kept for the next call.
    pub async fn outcome(&self) -> Arc<Outcome> {
        self.cell.ending.outcome().await
    }
}

impl IntoFuture for Run {
    type Output = Arc<Outcome>;
    type IntoFuture = BoxPin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.outcome().await })
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.id())
            .field("graph", self.graph())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
