//! A run that one lane walks alone: the fast path of a run that has little to do.
//!
//! Invariants:
//! 1. It never waits: a walk ends when the run has, when nothing can go on now, or when there is
//!    enough to do for a crew. Then actors take over what the lane has, as it stands: the run's own
//!    if one execution waits and nothing else is left, else a crew.
//! 2. What the lane did is applied when it can go on with nothing else, when it is as much as a report
//!    holds, when a state has failed, or before somebody takes over: by the same machine and barriers
//!    that actors apply reports with. There is no second way to run.
//! 3. A fanout that is wide is not begun alone, so that a slow branch holds back few others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use super::lane::{Lane, Task, TurnEnd};
use super::pool::Pool;
use crate::clock::Stopwatch;
use crate::event::EventKind;
use crate::run::cell::RunCell;
use crate::run::machine::Effect;
use crate::run::unites::Barriers;

/// How long a walk may take before a crew is worth its actors: its lanes walk some fifty microseconds
/// later, and two of them halve what is left then.
const ENOUGH: Duration = Duration::from_micros(150);

/// What a crew has to save of a fanout of short branches, of which a walk knows how long they take.
///
/// Besides what it costs to call, its lanes hand each other the memory that the values lie in: up to
/// some 400 microseconds a fanout is joined no sooner by two lanes than by one, and they take half as
/// much processor time again. The first branches, from which the rest is estimated, are the slowest.
const WORTH: Duration = Duration::from_micros(250);

/// A turn of fewer attempts says little about how long those take that are left.
const TELLING: u32 = 64;

/// How many turns it may take: while time stands, nothing else would end it. They are more than fit
/// into the time that is enough.
const MOST_TURNS: u32 = 32;

/// A fanout of at least so many branches is left to a crew from its first branch on.
const WIDE: usize = 1_024;

/// How often what waits is polled until it is quiet: a set of futures wakes once after it has polled
/// all of them, and what is woken by that may begin to wait anew.
const ROUNDS: usize = 4;

/// A run that no lane actor has.
pub(crate) struct Alone {
    pub(super) lane: Lane,
    /// `None` if the graph has no mergers.
    pub(super) barriers: Option<Box<Barriers>>,
}

impl Alone {
    /// Makes the first state of a run.
    #[inline]
    pub(crate) fn begin(cell: &Arc<RunCell>, pool: &Arc<Pool>) -> Self {
        cell.announce(EventKind::RunStarted);
        // Changed where it lies: it is a kilobyte.
        let mut alone = Self { lane: Lane::new(cell.first_tools(pool)), barriers: None };
        let lane = &mut alone.lane;
        let root = lane.step_with(|walker| walker.begin(cell.input.clone()));
        if let Some(root) = root {
            let starts_at = cell.settings.starts_at;
            let delay = starts_at.map_or(Duration::ZERO, |at| at.since(cell.facts.clock.now()));
            lane.park_for(root, delay);
        }
        let plan = &cell.ground.plan;
        alone.barriers = plan.has_mergers.then(|| Box::new(Barriers::new(plan.clone())));
        alone
    }

    /// Whether nothing is left to do or to report.
    pub(crate) fn is_done(&self) -> bool {
        let Lane { tasks, parked, batch, .. } = &self.lane;
        tasks.is_empty() && parked.is_empty() && batch.is_empty()
    }

