//! How a runtime is shut down: runs get a grace, and those that have not ended then are stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Inner, Runtime};
use crate::id::RunId;
use crate::run::Run;

/// What a shutdown left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "the report says which runs did not end by themselves"]
pub struct ShutdownReport {
    /// Runs that did not end within the grace and were cancelled.
    pub cancelled: Vec<RunId>,
    /// Runs that did not end within the grace and wait in the journal.
    pub parked: Vec<RunId>,
}

/// Whether the grace of a shutdown is over, and which runs it stopped.
#[derive(Default)]
pub(super) struct Grace {
    is_over: AtomicBool,
    stopped: Mutex<ShutdownReport>,
}

impl Runtime {
    /// Refuses new starts, lets runs finish for `grace` with the child runs that they start, parks
    /// those that are on record, cancels the rest, and ends every actor.
    ///
    /// A journal that is away is waited for during the grace alone: runs whose latest steps it does not
    /// take are parked, and go on from what is on record. After the grace come that of the runs that are
    /// cancelled ([`cancel_grace`](super::RuntimeBuilder::cancel_grace)), and with a journal that does not
    /// answer as much again for each of three: what sessions put on record, a commit that is under
    /// way, and giving the journal back.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the runtime closed for starts and the rest to a second call.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        let inner = &self.inner;
        // Later starts and retries see it; earlier ones have their places.
        inner.places.close();
        inner.take_ups.close();
        let patience = inner.clock.sleep(grace);
        tokio::select! {
            biased;
            () = inner.settled() => {}
            () = patience => {
                inner.stop_all();
                // Every run ends within its own grace after a cancel.
                inner.settled().await;
            }
        }
        // What ended is put on record with its session; what is not is found again after a restart.
        inner.sessions.settled(inner.clock.sleep(inner.settings.grace)).await;
        // A command may be under way still.
        inner.hurry();
        let report = inner.grace.report();
        // While the registry still keeps a record of their ends.
        inner.rollouts.stop().await;
        inner.registry.stop().await;
        if let Some(keeper) = &inner.keeper {
            keeper.release().await;
        }
        report
    }
}

impl Inner {
    /// Stops every run that has not ended: the grace is over.
    fn stop_all(&self) {
        self.grace.is_over.store(true, Ordering::SeqCst);
        self.live_top_down().iter().for_each(|run| self.grace.stop(run));
        // Behind that: what cannot be put on record parks a run then, and does not fail it.
        self.hurry();
    }

    /// Has nobody wait any longer for a journal that is away, also who is about to put an end on record.
    fn hurry(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.hurry(self.settings.grace);
        }
    }

    /// Stops a run that goes on from now, if the grace of a shutdown is over.
    ///
    /// The run is among those that are known. Whoever shuts down looks at them after saying so: one of
    /// the two sees the other.
    pub(super) fn obey_shutdown(&self, run: &Run) {
        if self.grace.is_over.load(Ordering::SeqCst) {
            self.grace.stop(run);
        }
    }

    /// The runs that have not ended, those that another one can stop last: it is to stop first, or a
    /// child that ends by this would be a failure of it.
    fn live_top_down(&self) -> Vec<Run> {
        let live = self.runs.iter().filter(|run| !run.is_ended());
        let mut live: Vec<_> = live.map(|run| run.clone()).collect();
        live.sort_by_key(|run| run.control().is_below());
        live
    }
}

impl Grace {
    fn stop(&self, run: &Run) {
        let mut stopped = self.stopped.lock();
        match run.is_durable() {
            true => {
                stopped.parked.push(run.id());
                run.park();
            }
            false => {
                stopped.cancelled.push(run.id());
                run.cancel();
            }
        }
    }

    /// Which runs were stopped, each once.
    fn report(&self) -> ShutdownReport {
        let mut report = std::mem::take(&mut *self.stopped.lock());
        for runs in [&mut report.cancelled, &mut report.parked] {
            runs.sort_unstable();
            runs.dedup();
        }
        report
    }
}
