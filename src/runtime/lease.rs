//! What a run takes of the runtime while an episode of it is open: a place among the live runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Inner, StartError};
use crate::id::{GraphName, RunId};
use crate::run::{Lessor, Run, RunCell};

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
        Ok(Place { _permit: Some(permit), _live: live })
    }

    /// A place for a run that comes back from its journal: it was accepted before, and needs no permit.
    pub(super) fn take_place_of_run(&self) -> Option<Place> {
        let live = self.tracker.token();
        if self.closing.load(Ordering::SeqCst) {
            return None;
        }
        Some(Place { _permit: self.permits.clone().try_acquire_owned().ok(), _live: live })
    }

    /// Waits until no place is taken, and nobody is about to take one for a stranded run.
    pub(super) async fn settled(&self) {
        self.take_ups.wait().await;
        self.tracker.wait().await;
    }

    /// What a run takes while an episode is open; the first one has its place already.
    pub(super) fn lease(
        &self,
        run: RunId,
        key: Option<(GraphName, String)>,
        first: Option<Place>,
    ) -> Arc<Lessor> {
        let (inner, first) = (self.myself.clone(), Mutex::new(first));
        Arc::new(move |cell| {
            let Some(inner) = inner.upgrade() else { return Some(Box::new(())) };
            let first = first.lock().take();
            let place = first.or_else(|| inner.take_place_again(cell))?;
            Some(Box::new(RunLease { _place: place, ended: Some((run, key.clone())), inner }))
        })
    }

    /// A place for the next episode of a run that was accepted before: it needs no permit.
    fn take_place_again(&self, cell: &Arc<RunCell>) -> Option<Place> {
        let place = self.take_place_of_run()?;
        let run = Run::of(cell.clone());
        self.ended.lock().take_back(run.id());
        // It may have been forgotten: a shutdown has to find it.
        self.runs.insert(run.id(), run);
        Some(place)
    }
}

/// A place among the live runs; given back by dropping it.
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    _live: TaskTrackerToken,
}

struct RunLease {
    _place: Place,
    ended: Option<(RunId, Option<(GraphName, String)>)>,
    inner: Arc<Inner>,
}

impl Drop for RunLease {
    fn drop(&mut self) {
        if let Some((run, key)) = self.ended.take() {
            self.inner.keep_ended(run, key);
        }
    }
}
