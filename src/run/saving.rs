//! What the actor of a run with a journal puts on record, and what it does when it cannot.

use ractor::{ActorProcessingErr, ActorRef};

use super::actor::RunState;
use super::durable::Durability;
use super::fanout::Alone;
use super::machine::Stop;
use super::message::RunMessage;
use super::status::RunStatus;
use crate::journal::JournalError;

impl RunState {
    /// Begins a run with a journal: nothing of it starts before its start is on record.
    pub(super) async fn begin_on_record(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(journal) = self.cell.journal.clone() else { return Ok(()) };
        let alone = match self.take_begun() {
            Some(alone) => alone,
            None if journal.begin().await.is_err() => {
                // Whoever started it is told, and it leaves nothing behind.
                self.leave(Stop::Parked, myself).await;
                return Ok(());
            }
            None => Box::new(Alone::begin(&self.cell, &self.pool)),
        };
        if alone.is_done() {
            // Its end alone was not on record.
            if let Some(barriers) = alone.into_parts().1 {
                self.cell.keep_groups(barriers);
            }
            self.ending = true;
            self.end(myself).await;
            return Ok(());
        }
        self.set_reminders(myself);
        self.crew(myself, Some(alone)).await
    }

    /// Writes down that the run is being stopped.
    pub(super) fn write_stop(&self) {
        let stop = self.cell.machine.lock().stop_reason();
        if let (Some(journal), Some(stop)) = (&self.cell.journal, stop)
            && stop != Stop::Parked
        {
            journal.stop(stop);
        }
    }

    /// Whether what a merger joins is on record; its group alone, unless every state is.
    pub(super) async fn is_group_saved(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<bool, ActorProcessingErr> {
        let Some(journal) = self.cell.journal.clone() else { return Ok(true) };
        if journal.level != Durability::OnFanoutAndUnites {
            return Ok(true);
        }
        match journal.flush().await {
            Ok(()) => Ok(true),
            Err(error) => self.not_saved(&error, myself).await.map(|()| false),
        }
    }

    /// What was done cannot be put on record: the run fails, or waits in its journal.
    pub(super) async fn not_saved(
        &mut self,
        error: &JournalError,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let stop = match error.is_temporary() {
            true => Stop::Broken(format!("the journal: {error}")),
            false => Stop::Parked,
        };
        let effect = self.cell.machine.lock().stop(stop);
        self.carry_out(effect.into_iter().collect(), myself).await
    }

    /// Puts the end on record; a run that cannot do so is parked.
    pub(super) async fn save_end(&mut self) {
        let cell = self.cell.clone();
        let Some(journal) = &cell.journal else { return };
        let (status, stop) = {
            let machine = cell.machine.lock();
            (machine.status(), machine.stop_reason())
        };
        let saved = match status {
            RunStatus::Parked => journal.flush_now().await,
            _ => journal.end(status, stop).await,
        };
        if saved.is_err() {
            // It goes on after a restart, from what is on record.
            self.end.park();
        }
    }

    /// Ends the run here and now.
    async fn leave(&mut self, stop: Stop, myself: &ActorRef<RunMessage>) {
        // The effect is to stop attempts, and there are none.
        let _ = self.cell.machine.lock().stop(stop);
        self.ending = true;
        self.end(myself).await;
    }
}
