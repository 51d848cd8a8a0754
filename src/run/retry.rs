//! How states are retried by hand: asked of a run, whose actor takes them back.

use ractor::{ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::actor::{Opening, RunState};
use super::cell::EndGuard;
use super::error::RetryError;
use super::execution::Execution;
use super::handle::Run;
use super::machine::Stop;
use super::message::RunMessage;
use super::take_back::{RetryWhat, TakenBack};
use super::unites::{Reopening, UnitesMessage};
use super::walk::Retaken;
use crate::event::EventKind;
use crate::id::StateId;
use crate::version::Pin;

impl Run {
    /// Asks the run's actor for a retry; one that has ended opens its next episode.
    pub(super) async fn retry_what(
        &self,
        what: RetryWhat,
        id: String,
    ) -> Result<Vec<StateId>, RetryError> {
        loop {
            let (reply, answer) = oneshot::channel();
            let _one_at_a_time = self.cell.opening.get_or_init(Box::default).lock().await;
            if self.is_ended() {
                let pin = Pin::of(&self.cell.version).ok_or_else(|| self.unpinned())?;
                if self.cell.ground.plan.has_mergers && self.cell.barriers.lock().is_none() {
                    return Err(RetryError::Gone);
                }
                // Checked before an episode is opened, so that a refusal changes nothing.
                let may_open = || self.cell.machine.lock().states_to_retry(what, &id).map(drop);
                let end = EndGuard::open_again(self.cell.clone(), pin, &may_open).await?;
                self.cell.reopen();
                if let Some(host) = self.cell.host.upgrade() {
                    host.reopened(&self.cell);
                }
                self.open(end, Opening::Retry(what, id.clone(), reply)).await;
            } else {
                self.cell.tell(RunMessage::Retry(what, id.clone(), reply));
            }
            match answer.await {
                Ok(answer) => {
                    // Revoked meanwhile: the run may not have been live when its version's runs
                    // were cancelled.
                    if self.cell.version.is_revoked() {
                        self.cancel();
                    }
                    return answer;
                }
                // The run ended before it read the request: its next episode takes it.
                Err(_) => drop(self.outcome().await),
            }
        }
    }

    /// Why the run's version takes no pin.
    fn unpinned(&self) -> RetryError {
        let (graph, version) = (self.graph().clone(), self.version());
        match self.cell.version.is_revoked() {
            true => RetryError::VersionRevoked { graph, version },
            false => RetryError::VersionGone { graph, version },
        }
    }
}

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
        let states = accepted.as_ref().map(|taken| states_of(taken));
        let mut answer = states.map_err(Clone::clone);
        if let (Ok(_), Some(journal)) = (&accepted, self.cell.journal.clone()) {
            journal.reopen();
            journal.retry(what, id);
            if let Err(error) = journal.flush().await {
                self.not_saved(&error, myself).await?;
                if self.cell.machine.lock().stop_reason() == Some(Stop::Parked) {
                    // The run goes on from what is on record, which does not know of it.
                    answer = Err(RetryError::Journal(error));
                }
            }
        }
        // A caller that does not wait for the answer has its retry all the same.
        let _ = reply.send(answer);
        let Ok(taken) = accepted else { return self.settle_if_idle(myself).await };
        self.cell.announce(EventKind::RunStarted);
        for taken in taken {
            let id = xxh3_64(id.as_bytes());
            match &self.unites {
                Some(unites) => unites.cast(UnitesMessage::Reopen(taken, id))?,
                None => myself.cast(RunMessage::Reopened(taken.execution, id, Box::default()))?,
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

/// The states that a retry took back.
fn states_of(taken: &[TakenBack]) -> Vec<StateId> {
    let states = taken.iter().flat_map(TakenBack::all).map(|execution| execution.state);
    let mut states: Vec<_> = states.collect();
    states.sort_unstable();
    states
}
