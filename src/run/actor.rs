//! The actor of a run: carries out what the pure machine and the walker decide.
//!
//! Children: lanes and, if the graph has mergers, the unites actor. A child that ends before the run
//! breaks the run: it ends as `FAILED`, and what was open is cancelled.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

use super::batch::{Batch, RunDelta};
use super::cell::{EndGuard, RunCell};
use super::error::RetryError;
use super::execution::Execution;
use super::fanout::{LaneActor, LaneArguments, Pool};
use super::machine::{Effect, RetryWhat, Stop};
use super::message::RunMessage;
use super::unites::{Barriers, Reopening, UnitesActor, UnitesArguments, UnitesMessage};
use super::walk::Walker;
use crate::event::EventKind;
use crate::id::StateId;
use crate::version::Pin;

/// How many reports of lanes may be under way.
const REPORTS: usize = 16;

/// The run's actor.
pub(crate) struct RunActor;

/// What an episode of a run starts with.
pub(crate) struct RunArguments {
    pub cell: Arc<RunCell>,
    pub pin: Pin,
    pub opening: Opening,
}

/// How an episode begins.
pub(crate) enum Opening {
    /// The run starts.
    Start,
    /// States of a run that had ended are retried by hand.
    Retry(RetryWhat, String, oneshot::Sender<Result<Vec<StateId>, RetryError>>),
}

/// The state of a run's actor.
pub(crate) struct RunState {
    cell: Arc<RunCell>,
    end: EndGuard,
    pool: Arc<Pool>,
    unites: Option<ActorRef<UnitesMessage>>,
    reports: Arc<Semaphore>,
    lanes: usize,
    timers: JoinSet<()>,
    /// The run has ended and waits for its groups to come back.
    ending: bool,
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
        let RunArguments { cell, pin, opening } = arguments;
        let end = EndGuard::new(cell.clone(), pin);
        let plan = &cell.ground.plan;
        let unites = match plan.has_mergers {
            true => Some(spawn_unites(&cell, &myself).await?),
            false => None,
        };
        let pool = Arc::new(Pool::new(plan, cell.control(), cell.settings.lanes));
        myself.cast(match opening {
            Opening::Start => RunMessage::Begin,
            Opening::Retry(what, id, reply) => RunMessage::Retry(what, id, reply),
        })?;
        let reports = Arc::new(Semaphore::new(REPORTS));
        let timers = JoinSet::new();
        Ok(RunState { cell, end, pool, unites, reports, lanes: 0, timers, ending: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RunMessage::Begin => state.begin(&myself).await?,
            RunMessage::Reported(delta, permit) => {
                state.apply(*delta, &myself)?;
                drop(permit);
            }
            RunMessage::Hungry => state.spawn_lane(&myself).await?,
            RunMessage::Fired(firing) => {
                let execution = state.step(&myself, |walker| walker.merged(*firing))?;
                state.dispatch(execution, &myself).await?;
            }
            RunMessage::MergerSkipped(skipping) => {
                let skip = state.step(&myself, |walker| walker.merger_skipped(*skipping))?;
                let effects = state.cell.machine.lock().merger_skipped(skip);
                state.carry_out(effects, &myself)?;
            }
            RunMessage::Stop(stop) => {
                let effect = state.cell.machine.lock().stop(stop);
                state.carry_out(effect.into_iter().collect(), &myself)?;
            }
            RunMessage::GraceOver => {
                if !state.ending {
                    state.end_by_force(&myself);
                }
            }
            RunMessage::Retry(what, id, reply) => state.retry(what, &id, reply, &myself)?,
            RunMessage::Reopened(execution, id, found) => {
                state.reopened(*execution, id, &found, &myself).await?;
            }
            RunMessage::Closed(barriers) => state.closed(*barriers, &myself),
            RunMessage::ChildGone(what) => state.broken(what, &myself),
        }
        Ok(())
    }

    /// A child that ends early breaks the run, but only when everything it sent has been read.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let what = match event {
            SupervisionEvent::ActorTerminated(..) => "a lane or the join was stopped".to_owned(),
            SupervisionEvent::ActorFailed(_, error) => {
                format!("a lane or the join failed: {error}")
            }
            _ => return Ok(()),
        };
        if !state.ending {
            myself.cast(RunMessage::ChildGone(what))?;
        }
        Ok(())
    }
}

impl Drop for RunState {
    /// However the actor ends, its lanes go home.
    fn drop(&mut self) {
        self.pool.close();
    }
}

async fn spawn_unites(
    cell: &Arc<RunCell>,
    myself: &ActorRef<RunMessage>,
) -> Result<ActorRef<UnitesMessage>, ActorProcessingErr> {
    let kept = cell.barriers.lock().take();
    let barriers = kept.unwrap_or_else(|| Barriers::new(cell.ground.plan.clone()));
    let arguments = UnitesArguments { barriers, run: myself.clone() };
    let (unites, _) = Actor::spawn_linked(None, UnitesActor, arguments, myself.get_cell()).await?;
    Ok(unites)
}

impl RunState {
    async fn begin(&mut self, myself: &ActorRef<RunMessage>) -> Result<(), ActorProcessingErr> {
        self.cell.bus.send(EventKind::RunStarted);
        if let Some(timeout) = self.cell.ground.plan.timeout {
            self.after(timeout, myself, RunMessage::Stop(Stop::TimedOut));
        }
        let input = self.cell.input.clone();
        let delay = self.cell.settings.start_delay;
        let root = self
            .step(myself, |walker| walker.begin(input))?
            .map(|root| Execution { not_before: (!delay.is_zero()).then_some(delay), ..root });
        self.dispatch(root, myself).await
    }