    /// The pool of the run, for those who take over.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.lane.tools.pool.clone()
    }

    /// What the lane has, and the groups.
    pub(crate) fn into_parts(self: Box<Self>) -> (Box<Lane>, Option<Box<Barriers>>) {
        (Box::new(self.lane), self.barriers)
    }

    /// Walks a run from its first state as far as it goes without waiting; gives back what is left,
    /// unless the run has ended.
    pub(crate) fn walk(cell: &Arc<RunCell>, pool: &Arc<Pool>) -> Option<Box<Self>> {
        let mut alone = Self::begin(cell, pool);
        if alone.walk_with(&mut Context::from_waker(Waker::noop())) {
            return None;
        }
        // Boxed only if it is kept: most runs that are walked like this end before.
        Some(Box::new(alone))
    }

    /// Has the waker woken when what waits can go on, and walks on if that is already so.
    ///
    /// `woken` says whether it was woken since it last listened.
    pub(crate) fn listen(
        mut self: Box<Self>,
        waker: &Waker,
        woken: &AtomicBool,
    ) -> Option<Box<Self>> {
        let mut cx = Context::from_waker(waker);
        for _ in 0..ROUNDS {
            self.lane.list_parked();
            woken.store(false, Ordering::SeqCst);
            if self.walk_with(&mut cx) {
                return None;
            }
            // What has come to wait meanwhile was not polled with the waker.
            let is_polled = self.lane.parked.is_listed();
            if !self.waits_for_one() || is_polled && !woken.load(Ordering::SeqCst) {
                return Some(self);
            }
        }
        // What goes on again and again is nothing to wait for.
        woken.store(true, Ordering::SeqCst);
        Some(self)
    }

    /// Whether nothing is left but one execution that waits.
    ///
    /// A lane of its own would cost it 7 KB and a message, and nobody could share what it has.
    pub(crate) fn waits_for_one(&self) -> bool {
        let lane = &self.lane;
        lane.parked.len() == 1 && lane.tasks.is_empty() && lane.stalled.is_empty()
    }

    /// Ends everything that was begun: the run is being stopped.
    pub(crate) fn abandon(mut self: Box<Self>) {
        self.lane.abandon();
        // Mergers whose groups are settled by that are begun, and ended too.
        while !self.apply() && !self.lane.tasks.is_empty() {
            self.lane.abandon();
        }
        self.keep_barriers();
    }

    /// Walks as far as it goes without waiting; says whether the run has ended.
    fn walk_with(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut watch, mut spent) = (Stopwatch::start(), Duration::ZERO);
        for _ in 0..MOST_TURNS {
            let end = self.lane.take_turn(cx);
            if end == TurnEnd::Cancelled {
                self.lane.abandon();
            }
            // Also when the last attempt was the last of its turn: a merger is walked here, too.
            if end != TurnEnd::Over || self.lane.tasks.is_empty() {
                self.join();
            }
            // Most small runs end here, without another look at the clock.
            if self.lane.tasks.is_empty() || end == TurnEnd::Full {
                break;
            }
            let is_due = self.lane.batch.is_full() || self.lane.batch.has_failure();
            if is_due && self.apply() {
                return true;
            }
            let took = watch.lap();
            spent += took;
            if self.is_for_a_crew(took, spent) {
                break;
            }
            if end == TurnEnd::Over {
                self.lane.size_turn(took);
            }
        }
        self.apply()
    }

    /// The run has ended: its groups stay for a retry by hand.
    fn keep_barriers(&mut self) {
        if let Some(barriers) = self.barriers.take() {
            self.cell().keep_groups(barriers);
        }
    }

    fn cell(&self) -> &Arc<RunCell> {
        &self.lane.tools.cell
    }

    /// Whether there is enough left for a crew, after a turn that took so long and all that were spent.
    fn is_for_a_crew(&self, turn: Duration, spent: Duration) -> bool {
        let (tasks, lanes) = (&self.lane.tasks, self.cell().lanes() as u32);
        let left = match tasks.last() {
            Some(Task::Drawing(drawing)) if lanes > 1 => drawing.fanout.at_least(),
            _ => 0,
        };
        match (left, self.lane.attempts()) {
            (WIDE.., _) => true,
            // It is all that is left. Each branch is drawn and tried at least once.
            (1.., attempts @ TELLING..) if tasks.len() == 1 => {
                let alone = turn * 2 * left as u32 / attempts;
                alone - alone / lanes > WORTH
            }
            _ => spent > ENOUGH,
        }
    }

    /// Begins the mergers whose groups have settled.
    fn join(&mut self) {
        let Some(barriers) = &mut self.barriers else { return };
        while !self.lane.batch.groups.is_empty() {
            for verdict in barriers.apply(std::mem::take(&mut self.lane.batch.groups)) {
                self.lane.judged(verdict);
            }
        }
    }

    /// Applies all that the lane did; says whether the run has ended.
    fn apply(&mut self) -> bool {
        self.join();
        let Lane { tools, batch, .. } = &mut self.lane;
        let effects = tools.cell.machine.lock().apply(std::mem::take(&mut batch.run));
        for effect in effects {
            match effect {
                Effect::Stop(_) => self.lane.tools.pool.control.cancel(),
                Effect::Settled => {
                    self.keep_barriers();
                    return true;
                }
            }
        }
        false
    }
}
