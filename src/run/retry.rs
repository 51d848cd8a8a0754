//! How a run's actor takes states back that somebody retries by hand.

use ractor::{ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::actor::RunState;
use super::error::RetryError;
use super::execution::Execution;
use super::machine::RetryWhat;
use super::message::RunMessage;
use super::unites::{Reopening, UnitesMessage};
use super::walk::Retaken;
use crate::event::EventKind;
use crate::id::StateId;

impl RunState {
    /// Takes states back, or says why not; their groups are asked what is open again.
    pub(super) async fn retry(
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
        if let (Ok(_), Some(journal)) = (&accepted, self.cell.journal.clone()) {
            journal.reopen();
            journal.retry(what, id);
            if let Err(error) = journal.flush().await {
                self.not_saved(&error, myself).await?;
            }
        }
        // A caller that does not wait for the answer has its retry all the same.
        let _ = reply.send(states.map_err(Clone::clone));
        let Ok(executions) = accepted else { return self.settle_if_idle(myself).await };
        self.cell.announce(EventKind::RunStarted);
        for execution in executions {
            let id = xxh3_64(id.as_bytes());
            match &self.unites {
                Some(unites) => unites.cast(UnitesMessage::Reopen(execution, id))?,
                None => myself.cast(RunMessage::Reopened(execution, id, Box::default()))?,
            }
        }
        Ok(())
    }

    /// A refused retry may have opened an episode in which there is nothing to do.
    async fn settle_if_idle(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        // A lane may have what it did not report yet: while there is one, its reports end the run.
        let idle = !self.has_lane && self.cell.machine.lock().is_idle();
        if idle { self.settled(myself).await } else { Ok(()) }
    }

    pub(super) async fn reopened(
        &mut self,
        mut execution: Box<Execution>,
        id: u64,
        found: Reopening,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        self.cell.machine.lock().reopened(&found.reopened, &found.dropped);
        execution.set_tokens(found.tokens.into_iter().collect());
        let retaken = Retaken { execution, id, given_up: found.given_up };
        let next = self.step(myself, |walker| walker.retried(&retaken)).await?;
        self.dispatch(next, myself).await?;
        let effects = self.cell.machine.lock().release_hold();
        self.carry_out(effects, myself).await
    }
}