    /// Takes a pure step here, and counts it as a lane's report would be.
    fn step<T>(
        &mut self,
        myself: &ActorRef<RunMessage>,
        step: impl FnOnce(&mut Walker<'_>) -> T,
    ) -> Result<T, ActorProcessingErr> {
        let mut batch = Batch::default();
        let watched = self.cell.bus.is_watched();
        let result = step(&mut Walker::new(&self.cell.ground, &mut batch, watched));
        for event in batch.events {
            self.cell.bus.send(event);
        }
        if let Some(unites) = &self.unites
            && !batch.groups.is_empty()
        {
            unites.cast(UnitesMessage::Reported(batch.groups, None))?;
        }
        self.apply(batch.run, myself)?;
        Ok(result)
    }

    fn apply(
        &mut self,
        delta: RunDelta,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let effects = self.cell.machine.lock().apply(delta);
        self.carry_out(effects, myself)
    }

    fn carry_out(
        &mut self,
        effects: Vec<Effect>,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        for effect in effects {
            match effect {
                Effect::Stop(_) => {
                    self.pool.control.cancelled.cancel();
                    self.after(self.cell.settings.grace, myself, RunMessage::GraceOver);
                }
                Effect::Settled => self.settled(myself)?,
            }
        }
        Ok(())
    }

    /// Nothing is counted any more: sends the lanes home and asks for the groups.
    fn settled(&mut self, myself: &ActorRef<RunMessage>) -> Result<(), ActorProcessingErr> {
        if self.ending {
            return Ok(());
        }
        self.ending = true;
        self.pool.close();
        match &self.unites {
            Some(unites) => unites.cast(UnitesMessage::Close)?,
            None => self.end(myself),
        }
        Ok(())
    }

    fn closed(&mut self, barriers: Barriers, myself: &ActorRef<RunMessage>) {
        *self.cell.barriers.lock() = Some(barriers);
        self.end(myself);
    }

    fn end(&mut self, myself: &ActorRef<RunMessage>) {
        self.timers.abort_all();
        self.end.end();
        myself.stop(None);
    }

    fn broken(&mut self, what: String, myself: &ActorRef<RunMessage>) {
        if !self.ending {
            // The stop is carried out here and now: what the dead child had cannot settle.
            let _ = self.cell.machine.lock().stop(Stop::Broken(what));
            self.end_by_force(myself);
        }
    }

    fn end_by_force(&mut self, myself: &ActorRef<RunMessage>) {
        self.ending = true;
        self.pool.control.cancelled.cancel();
        self.pool.close();
        self.end(myself);
    }

    async fn dispatch(
        &mut self,
        execution: Option<Execution>,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(execution) = execution {
            self.pool.push([execution]);
            if self.lanes == 0 {
                self.spawn_lane(myself).await?;
            }
        }
        Ok(())
    }

    async fn spawn_lane(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        if self.ending || self.lanes >= self.cell.settings.lanes {
            return Ok(());
        }
        self.lanes += 1;
        let mut facts = self.cell.facts.clone();
        facts.control = self.pool.control.clone();
        let in_flight = self.cell.ground.plan.limits.in_flight as usize;
        let arguments = LaneArguments {
            ground: self.cell.ground.clone(),
            facts: Arc::new(facts),
            pool: self.pool.clone(),
            bus: self.cell.bus.clone(),
            run: myself.clone(),
            unites: self.unites.clone(),
            reports: self.reports.clone(),
            in_flight: (in_flight / self.cell.settings.lanes).max(1),
        };
        Actor::spawn_linked(None, LaneActor, arguments, myself.get_cell()).await?;
        Ok(())
    }

    fn retry(
        &mut self,
        what: RetryWhat,
        id: &str,
        reply: oneshot::Sender<Result<Vec<StateId>, RetryError>>,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        if self.ending {
            // The run has just ended: dropping the reply makes the caller open the next episode.
            return Ok(());
        }
        let accepted = self.cell.machine.lock().retry(what, id);
        let states = accepted.as_ref().map(|all| all.iter().map(|one| one.state).collect());
        // A caller that does not wait for the answer has its retry all the same.
        let _ = reply.send(states.map_err(Clone::clone));
        let Ok(executions) = accepted else { return self.settle_if_idle(myself) };
        self.cell.bus.send(EventKind::RunStarted);
        for execution in executions {
            let (execution, id) = (Box::new(execution), xxh3_64(id.as_bytes()));
            match &self.unites {
                Some(unites) => unites.cast(UnitesMessage::Reopen(execution, id))?,
                None => myself.cast(RunMessage::Reopened(execution, id, Box::default()))?,
            }
        }
        Ok(())
    }

    /// A refused retry may have opened an episode in which there is nothing to do.
    fn settle_if_idle(&mut self, myself: &ActorRef<RunMessage>) -> Result<(), ActorProcessingErr> {
        let idle = self.cell.machine.lock().is_idle();
        if idle { self.settled(myself) } else { Ok(()) }
    }

    async fn reopened(
        &mut self,
        mut execution: Execution,
        id: u64,
        found: &Reopening,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        self.cell.machine.lock().reopened(&found.reopened, &found.dropped);
        execution.tokens = found.tokens.as_slice().into();
        let next = self.step(myself, |walker| walker.retried(&execution, id))?;
        self.dispatch(next, myself).await?;
        let effects = self.cell.machine.lock().release_hold();
        self.carry_out(effects, myself)
    }

    /// Tells the actor something after a while; forgotten when the run ends first.
    fn after(
        &mut self,
        delay: std::time::Duration,
        myself: &ActorRef<RunMessage>,
        message: RunMessage,
    ) {
        let (sleep, myself) = (self.cell.facts.clock.sleep(delay), myself.clone());
        self.timers.spawn(async move {
            sleep.await;
            // A run that is gone needs no timer.
            let _ = myself.cast(message);
        });
    }
}
