//! What outlives a run's actor: the state that handles read, and how the run ended.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use ractor::ActorRef;

use super::durable::RunJournal;
use super::ending::Ending;
use super::error::RetryError;
use super::fanout::{Pool, Tools};
use super::machine::{Machine, Stop};
use super::message::RunMessage;
use super::outcome::Outcome;
use super::place::Place;
use super::retention::Keeps;
use super::status::RunStatus;
use super::unites::Barriers;
use super::walk::Ground;
use crate::clock::Timestamp;
use crate::event::{EventKind, RunBus, RunEvent};
use crate::id::StateId;
use crate::node::{Control, PauseWatcher, Progress, RunFacts};
use crate::value::Value;
use crate::version::{Decision, Pin, Version};

/// A run, whether its actor lives or not.
pub(crate) struct RunCell {
    pub ground: Ground,
    pub facts: Arc<RunFacts>,
    pub bus: RunBus,
    pub version: Arc<Version>,
    /// How the run came to its version.
    pub decision: Decision,
    /// When it started, if anybody wants to know how long it takes.
    pub began: Option<Timestamp>,
    pub settings: RunSettings,
    pub host: Weak<dyn Host>,
    /// The name that it can be started by again.
    pub key: Option<Box<str>>,
    /// Where its steps are put on record, if they are.
    pub journal: Option<Arc<RunJournal>>,
    /// The input of the root node.
    pub input: Value,
    pub machine: Mutex<Machine>,
    /// The groups of a run that has ended.
    pub barriers: Mutex<Option<Box<Barriers>>>,
    pub live: Mutex<Live>,
    pub ending: Ending,
    /// Held while an episode is opened, so that two retries open one; made by the first retry.
    pub opening: OnceLock<Box<tokio::sync::Mutex<()>>>,
}

/// What belongs to the current episode.
pub(crate) struct Live {
    pub control: Arc<Control>,
    pub listener: Listener,
    /// Among the live runs, until the episode has ended.
    pub place: Option<Place>,
    /// When its time is over, if its graph has a timeout.
    pub ends_at: Option<Timestamp>,
}

impl Live {
    /// What an episode begins with.
    pub(crate) const fn new(
        control: Arc<Control>,
        place: Option<Place>,
        ends_at: Option<Timestamp>,
    ) -> Self {
        Self { control, listener: Listener::Expected(Vec::new()), place, ends_at }
    }
}

/// Who hears what an episode is told.
pub(crate) enum Listener {
    /// An actor may take over what is walked: it finds this in its mailbox.
    Expected(Vec<RunMessage>),
    Here(ActorRef<RunMessage>),
    /// The episode has ended.
    Gone,
}

impl Listener {
    /// Tells the actor now, or when it comes; what nobody will hear is dropped.
    fn tell(&mut self, message: RunMessage) {
        match self {
            Self::Expected(messages) => messages.push(message),
            // An actor that is gone has ended the run.
            Self::Here(actor) => drop(actor.cast(message)),
            Self::Gone => {}
        }
    }

    /// The actor is here, and hears what it missed.
    fn meet(&mut self, actor: ActorRef<RunMessage>) {
        if let Self::Expected(messages) = std::mem::replace(self, Self::Here(actor)) {
            messages.into_iter().for_each(|message| self.tell(message));
        }
    }
}

/// How a run uses the process.
#[derive(Clone)]
pub(crate) struct RunSettings {
    /// The most lanes of a run in this runtime.
    pub lanes: usize,
    /// How long attempts get to stop after a cancel.
    pub grace: Duration,
    /// When the first state may start, if it is held back.
    pub starts_at: Option<Timestamp>,
}

/// Says why the next episode of a run may not be opened, if it may not.
pub(crate) type MayOpen<'a> = dyn Fn() -> Result<(), RetryError> + Sync + 'a;

