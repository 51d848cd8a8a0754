//! The actor of a run: carries out what the pure machine and the walker decide.
//!
//! It takes over what was walked alone, and waits for it if that is one execution: see `waiting.rs`.
//! Else it has children: lanes and, if the graph has mergers, the unites actor. A child that ends
//! before the run breaks the run: it ends as `FAILED`, and what was open is cancelled.

use std::future::{Future, ready};
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::batch::{Batch, RunDelta};
use super::cell::{EndGuard, RunCell};
use super::error::RetryError;
use super::fanout::{Alone, Pool, Unended};
use super::machine::{Effect, Effects, Stop};
use super::message::{Report, RunMessage};
use super::take_back::RetryWhat;
use super::unites::{Barriers, UnitesMessage};
use super::walk::Walker;
use crate::id::StateId;

/// The run's actor.
pub(crate) struct RunActor;

/// What an episode of a run starts with.
pub(crate) struct RunArguments {
    pub cell: Arc<RunCell>,
    pub end: EndGuard,
    pub opening: Opening,
}

/// How an episode begins.
pub(crate) enum Opening {
    /// The run starts, once that is on record.
    OnRecord,
    /// The run was begun without an actor.
    GoOn(Box<Alone>),
    /// States of a run that had ended are retried by hand.
    Retry(RetryWhat, String, oneshot::Sender<Result<Vec<StateId>, RetryError>>),
}

/// The state of a run's actor.
pub(crate) struct RunState {
    pub(super) cell: Arc<RunCell>,
    pub(super) end: EndGuard,
    pub(super) pool: Arc<Pool>,
    /// What the actor itself counts; `None` until it does.
    desk: Option<Box<Batch>>,
    /// What was begun before the actor was there, or waits without a lane.
    pub(super) begun: Option<Unended>,
    /// Whether the children that the run needs were spawned.
    pub(super) is_crew: bool,
    pub(super) unites: Option<ActorRef<UnitesMessage>>,
    pub(super) reports: Option<Arc<Semaphore>>,
    /// Whether a lane was spawned.
    pub(super) has_lane: bool,
    pub(super) timers: Option<JoinSet<()>>,
    /// The run has ended and waits for its groups to come back.
    pub(super) ending: bool,
}

impl Actor for RunActor {
    type Msg = RunMessage;
    type State = RunState;
    type Arguments = RunArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let RunArguments { cell, end, opening } = arguments;
        let pool = match &opening {
            Opening::GoOn(alone) => alone.pool(),
            Opening::OnRecord | Opening::Retry(..) => cell.pool(),
        };
        let mut state = RunState {
            cell,
            end,
            pool,
            desk: None,
            begun: None,
            is_crew: false,
            unites: None,
            reports: None,
            has_lane: false,
            timers: None,
            ending: false,
        };
        match opening {
            Opening::OnRecord => {}
            Opening::GoOn(alone) => state.begun = Some(Unended::Awake(alone)),
            Opening::Retry(what, id, reply) => {
                state.set_reminders(&myself);
                state.crew(&myself, None).await?;
                myself.cast(RunMessage::Retry(what, id, reply))?;
            }
        }
        // Before its loop begins: it cannot have ended the run, which may have another episode then.
        state.cell.meet(myself);
        Ok(state)
    }

    /// Begins on the actor's own task, so that whoever started the run does not wait for it.
    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if state.is_crew { Ok(()) } else { state.begin(&myself).await }
    }

    fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        // Boxed: a run that waits keeps no room for what it may be told.
        Box::pin(state.heed(message, myself))
    }

    /// A child that ends early breaks the run, but only when everything it sent has been read.
    fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        // Boxed, and done here and now: a run that waits keeps no room for an event.
        let gone = RunMessage::of_child(event).filter(|_| !state.ending);
        let told = gone.map_or(Ok(()), |gone| myself.cast(gone));
        Box::pin(ready(told.map_err(Into::into)))
    }
}

