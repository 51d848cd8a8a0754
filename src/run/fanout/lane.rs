//! A lane: walks branches, polling each where it stands.
//!
//! Invariants:
//! 1. Work is taken innermost first: memory follows the depth of the graph, not the fanout's width.
//! 2. What waits is in `parked` and in `waiting`, under one key.
//! 3. Everything a lane has is in one of `tasks`, `stalled`, `stalled_keeping`, `held`, `parked`.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smallvec::SmallVec;

use super::drawing::{Drawing, GivenUp, Next};
use super::keeping::Keeping;
use super::parked::{Parked, ParkedList};
use super::pool::{Pool, Taken};
use super::resumable::Handed;
use super::source::End;
use super::wait::Wait;
use crate::clock::Stopwatch;
use crate::node::{
    Arity, AttemptFacts, AttemptFuture, Context as NodeContext, RunFacts, no_attempt,
};
use crate::run::batch::Batch;
use crate::run::cell::RunCell;
use crate::run::execution::{Execution, Executions};
use crate::run::unites::Verdict;
use crate::run::walk::{Branched, Walker};
use crate::value::Value;

/// The most attempts that a lane starts in one turn.
const LONGEST_TURN: u32 = 128;

/// The most attempts that a lane goes on with at the beginning of a turn.
const MOST_WOKEN: u32 = 64;

/// How many nodes a lane's first batch has rows for: graphs with more nodes are rare.
const FIRST_ROWS: usize = 128;

/// Turns that took less are lengthened.
const SHORT: Duration = Duration::from_micros(20);

/// Turns that took more are shortened: between turns a lane shares, reports and lets others run.
const LONG: Duration = Duration::from_micros(80);

/// What a lane works with.
pub(crate) struct Tools {
    pub cell: Arc<RunCell>,
    /// A context counts references to these: each lane has its own.
    pub facts: Arc<RunFacts>,
    pub pool: Arc<Pool>,
    /// How many attempts this lane may have under way.
    pub in_flight: usize,
}

/// Work that only this lane has.
pub(super) enum Task {
    Execution(Box<Execution>),
    Drawing(Box<Drawing>),
    Keeping(Box<Keeping>),
    /// For whichever lane is free.
    Handed(Box<Handed>),
}

/// The next task last; few lanes have more than two.
pub(super) type Tasks = SmallVec<[Task; 2]>;

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// There is more to do.
    Over,
    /// Nothing is left that could go on now.
    Dry,
    /// The lane may start nothing now: the run is paused, or enough is under way.
    Full,
    /// The run is being stopped.
    Cancelled,
}

/// A lane's own work and what it has not reported yet.
pub(crate) struct Lane {
    pub(super) tools: Arc<Tools>,
    /// What handlers see: of the attempt that was started last.
    pub(super) context: NodeContext,
    /// What holds the attempt that was begun last, until it waits or the next one begins.
    pub(super) next: AttemptFuture,
    pub(super) batch: Batch,
    pub(super) tasks: Tasks,
    /// What the last step made; empty between steps.
    pub(super) made: Executions,
    /// Streams that had nothing to give.
    pub(super) stalled: Vec<Drawing>,
    /// The same of fanouts that are kept before they start.
    pub(super) stalled_keeping: Vec<Keeping>,
    /// What may go on when the batch is on record.
    pub(super) held: Vec<Task>,
    pub(super) parked: ParkedList,
    /// `None` as long as nothing has waited.
    pub(super) waiting: Option<FuturesUnordered<Wait>>,
    /// How many attempts the next turn starts.
    turn: u32,
    /// How many turns it has begun; wraps.
    turns: u32,
    /// Whether a fanout was opened: the turn ends, so that it can be shared before it is walked.
    pub(super) opened: bool,
}

impl Lane {
    #[inline]
    pub(crate) fn new(tools: Tools) -> Self {
        let plan = &tools.cell.ground.plan;
        // A state of each node, if they are few; a fanout makes room when it is known how wide it is.
        let rows = plan.nodes.len().min(FIRST_ROWS);
        let records = if plan.node(plan.root).arity() == Arity::Many { 0 } else { rows };
        Self {
            context: NodeContext::new(tools.facts.clone(), AttemptFacts::NONE),
            next: no_attempt(),
            batch: Batch::first(rows, records),
            tools: Arc::new(tools),
            tasks: Tasks::new(),
            made: Vec::new(),
            stalled: Vec::new(),
            stalled_keeping: Vec::new(),
            held: Vec::new(),
            parked: ParkedList::default(),
            waiting: None,
            turn: 4,
            turns: 0,
            opened: false,
        }
    }

