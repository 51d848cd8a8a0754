//! A lane: a child actor that walks branches, polling each where it stands.
//!
//! Invariants:
//! 1. A lane reports before it waits and before it shares, so that what it did is counted.
//! 2. Work is taken innermost first: memory follows the depth of the graph, not the fanout's width.
//! 3. A lane never waits while it holds work that it could go on with.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Semaphore;

use super::attempt::Ended;
use super::pool::{Pool, Taken};
use super::source::{Drawn, Fanout};
use crate::event::RunBus;
use crate::id::StateId;
use crate::node::RunFacts;
use crate::run::batch::Batch;
use crate::run::execution::Execution;
use crate::run::message::RunMessage;
use crate::run::status::StateStatus;
use crate::run::unites::UnitesMessage;
use crate::run::walk::Ground;

/// How many branches a lane walks before it lets other tasks run.
const TURN: u32 = 64;

/// The lane's actor: one message, `Work`, that ends with the run.
pub(crate) struct LaneActor;

/// What a lane starts with.
#[derive(Clone)]
pub(crate) struct LaneArguments {
    pub ground: Arc<Ground>,
    pub facts: Arc<RunFacts>,
    pub pool: Arc<Pool>,
    pub bus: Arc<RunBus>,
    pub run: ActorRef<RunMessage>,
    pub unites: Option<ActorRef<UnitesMessage>>,
    /// Bounds the reports under way, of all lanes together.
    pub reports: Arc<Semaphore>,
    /// How many attempts this lane may have under way.
    pub in_flight: usize,
}

/// The only message a lane gets: work until the run has ended.
#[derive(Debug)]
pub(crate) struct Work;

impl Actor for LaneActor {
    type Msg = Work;
    type State = Lane;
    type Arguments = LaneArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(Work)?;
        Ok(Lane::new(arguments))
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        Work: Self::Msg,
        lane: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        lane.work().await;
        myself.stop(None);
        Ok(())
    }
}

pub(super) type Waiting = Pin<Box<dyn Future<Output = (StateId, Woken)> + Send>>;

/// Why a parked execution goes on.
pub(super) enum Woken {
    Ended(Ended),
    /// Its delay is over.
    Due,
}

/// Work that only this lane has.
pub(super) enum Task {
    Execution(Execution),
    Fanout(Arc<Fanout>),
}

/// A lane's own work and what it has not reported yet.
pub(crate) struct Lane {
    pub(super) shared: LaneArguments,
    pub(super) batch: Batch,
    pub(super) tasks: Vec<Task>,
    stalled: Vec<Arc<Fanout>>,
    pub(super) parked: HashMap<StateId, (Execution, StateStatus)>,
    pub(super) unlisted: Vec<StateId>,
    pub(super) waiting: FuturesUnordered<Waiting>,
}

impl Lane {
    fn new(mut shared: LaneArguments) -> Self {
        // A context counts references to these facts: each lane has its own counter.
        shared.facts = Arc::new((*shared.facts).clone());
        Self {
            shared,
            batch: Batch::default(),
            tasks: Vec::new(),
            stalled: Vec::new(),
            parked: HashMap::new(),
            unlisted: Vec::new(),
            waiting: FuturesUnordered::new(),
        }
    }

    /// Works until the run has ended.
    async fn work(&mut self) {
        let pool = self.shared.pool.clone();
        // The lane was counted as one that could be spawned.
        pool.stops_waiting();
        while !pool.is_closed() {
            let changed = pool.control.changed.notified();
            tokio::pin!(changed);
            // Registered before looking for work: what comes in between wakes the lane.
            changed.as_mut().enable();
            self.advance().await;
            self.list_parked();
            self.report().await;
            if pool.is_closed() {
                break;
            }
            // A lane that has all it may have cannot take what others would share.
            let is_hungry = self.has_room();
            if is_hungry {
                pool.starts_waiting();
            }
            self.wait(changed).await;
            if is_hungry {
                pool.stops_waiting();
            }
        }
    }

    /// Waits until something that was parked ends, or something else woke the lane.
    async fn wait(&mut self, mut changed: Pin<&mut tokio::sync::futures::Notified<'_>>) {
        let cancelled = self.shared.pool.control.cancelled.clone();
        let cancelled = cancelled.cancelled();
        tokio::pin!(cancelled);
        let watch_cancel = !self.shared.pool.control.cancelled.is_cancelled();
        let mut first = true;
        let waiting = &mut self.waiting;
        let woken = std::future::poll_fn(|cx| {
            if let Poll::Ready(Some(woken)) = waiting.poll_next_unpin(cx) {
                return Poll::Ready(Some(woken));
            }
            let changed = changed.as_mut().poll(cx).is_ready();
            let cancelled = watch_cancel && cancelled.as_mut().poll(cx).is_ready();
            // A stream wakes the lane without any of these being ready: look again then, too.
            match std::mem::take(&mut first) && !changed && !cancelled {
                true => Poll::Pending,
                false => Poll::Ready(None),
            }
        });
        if let Some((state, woken)) = tokio::task::unconstrained(woken).await {
            self.woken(state, woken);
        }
    }

