//! What a run takes of the runtime while an episode of it is open: a place among the live runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Inner, StartError};
use crate::run::{Host, Place, Run, RunCell};

impl Inner {
    /// A place among the live runs.
    pub(super) fn take_place(&self) -> Result<Place, StartError> {
        // Counted before the flag is read: a shutdown that this start does not see waits for it.
        let live = self.tracker.token();
        if self.closing.load(Ordering::SeqCst) {
            return Err(StartError::ShuttingDown);
        }
        let permit = self.permits.clone().try_acquire_owned();
        let limit = self.settings.max_runs;
        let permit = permit.map_err(|_| StartError::Overloaded { limit })?;
        Ok(Place::new(Some(permit), live))
    }

    /// A place for a run that comes back from its journal: it was accepted before, and needs no permit.
    pub(super) fn take_place_of_run(&self) -> Option<Place> {
        let live = self.tracker.token();
        if self.closing.load(Ordering::SeqCst) {
            return None;
        }
        Some(Place::new(self.permits.clone().try_acquire_owned().ok(), live))
    }

    /// Waits until no place is taken, and nobody is about to take one for a stranded run.
    pub(super) async fn settled(&self) {
        self.take_ups.wait().await;
        self.tracker.wait().await;
    }
}

impl Host for Inner {
    fn place_again(&self, cell: &Arc<RunCell>) -> Option<Place> {
        let place = self.take_place_of_run()?;
        let run = Run::of(cell.clone());
        self.ended.lock().take_back(run.id());
        // It may have been forgotten: a shutdown has to find it.
        self.runs.insert(run.id(), run);
        Some(place)
    }

    fn ended(&self, cell: &Arc<RunCell>) {
        self.keep_ended(&Run::of(cell.clone()));
    }
}
