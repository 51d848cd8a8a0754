//! How a run's actor calls its children: lanes and, if the graph has mergers, the unites actor.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Semaphore;

use super::actor::RunState;
use super::execution::Execution;
use super::fanout::{Alone, Commits, Crew, Lane, LaneActor, LaneArguments};
use super::message::RunMessage;
use super::unites::{Barriers, UnitesActor, UnitesArguments};

/// How many reports of lanes may be under way.
const REPORTS: usize = 16;

impl RunState {
    /// Spawns the children: with what was begun alone, or for a retry of what had ended.
    pub(super) async fn crew(
        &mut self,
        myself: &ActorRef<RunMessage>,
        alone: Option<Box<Alone>>,
    ) -> Result<(), ActorProcessingErr> {
        let plan = self.cell.ground.plan.clone();
        let (lane, barriers) = match alone.map(|alone| alone.into_parts()) {
            Some((lane, barriers)) => (Some(lane), barriers),
            None => (None, self.cell.barriers.lock().take()),
        };
        if plan.has_mergers {
            let barriers = barriers.unwrap_or_else(|| Box::new(Barriers::new(plan)));
            let arguments = UnitesArguments { barriers, run: myself.clone() };
            self.unites = Some(spawn_child(UnitesActor, arguments, myself).await?);
        }
        self.is_crew = true;
        let Some(mut lane) = lane else { return Ok(()) };
        // Of a run without a journal everything was applied. What there is to share is shared before
        // the first lane is busy with it: a thread that sleeps takes its time to wake.
        let can_share = self.cell.journal.is_none() && self.cell.lanes() > 1;
        let more = if can_share { lane.share_oldest() } else { 0 };
        self.call_lane(myself, Some(lane)).await?;
        for _ in 1..=more.min(self.cell.lanes() - 1) {
            self.call_lane(myself, None).await?;
        }
        Ok(())
    }

    pub(super) async fn dispatch(
        &mut self,
        execution: Option<Box<Execution>>,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(execution) = execution {
            self.pool.push([execution]);
            if !self.has_lane {
                self.call_lane(myself, None).await?;
            }
        }
        Ok(())
    }

    /// Calls for a lane, and spawns it.
    async fn call_lane(
        &mut self,
        myself: &ActorRef<RunMessage>,
        lane: Option<Box<Lane>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.pool.take_call() { self.spawn_lane(myself, lane).await } else { Ok(()) }
    }

    /// Spawns a lane that was called: it goes on with what another had, or looks for work of its own.
    pub(super) async fn spawn_lane(
        &mut self,
        myself: &ActorRef<RunMessage>,
        lane: Option<Box<Lane>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.ending {
            return Ok(());
        }
        self.has_lane = true;
        let lane = lane.unwrap_or_else(|| Box::new(Lane::new(self.cell.tools(&self.pool))));
        let reports = self.reports.get_or_insert_with(|| Arc::new(Semaphore::new(REPORTS)));
        let crew = Crew { run: myself.clone(), reports: reports.clone() };
        let arguments = LaneArguments { lane, crew, commits: Commits::default() };
        spawn_child(LaneActor, arguments, myself).await.map(drop)
    }
}

/// Spawns a child of a run's actor.
async fn spawn_child<A: Actor>(
    actor: A,
    arguments: A::Arguments,
    run: &ActorRef<RunMessage>,
) -> Result<ActorRef<A::Msg>, ActorProcessingErr> {
    // Boxed: a run that waits without children keeps no room for what spawning one takes.
    let spawned = Box::pin(Actor::spawn_linked(None, actor, arguments, run.get_cell()));
    Ok(spawned.await?.0)
}
