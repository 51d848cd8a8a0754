//! Whether a run has ended, and how: for whoever waits.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::outcome::Outcome;

/// The outcome of a run, once there is one.
#[derive(Default)]
pub(crate) struct Ending {
    outcome: Mutex<Option<Arc<Outcome>>>,
    ended: Notify,
}

impl Ending {
    /// Tells those who wait how the run ended.
    pub(crate) fn end(&self, outcome: Arc<Outcome>) {
        *self.outcome.lock() = Some(outcome);
        self.ended.notify_waiters();
    }

    /// The run goes on.
    pub(crate) fn reopen(&self) {
        *self.outcome.lock() = None;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.outcome.lock().is_some()
    }

    /// Waits for the end.
    pub(crate) async fn outcome(&self) -> Arc<Outcome> {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // Registered before the outcome is read: an end in between is not missed.
            ended.as_mut().enable();
            if let Some(outcome) = self.outcome.lock().clone() {
                return outcome;
            }
            ended.await;
        }
    }
}