/// The runtime that a run is in.
pub(crate) trait Host: Send + Sync {
    /// A place for the next episode of a run that has ended, unless that may not be opened, the
    /// runtime is shut down, or the run was deleted or went on elsewhere.
    fn place_again<'a>(
        &'a self,
        cell: &'a Arc<RunCell>,
        may_open: &'a MayOpen<'_>,
    ) -> BoxFuture<'a, Result<Place, RetryError>>;

    /// The next episode of a run is open: what stops it may have come before.
    fn reopened(&self, cell: &Arc<RunCell>);

    /// An episode has ended, which gives its place back after this.
    fn ended(&self, cell: &Arc<RunCell>, keeps: Keeps);
}

impl RunCell {
    /// What a lane works with.
    pub(crate) fn tools(self: &Arc<Self>, pool: &Arc<Pool>) -> Tools {
        let facts = RunFacts { control: pool.control.clone(), ..(*self.facts).clone() };
        self.tools_with(Arc::new(facts), pool)
    }

    /// What the first lane of the first episode works with.
    pub(crate) fn first_tools(self: &Arc<Self>, pool: &Arc<Pool>) -> Tools {
        self.tools_with(self.facts.clone(), pool)
    }

    fn tools_with(self: &Arc<Self>, facts: Arc<RunFacts>, pool: &Arc<Pool>) -> Tools {
        let in_flight = (self.ground.plan.limits.in_flight as usize).max(1);
        let in_flight = in_flight / self.lanes();
        Tools { cell: self.clone(), facts, pool: pool.clone(), in_flight }
    }

    /// The most lanes of the run: each may have one attempt under way at least.
    pub(crate) fn lanes(&self) -> usize {
        self.settings.lanes.min(self.ground.plan.limits.in_flight as usize).max(1)
    }

    /// The pool of the current episode.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.pool_with(self.control())
    }

    /// The pool of the first episode.
    pub(crate) fn first_pool(&self) -> Arc<Pool> {
        self.pool_with(self.facts.control.clone())
    }

    fn pool_with(&self, control: Arc<Control>) -> Arc<Pool> {
        Arc::new(Pool::new(&self.ground.plan, control, self.lanes()))
    }

    pub(crate) fn control(&self) -> Arc<Control> {
        self.live.lock().control.clone()
    }

    /// Tells those who watch the run of something that happens now.
    pub(crate) fn announce(&self, kind: EventKind) {
        if !self.bus.is_watched() {
            return;
        }
        let Ground { plan, run, version, .. } = &self.ground;
        let at = self.facts.clock.now();
        let event = RunEvent { at, run: *run, graph: plan.name(), version: *version };
        self.bus.send(event, kind);
    }

    /// Tells the episode's actor something, also if it is yet to come.
    ///
    /// What no actor hears, because the episode has ended or ends without one, is dropped.
    pub(crate) fn tell(&self, message: RunMessage) {
        self.live.lock().listener.tell(message);
    }

    /// The episode has an actor from now on, which has not begun and cannot have ended it.
    pub(crate) fn meet(&self, actor: ActorRef<RunMessage>) {
        self.live.lock().listener.meet(actor);
    }

    /// The run has ended: what is left of its groups stays for a retry by hand.
    pub(crate) fn keep_groups(&self, mut barriers: Box<Barriers>) {
        barriers.shrink();
        *self.barriers.lock() = Some(barriers);
    }

    /// Opens the next episode of a run that has ended.
    pub(crate) fn reopen(self: &Arc<Self>) {
        let ends_at = self.ground.plan.timeout.map(|time| self.facts.clock.now().after(time));
        let mut live = self.live.lock();
        *live = Live::new(Arc::default(), live.place.take(), ends_at);
        let control = live.control.clone();
        drop(live);
        self.ending.reopen();
        self.announce_pauses(&control);
    }

    /// Holds new states back, or lets them go on.
    pub(crate) fn set_paused(self: &Arc<Self>, paused: bool) {
        let control = self.control();
        self.announce_pauses(&control);
        control.set_paused(paused);
    }

    /// From now on those who watch are told when the episode with these signals is paused or goes on.
    pub(crate) fn announce_pauses(self: &Arc<Self>, control: &Control) {
        control.announce_to(Arc::<Self>::downgrade(self));
    }
}

