//! Whether a run has ended, and how: for whoever waits.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::outcome::Outcome;

/// The outcome of a run, once there is one.
#[derive(Default)]
pub(crate) struct Ending(Mutex<Announced>);

#[derive(Default)]
struct Announced {
    outcome: Option<Arc<Outcome>>,
    /// Made by the first who waits: most small runs end before anybody does.
    waiting: Option<Arc<Notify>>,
}

impl Ending {
    /// Tells those who wait how the run ended.
    pub(crate) fn end(&self, outcome: Arc<Outcome>) {
        let mut announced = self.0.lock();
        announced.outcome = Some(outcome);
        let waiting = announced.waiting.take();
        drop(announced);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
    }

    /// The run goes on.
    pub(crate) fn reopen(&self) {
        self.0.lock().outcome = None;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().outcome.is_some()
    }

    /// Waits for the end.
    pub(crate) async fn outcome(&self) -> Arc<Outcome> {
        loop {
            let waiting;
            let ended = {
                let mut announced = self.0.lock();
                if let Some(outcome) = &announced.outcome {
                    return outcome.clone();
                }
                waiting = announced.waiting.get_or_insert_default().clone();
                // Made under the lock: from here on it hears of the end.
                waiting.notified()
            };
            ended.await;
        }
    }
}