impl Drop for RunState {
    /// However the actor ends, its lanes go home.
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl RunState {
    /// Does what a message says.
    async fn heed(
        &mut self,
        message: RunMessage,
        myself: ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let myself = &myself;
        match message {
            RunMessage::Reported(report) => self.reported(*report, myself).await?,
            RunMessage::NotSaved(error) => self.not_saved(&error, myself).await?,
            RunMessage::Woken => self.call_crew(myself).await?,
            RunMessage::Hungry => self.spawn_lane(myself, None).await?,
            RunMessage::Fired(firing) => {
                let execution = self.step(myself, |walker| walker.merged(*firing)).await?;
                if !self.is_group_saved(myself).await? {
                    return Ok(());
                }
                self.dispatch(execution, myself).await?;
            }
            RunMessage::MergerSkipped(skipping) => {
                self.step(myself, |walker| walker.merger_skipped(*skipping)).await?;
            }
            RunMessage::Stop(stop) => {
                let effect = self.cell.machine.lock().stop(stop);
                self.carry_out(effect.into_iter().collect(), myself).await?;
                self.stop_waiting(myself).await;
            }
            RunMessage::GraceBegins => {
                self.write_stop();
                self.after(self.cell.settings.grace, myself, RunMessage::GraceOver);
                self.stop_waiting(myself).await;
            }
            RunMessage::GraceOver => {
                if !self.ending {
                    self.end_by_force(myself).await;
                }
            }
            RunMessage::Retry(what, id, reply) => {
                self.call_crew(myself).await?;
                self.retry(what, &id, reply, myself).await?;
            }
            RunMessage::Reopened(execution, id, found) => {
                self.reopened(execution, id, *found, myself).await?;
            }
            RunMessage::Closed(barriers) => self.closed(barriers, myself).await,
            RunMessage::ChildGone(what) => self.broken(what, myself).await,
        }
        Ok(())
    }

    /// Sees who goes on with what was begun; a run with a journal begins once that is on record.
    async fn begin(&mut self, myself: &ActorRef<RunMessage>) -> Result<(), ActorProcessingErr> {
        if self.cell.journal.is_some() {
            // Boxed: a run without a journal keeps no room for it.
            return Box::pin(self.begin_on_record(myself)).await;
        }
        match self.take_begun() {
            Some(rest) => self.wait_for(rest, myself).await,
            None => Ok(()),
        }
    }

    /// Takes a pure step here, and counts it as a lane's report would be.
    pub(super) async fn step<T>(
        &mut self,
        myself: &ActorRef<RunMessage>,
        step: impl FnOnce(&mut Walker<'_>) -> T,
    ) -> Result<T, ActorProcessingErr> {
        let watched = self.cell.bus.is_watched();
        let desk = self.desk.get_or_insert_default();
        let result = step(&mut Walker::new(&self.cell.ground, desk, watched));
        // The next step may be long in coming.
        desk.spare.clear();
        let control = &self.pool.control;
        let batch = Batch::take(desk);
        match &self.cell.journal {
            // A merger may be skipped because the run is being stopped.
            Some(journal) if control.is_cancelled() => journal.made_by_stop(batch.entries),
            Some(journal) => journal.append(&batch.entries),
            None => {}
        }
        for event in batch.events {
            self.cell.announce(event);
        }
        if let Some(unites) = &self.unites
            && !batch.groups.is_empty()
        {
            unites.cast(UnitesMessage::Reported(batch.groups, None))?;
        }
        self.apply(batch.run, myself).await?;
        Ok(result)
    }

    /// Counts what a lane reports, and passes on what it says of groups.
    ///
    /// The unites actor hears of a state's groups through here alone: before it is asked what a
    /// retry by hand of that state opens again.
    async fn reported(
        &mut self,
        report: Report,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Report { run, groups, unit, permit } = report;
        if let (Some(unit), Some(journal)) = (unit, &self.cell.journal) {
            journal.told(unit);
        }
        if let Some(unites) = &self.unites
            && !groups.is_empty()
        {
            // One that died is a child that is gone, and noticed as that.
            let _ = unites.cast(UnitesMessage::Reported(groups, Some(permit)));
        }
        self.apply(run, myself).await
    }

    async fn apply(
        &mut self,
        delta: RunDelta,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let effects = self.cell.machine.lock().apply(delta);
        self.carry_out(effects, myself).await
    }

    pub(super) async fn carry_out(
        &mut self,
        effects: Effects,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        for effect in effects {
            match effect {
                Effect::Stop(stop) => {
                    self.write_stop();
                    match stop {
                        Stop::Parked => self.pool.control.park(),
                        _ => self.pool.control.cancel(),
                    }
                    self.after(self.cell.settings.grace, myself, RunMessage::GraceOver);
                }
                Effect::Settled => self.settled(myself).await?,
            }
        }
        Ok(())
    }

    /// Nothing is counted any more: sends the lanes home and asks for the groups.
    pub(super) async fn settled(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        if self.ending {
            return Ok(());
        }
        self.ending = true;
        self.pool.close();
        match &self.unites {
            Some(unites) => unites.cast(UnitesMessage::Close)?,
            None => self.end(myself).await,
        }
        Ok(())
    }

    async fn closed(&mut self, barriers: Box<Barriers>, myself: &ActorRef<RunMessage>) {
        self.cell.keep_groups(barriers);
        self.end(myself).await;
    }

    pub(super) async fn end(&mut self, myself: &ActorRef<RunMessage>) {
        self.timers = None;
        self.end.settle();
        if self.cell.journal.is_some() {
            // Boxed: a run without a journal keeps no room for it.
            Box::pin(self.save_end()).await;
        }
        self.end.end();
        myself.stop(None);
    }

    async fn broken(&mut self, what: String, myself: &ActorRef<RunMessage>) {
        if !self.ending {
            // The stop is carried out here and now: what the dead child had cannot settle.
            let _ = self.cell.machine.lock().stop(Stop::Broken(what));
            self.write_stop();
            self.end_by_force(myself).await;
        }
    }

    async fn end_by_force(&mut self, myself: &ActorRef<RunMessage>) {
        self.ending = true;
        self.pool.control.cancel();
        self.pool.close();
        self.end(myself).await;
    }
}