impl PauseWatcher for RunCell {
    fn paused(&self, paused: bool) {
        self.announce(if paused { EventKind::RunPaused } else { EventKind::RunResumed });
    }
}

/// Reports of handlers go where other events go.
impl Progress for RunCell {
    fn report(&self, node: &Arc<str>, state: StateId, progress: Value) {
        self.announce(EventKind::Progress { node: node.clone(), state, progress });
    }
}

/// Ends a run exactly once per episode, also when its walk or its actor dies, and releases its pin then.
pub(crate) struct EndGuard {
    cell: Arc<RunCell>,
    held: Option<(Pin, Option<Arc<dyn Host>>)>,
    /// How the run ended, and what it keeps, if nobody was told yet.
    settled: Option<(Arc<Outcome>, Keeps)>,
}

impl EndGuard {
    /// Opens the first episode, which has the place that its start took.
    pub(crate) fn open(cell: Arc<RunCell>, pin: Pin) -> Self {
        let host = cell.host.upgrade();
        Self { cell, held: Some((pin, host)), settled: None }
    }

    /// Opens the next episode if it may be, and the runtime takes any.
    pub(crate) async fn open_again(
        cell: Arc<RunCell>,
        pin: Pin,
        may_open: &MayOpen<'_>,
    ) -> Result<Self, RetryError> {
        match cell.host.upgrade() {
            Some(host) => {
                let place = host.place_again(&cell, may_open).await?;
                cell.live.lock().place = Some(place);
            }
            // Without a runtime there are no places.
            None => may_open()?,
        }
        Ok(Self::open(cell, pin))
    }

    /// Decides how the run ended: nothing changes it any more.
    pub(crate) fn settle(&mut self) {
        if self.held.is_some() && self.settled.is_none() {
            let live = self.cell.live.lock();
            let is_cancelled = live.control.is_cancelled();
            let is_parked = live.control.is_parked();
            drop(live);
            let mut machine = self.cell.machine.lock();
            if is_parked {
                // Its lanes may have gone home before anybody could say why.
                let _ = machine.stop(Stop::Parked);
            }
            let outcome = machine.end(is_cancelled);
            self.settled = Some((Arc::new(outcome), machine.keeps()));
        }
    }

    /// The run could not put its end on record: it goes on from there after a restart.
    pub(crate) fn park(&mut self) {
        if let Some((outcome, _)) = &mut self.settled {
            Arc::make_mut(outcome).status = RunStatus::Parked;
        }
    }

    /// Tells the end: releases the pin, then tells those who wait.
    pub(crate) fn end(&mut self) {
        self.settle();
        let (Some((pin, host)), Some((outcome, keeps))) = (self.held.take(), self.settled.take())
        else {
            return;
        };
        let mut live = self.cell.live.lock();
        let place = live.place.take();
        let listener = std::mem::replace(&mut live.listener, Listener::Gone);
        let control = live.control.clone();
        drop(live);
        // What it was told and nobody heard is given up outside the lock: others wait for answers.
        drop(listener);
        if let Some(journal) = &self.cell.journal {
            journal.has_ended();
            if outcome.status == RunStatus::Parked && journal.is_begun() {
                // Retention gives up nothing that the next process needs for it.
                pin.leave();
            }
        }
        if outcome.is_success() {
            self.cell.version.count_success();
        }
        #[cfg(feature = "metrics")]
        self.cell.version.tally().ended(outcome.status.as_str());
        drop(pin);
        if let Some(host) = &host {
            host.ended(&self.cell, keeps);
        }
        drop(host);
        // Who is told of the end may start another run at once.
        let telling = place.map(Place::give_back);
        control.hush();
        self.cell.announce(EventKind::RunEnded { status: outcome.status.as_str() });
        self.cell.ending.end(outcome);
        drop(telling);
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if self.held.is_some() {
            let stop = Stop::Broken("what carried it out died".to_owned());
            // The effect of a stop is for an actor to carry out, and there is none.
            let _ = self.cell.machine.lock().stop(stop);
            self.cell.control().cancel();
            self.end();
        }
    }
}