    /// Goes on with what can go on, for a while.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> TurnEnd {
        let watch = Stopwatch::start();
        let end = self.take_turn(cx);
        if end == TurnEnd::Over {
            self.size_turn(watch.elapsed());
        }
        end
    }

    /// Sizes the next turn by how long one took that left work over.
    pub(super) fn size_turn(&mut self, took: Duration) {
        if took < SHORT {
            self.turn = (self.turn * 2).min(LONGEST_TURN);
        } else if took > LONG {
            self.turn = (self.turn / 2).max(1);
        }
    }

    /// How many attempts a turn starts.
    pub(super) const fn attempts(&self) -> u32 {
        self.turn
    }

    /// A turn that nobody measures.
    pub(super) fn take_turn(&mut self, cx: &mut Context<'_>) -> TurnEnd {
        self.turns = self.turns.wrapping_add(1);
        let mut left = self.turn;
        self.take_stalled();
        self.take_woken(cx);
        while left > 0 && !std::mem::take(&mut self.opened) {
            if self.tools.pool.control.is_cancelled() {
                return TurnEnd::Cancelled;
            }
            if !self.has_room() {
                return TurnEnd::Full;
            }
            if !self.step(cx, &mut left) {
                return TurnEnd::Dry;
            }
        }
        TurnEnd::Over
    }

    /// Whether some stream had nothing to give.
    pub(super) const fn has_stalled(&self) -> bool {
        !self.stalled.is_empty() || !self.stalled_keeping.is_empty()
    }

    pub(super) fn take_stalled(&mut self) {
        if !self.has_stalled() {
            return;
        }
        self.tasks.extend(self.stalled.drain(..).map(|stalled| Task::Drawing(Box::new(stalled))));
        self.tasks.extend(self.stalled_keeping.drain(..).map(|one| Task::Keeping(Box::new(one))));
    }

    /// Whether the lane may start another attempt.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        !self.tools.pool.control.is_paused() && self.room() > 0
    }

    /// How many more attempts the lane may have under way.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.tools.in_flight.saturating_sub(self.parked.len())
    }

    fn take_woken(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MOST_WOKEN {
            let Some(waiting) = &mut self.waiting else { return };
            let Poll::Ready(Some((key, woken))) = waiting.poll_next_unpin(cx) else { return };
            self.woken(key, woken);
        }
        // There may be more: look again after this turn.
        cx.waker().wake_by_ref();
    }

    /// Takes one piece of work; says whether there was any.
    fn step(&mut self, cx: &mut Context<'_>, left: &mut u32) -> bool {
        // Mergers that fired go before new branches, which would only make more of them.
        if !matches!(self.tasks.last(), Some(Task::Execution(_)))
            && let Some(fired) = self.tools.pool.take_execution()
        {
            self.walk(fired, left);
            return true;
        }
        match self.tasks.pop() {
            Some(Task::Execution(execution)) => self.walk(execution, left),
            Some(Task::Drawing(drawing)) => self.draw(drawing, cx, left),
            Some(Task::Keeping(keeping)) => self.keep_on(keeping, cx, left),
            Some(Task::Handed(handed)) => self.tools.pool.hand(*handed),
            None => match self.tools.pool.take(&self.stalled) {
                Some(Taken::Execution(execution)) => self.walk(execution, left),
                Some(Taken::Fanout(fanout)) => {
                    self.draw(Box::new(Drawing::of(fanout)), cx, left);
                }
                None => return false,
            },
        }
        true
    }

    /// Walks on from an execution until its branch ends, waits or splits.
    #[inline]
    fn walk(&mut self, mut execution: Box<Execution>, left: &mut u32) {
        loop {
            let Some(other) = self.walk_straight(execution, left) else { return self.go_on() };
            if *left == 0 || self.tools.pool.control.is_cancelled() || !self.has_room() {
                self.tasks.push(Task::Execution(other));
                return;
            }
            *left -= 1;
            self.start(other);
            match self.made.len() {
                1 => execution = self.made.pop().expect("one was made"),
                _ => return self.go_on(),
            }
        }
    }

    /// Draws branches of a fanout and walks each to where it waits.
    fn draw(&mut self, mut drawing: Box<Drawing>, cx: &mut Context<'_>, left: &mut u32) {
        if drawing.fanout.is_resumable() {
            return self.draw_resumable(drawing, cx);
        }
        let below = self.tasks.len();
        while *left > 0 && self.tasks.len() == below && !self.opened && self.may_draw() {
            match drawing.next(cx, self.room(), self.turns) {
                Next::Output(index, output) => {
                    *left -= 1;
                    if !self.branch(&drawing.own, index, output, left) {
                        return self.states_exceeded(drawing, index);
                    }
                }
                Next::Pending => return self.stalled.push(*drawing),
                Next::End(end) => return self.drawn_to_end(drawing, &end),
                // Whoever saw its end is about to take it out of the pool.
                Next::Gone => return self.tools.pool.forget(&drawing.fanout),
            }
        }
        // Below what its branches left: that is further inside.
        self.tasks.insert(below, Task::Drawing(drawing));
    }

    #[inline]
    pub(super) fn may_draw(&self) -> bool {
        let pool = &self.tools.pool;
        !pool.control.is_cancelled() && self.has_room() && !pool.has_executions()
    }

    /// One branch of a fanout; says whether the run may have its state.
    #[inline]
    fn branch(&mut self, own: &Execution, index: u64, output: Value, left: &mut u32) -> bool {
        match self.step_making(|walker, made| walker.drawn(own, index, output, made)) {
            Branched::Child(child) => self.walk(child, left),
            Branched::Made if self.made.len() == 1 => {
                let child = self.made.pop().expect("one was made");
                self.walk(child, left);
            }
            Branched::Made => self.go_on(),
            Branched::Refused => return false,
        }
        true
    }

    pub(super) fn drawn_to_end(&mut self, drawing: Box<Drawing>, end: &End) {
        let Drawing { fanout, own, .. } = *drawing;
        self.tools.pool.forget(&fanout);
        match &end.fault {
            Some(fault) if end.drawn == 0 => {
                self.step_with(|walker| walker.not_fanned_out(&own));
                self.faulted(Box::new(own), fault);
            }
            fault => self.step_with(|walker| walker.exhausted(&own, end.drawn, fault.as_ref())),
        }
    }

    /// The run has no state for the output at `index`, nor for any after it.
    pub(super) fn states_exceeded(&mut self, mut drawing: Box<Drawing>, index: u64) {
        let GivenUp { buffered, end, .. } = drawing.give_up();
        let (own, is_first) = (&drawing.own, drawing.fanout.exceed());
        // The output that was drawn last has no state either.
        let outputs = buffered + 1;
        self.step_with(|walker| {
            match is_first {
                true => walker.exceeded(own, index, outputs),
                false => walker.exceeded_too(own, index, outputs),
            }
            if let Some(End { drawn, fault }) = end {
                walker.exhausted(own, drawn, fault.as_ref());
            }
        });
        self.tools.pool.forget(&drawing.fanout);
    }

    /// Begins a merger whose group has settled, or skips one that can no longer fire.
    pub(super) fn judged(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Fire(firing) => {
                let fired = self.step_with(|walker| walker.merged(*firing));
                self.tasks.extend(fired.map(Task::Execution));
            }
            Verdict::Skip(skipping) => {
                self.step_with(|walker| walker.merger_skipped(*skipping));
            }
        }
    }

    /// Takes one pure step into the batch, and announces it.
    #[inline]
    pub(super) fn step_with<T>(&mut self, step: impl FnOnce(&mut Walker<'_>) -> T) -> T {
        self.step_making(|walker, _| step(walker))
    }

    /// The same of a step whose executions go to `made`.
    #[inline]
    pub(super) fn step_making<T>(
        &mut self,
        step: impl FnOnce(&mut Walker<'_>, &mut Executions) -> T,
    ) -> T {
        let Self { tools, batch, made, .. } = self;
        let watched = tools.cell.bus.is_watched();
        let result = step(&mut Walker::new(&tools.cell.ground, batch, watched), made);
        // Of a run with a journal nothing is announced before it is on record.
        if watched && tools.cell.journal.is_none() {
            let events = batch.events.drain(..);
            tools.pool.control.tell(|| events.for_each(|event| tools.cell.announce(event)));
        }
        result
    }

    /// Lets go of what only the next attempt would use: the lane is about to wait, maybe for long.
    pub(super) fn rest(&mut self) {
        self.next = no_attempt();
        self.batch.spare.clear();
    }

    /// Lists what waits, so that it can be seen and retried by hand.
    pub(super) fn list_parked(&mut self) {
        for key in self.parked.take_unlisted() {
            // Another one may have come to wait under the same key.
            if let Some(Parked::Execution { execution, status }) = self.parked.get_mut(key)
                && !execution.listed
            {
                let watched = false;
                let mut walker = Walker::new(&self.tools.cell.ground, &mut self.batch, watched);
                walker.list(execution, *status);
            }
        }
    }
}

impl From<Taken> for Task {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Execution(execution) => Self::Execution(execution),
            Taken::Fanout(fanout) => Self::Drawing(Box::new(Drawing::of(fanout))),
        }
    }
}
