//! The signals that stop and hold back a run.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// The signals of a run, seen by lanes between branches; a child run's follow its parent's.
#[derive(Default)]
pub(crate) struct Control {
    /// What `token` says, without its lock: lanes look between branches.
    is_cancelled: AtomicBool,
    token: CancellationToken,
    paused: AtomicBool,
    announce: OnceLock<Box<dyn Fn(bool) + Send + Sync>>,
    /// Whether the signals follow those of another run.
    is_below: bool,
    children: Mutex<Vec<Weak<Control>>>,
    /// Woken when a lane should look again.
    pub changed: Notify,
}

impl Control {
    /// Signals that follow those of the run that starts this one.
    pub(crate) fn below(parent: &Arc<Self>) -> Arc<Self> {
        let mut children = parent.children.lock();
        // Read under the lock: a change that is not seen here finds the child in the list.
        let child = Arc::new(Self {
            is_cancelled: AtomicBool::new(parent.is_cancelled()),
            paused: AtomicBool::new(parent.is_paused()),
            is_below: true,
            ..Self::default()
        });
        if child.is_cancelled() {
            child.token.cancel();
        }
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child));
        child
    }

    /// Whether another run can stop this one.
    pub(crate) const fn is_below(&self) -> bool {
        self.is_below
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Stops the run and those it started.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.token.cancel();
        for child in self.children() {
            child.cancel();
        }
    }

    /// Ends when the run is cancelled.
    pub(crate) fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    fn children(&self) -> Vec<Arc<Self>> {
        self.children.lock().iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Ends when new states are not held back.
    pub(crate) async fn resumed(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the flag is read: a change in between is not missed.
            changed.as_mut().enable();
            if !self.is_paused() {
                return;
            }
            changed.await;
        }
    }

    /// Who is told when the run is paused or resumed, by itself or with its parent.
    pub(crate) fn announce_to(&self, announce: Box<dyn Fn(bool) + Send + Sync>) {
        // A run's control is announced to once, when the run is made.
        let _ = self.announce.set(announce);
    }

    /// Holds new states back, or lets them go on.
    pub(crate) fn set_paused(&self, paused: bool) {
        let was = self.paused.swap(paused, Ordering::Relaxed);
        self.changed.notify_waiters();
        if let Some(announce) = self.announce.get().filter(|_| was != paused) {
            announce(paused);
        }
        for child in self.children() {
            child.set_paused(paused);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("cancelled", &self.is_cancelled())
            .field("paused", &self.is_paused())
            .finish_non_exhaustive()
    }
}
