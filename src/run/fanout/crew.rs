//! A lane as a child actor of its run: reports what it did, shares what it has, waits for more.
//!
//! Invariants:
//! 1. A lane reports before it waits and before it shares, so that what it did is counted.
//! 2. A lane never waits while it holds work that it could go on with.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Semaphore;
use tokio::sync::futures::Notified;

use super::commits::Commits;
use super::drawing::Drawing;
use super::lane::{Lane, Task, TurnEnd};
use super::resumable::Handed;
use crate::run::batch::Batch;
use crate::run::message::{Report, RunMessage};

/// How many turns a lane takes before it lets other tasks run.
const TURNS: u32 = 4;

/// One more lane is called for each so many branches that are left.
const WORTH_A_LANE: usize = 128;

/// The lane's actor: one message, `Work`, that ends with the run.
pub(crate) struct LaneActor;

/// What a lane starts with.
pub(crate) struct LaneArguments {
    pub lane: Box<Lane>,
    pub crew: Crew,
    pub commits: Commits,
}

/// Whom a lane reports to.
pub(crate) struct Crew {
    pub run: ActorRef<RunMessage>,
    /// Bounds the reports under way, of all lanes together.
    pub reports: Arc<Semaphore>,
}

/// The only message a lane gets: work until the run has ended.
#[derive(Debug)]
pub(crate) struct Work;

impl Actor for LaneActor {
    type Msg = Work;
    type State = LaneArguments;
    type Arguments = LaneArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(Work)?;
        Ok(arguments)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        Work: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.work().await;
        myself.stop(None);
        Ok(())
    }
}

impl LaneArguments {
    /// Works until the run has ended.
    async fn work(&mut self) {
        let pool = self.lane.tools.pool.clone();
        if self.lane.waiting.is_some() {
            // What goes on may block this thread, whose next task is the run's actor: it was told of
            // this lane. No other thread could take that task.
            tokio::task::yield_now().await;
        }
        while !pool.is_closed() {
            let changed = pool.control.changed.notified();
            tokio::pin!(changed);
            // Registered before looking for work: what comes in between wakes the lane.
            changed.as_mut().enable();
            let is_stopped = self.advance().await;
            self.lane.list_parked();
            let has_reported = self.report().await;
            if is_stopped {
                self.deliver_all().await;
            }
            if pool.is_closed() {
                break;
            }
            // A stream that has more wakes the lane once, which may have been while a report waited.
            let may_have_more = has_reported && self.lane.has_stalled();
            if (self.commits.take_released() || may_have_more) && !is_stopped {
                continue;
            }
            // A lane that has all it may have cannot take what others would share.
            let is_hungry = self.lane.has_room();
            if is_hungry {
                pool.starts_waiting();
            }
            self.lane.rest();
            // A lane that has seen the cancel would be woken by it for ever.
            self.wait(changed, !is_stopped).await;
            if is_hungry {
                pool.stops_waiting();
            }
        }
    }