    /// Goes on with everything that can go on.
    async fn advance(&mut self) {
        let pool = self.shared.pool.clone();
        let mut turn = TURN;
        // The pool has those that are shared.
        let own = self.stalled.drain(..).filter(|fanout| !fanout.is_shared());
        self.tasks.extend(own.map(Task::Fanout));
        loop {
            if pool.control.cancelled.is_cancelled() {
                self.abandon();
                return;
            }
            self.take_woken().await;
            if !self.has_room() {
                return;
            }
            if !self.step().await {
                return;
            }
            self.share().await;
            turn -= 1;
            if turn == 0 {
                turn = TURN;
                self.report_if_full().await;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether the lane may start another attempt.
    fn has_room(&self) -> bool {
        !self.shared.pool.control.is_paused() && self.parked.len() < self.shared.in_flight
    }

    async fn take_woken(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = &mut self.waiting;
        let mut ready = Vec::new();
        let poll = std::future::poll_fn(|cx| {
            while ready.len() < TURN as usize
                && let Poll::Ready(Some(woken)) = waiting.poll_next_unpin(cx)
            {
                ready.push(woken);
            }
            Poll::Ready(())
        });
        tokio::task::unconstrained(poll).await;
        for (state, woken) in ready {
            self.woken(state, woken);
        }
    }

    /// Takes one piece of work; says whether there was any.
    async fn step(&mut self) -> bool {
        // Mergers that fired go before new branches, which would only make more of them.
        let draws = !matches!(self.tasks.last(), Some(Task::Execution(_)));
        let fired = draws && self.shared.pool.has_executions();
        match if fired { None } else { self.tasks.pop() } {
            Some(Task::Execution(execution)) => self.start(execution),
            Some(Task::Fanout(fanout)) => self.draw(fanout).await,
            None => match self.shared.pool.take(&self.stalled) {
                Some(Taken::Execution(execution)) => self.start(execution),
                Some(Taken::Fanout(fanout)) => self.draw(fanout).await,
                None => return false,
            },
        }
        true
    }

    /// Draws one branch of a fanout and leaves the rest of it for later.
    async fn draw(&mut self, fanout: Arc<Fanout>) {
        match std::future::poll_fn(|cx| Poll::Ready(fanout.draw(cx))).await {
            Drawn::Output(index, output) => {
                let children =
                    self.step_with(|walker| walker.drawn(&fanout.execution, index, output));
                match children {
                    Some(children) => {
                        self.keep(fanout);
                        self.go_on(children);
                    }
                    None => {
                        let end = fanout.break_off("limit of states exceeded");
                        // The output that was drawn has no state: it does not count.
                        self.drawn_to_end(&fanout, end, 1);
                    }
                }
            }
            Drawn::Pending => self.stalled.push(fanout),
            end @ Drawn::End { .. } => self.drawn_to_end(&fanout, end, 0),
            // Whoever saw its end is about to take it out of the pool.
            Drawn::Gone => self.shared.pool.forget(&fanout),
        }
    }

    /// Leaves the rest of a fanout for later, unless the pool has it.
    fn keep(&mut self, fanout: Arc<Fanout>) {
        if !fanout.is_shared() {
            self.tasks.push(Task::Fanout(fanout));
        }
    }

    fn drawn_to_end(&mut self, fanout: &Arc<Fanout>, end: Drawn, without: u64) {
        let Drawn::End { drawn, fault } = end else { return };
        if fanout.is_shared() {
            self.shared.pool.forget(fanout);
        }
        let execution = &fanout.execution;
        match fault {
            Some(fault) if drawn == 0 => {
                self.step_with(|walker| walker.not_fanned_out(execution));
                self.faulted(execution, &fault);
            }
            fault => self.step_with(|walker| {
                walker.exhausted(execution, drawn.saturating_sub(without), fault.as_ref());
            }),
        }
    }

    /// Ends everything the lane has, and what nobody took yet.
    fn abandon(&mut self) {
        self.waiting = FuturesUnordered::new();
        let parked = std::mem::take(&mut self.parked);
        let mut parked: Vec<_> = parked.into_values().collect();
        parked.sort_by_key(|(execution, _)| execution.state);
        for (execution, was) in parked {
            self.step_with(|walker| walker.cancelled(&execution, was));
        }
        self.tasks.extend(self.stalled.drain(..).map(Task::Fanout));
        let pool = self.shared.pool.clone();
        while let Some(task) = self.tasks.pop().or_else(|| pool.take(&[]).map(Task::from)) {
            match task {
                Task::Execution(execution) => {
                    self.step_with(|walker| walker.cancelled(&execution, StateStatus::Created));
                }
                Task::Fanout(fanout) => {
                    pool.forget(&fanout);
                    if let Drawn::End { drawn, .. } = fanout.close() {
                        self.step_with(|walker| walker.cut_off(&fanout.execution, drawn));
                    }
                }
            }
        }
    }
}

impl From<Taken> for Task {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Execution(execution) => Self::Execution(execution),
            Taken::Fanout(fanout) => Self::Fanout(fanout),
        }
    }
}