    /// Goes on with everything that can go on; says whether the run is being stopped.
    async fn advance(&mut self) -> bool {
        let mut turns = TURNS;
        loop {
            self.share().await;
            let lane = &mut self.lane;
            let turn = std::future::poll_fn(|cx| Poll::Ready(lane.turn(cx)));
            match tokio::task::unconstrained(turn).await {
                TurnEnd::Dry | TurnEnd::Full => return false,
                TurnEnd::Cancelled => {
                    self.deliver_all().await;
                    self.abandon();
                    return true;
                }
                TurnEnd::Over => {}
            }
            if self.lane.batch.is_full() {
                self.report().await;
            }
            turns -= 1;
            if turns == 0 {
                turns = TURNS;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends everything the lane has: what it did before that is put on record, and no more but the
    /// numbers of the states that are made by that.
    fn abandon(&mut self) {
        let before = std::mem::take(&mut self.lane.batch.entries);
        self.lane.abandon();
        let made = std::mem::take(&mut self.lane.batch.entries);
        if let Some(journal) = &self.lane.tools.cell.journal {
            journal.append(&before);
            journal.made_by_stop(made);
        }
    }

    /// Waits until something that was parked ends, or something else woke the lane.
    async fn wait(&mut self, mut changed: Pin<&mut Notified<'_>>, watch_cancel: bool) {
        let control = self.lane.tools.pool.control.clone();
        let cancelled = control.cancelled();
        tokio::pin!(cancelled);
        let mut first = true;
        let (waiting, commits) = (&mut self.lane.waiting, &mut self.commits);
        let woken = std::future::poll_fn(|cx| {
            if commits.poll_first(cx).is_ready() {
                return Poll::Ready(None);
            }
            let woken = waiting.as_mut().map(|waiting| waiting.poll_next_unpin(cx));
            if let Some(Poll::Ready(Some(woken))) = woken {
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
        if let Some((key, woken)) = tokio::task::unconstrained(woken).await {
            self.lane.woken(key, woken);
        }
        self.deliver_committed().await;
    }

    /// Gives the oldest work away if another lane has none.
    async fn share(&mut self) {
        if self.lane.tasks.is_empty() || !self.lane.tools.pool.is_hungry() {
            return;
        }
        let Some(spare) = self.lane.spare() else {
            if self.lane.draws_enough() {
                self.call_lane();
            }
            return;
        };
        self.report().await;
        if !self.await_commits().await {
            return;
        }
        self.lane.share(spare);
        self.call_lane();
    }

    /// Has the run's actor spawn one more lane, if there may be one.
    pub(super) fn call_lane(&self) {
        if self.lane.tools.pool.take_call() {
            // A run whose actor is gone has no use for more lanes.
            let _ = self.crew.run.cast(RunMessage::Hungry);
        }
    }

    /// Tells what has happened since the last report; what is to be on record first, when it is.
    ///
    /// Says whether there was anything: it may have waited then.
    async fn report(&mut self) -> bool {
        if self.lane.batch.is_empty() && self.lane.held.is_empty() {
            return false;
        }
        let batch = self.lane.batch.take();
        match self.lane.tools.cell.journal.clone() {
            None => self.tell(batch, None).await,
            Some(journal) => self.commit(batch, &journal).await,
        }
        true
    }

    /// Tells the run's actor; `unit` is that of the journal which says so.
    pub(super) async fn tell(&mut self, batch: Batch, unit: Option<u64>) {
        let permit = self.crew.reports.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore of reports is never closed");
        let Batch { run, groups, events, .. } = batch;
        let tools = &self.lane.tools;
        tools.pool.control.tell(|| events.into_iter().for_each(|one| tools.cell.announce(one)));
        let report = Report { run, groups, unit, permit };
        // A dead run actor has ended the run already.
        let _ = self.crew.run.cast(RunMessage::Reported(Box::new(report)));
    }
}

impl Lane {
    /// Gives the oldest work away; everything that was done has been reported, and is on record if
    /// it has to be. Says for how many more lanes there is something to do.
    pub(crate) fn share_oldest(&mut self) -> usize {
        let Some(spare) = self.spare() else { return 0 };
        let branches = match &self.tasks[spare] {
            Task::Drawing(drawing) => drawing.fanout.at_least(),
            Task::Execution(_) | Task::Keeping(_) | Task::Handed(_) => 0,
        };
        self.share(spare);
        (branches / WORTH_A_LANE).max(1)
    }

    fn share(&mut self, spare: usize) {
        let pool = &self.tools.pool;
        match &self.tasks[spare] {
            Task::Drawing(drawing) if drawing.fanout.is_resumable() => {
                if let Task::Drawing(drawing) = self.tasks.remove(spare) {
                    // What was drawn of it has been handed on: nothing else is in it.
                    pool.hand(Handed::of(drawing.fanout));
                }
            }
            Task::Drawing(drawing) => pool.share(drawing.fanout.clone()),
            // It is kept by the lane that began with it.
            Task::Keeping(_) | Task::Handed(_) => {}
            Task::Execution(_) => {
                if let Task::Execution(execution) = self.tasks.remove(spare) {
                    pool.push([execution]);
                }
            }
        }
    }

    /// Whether there may be enough for one more lane in a shared fanout that it draws from.
    fn draws_enough(&self) -> bool {
        self.tasks.iter().any(|task| match task {
            Task::Drawing(drawing) => {
                drawing.fanout.is_shared() && drawing.fanout.may_have(WORTH_A_LANE)
            }
            Task::Execution(_) | Task::Keeping(_) | Task::Handed(_) => false,
        })
    }

    /// The oldest work that another lane could take: a fanout, or an execution beside other work.
    fn spare(&self) -> Option<usize> {
        let is_shared = |drawing: &Drawing| drawing.fanout.is_shared();
        self.tasks.iter().position(|task| match task {
            Task::Drawing(drawing) => !is_shared(drawing),
            Task::Keeping(_) | Task::Handed(_) => false,
            Task::Execution(_) => self.tasks.len() > 1,
        })
    }
}
