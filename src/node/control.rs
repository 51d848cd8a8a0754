//! The signals that stop and hold back a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// The signals of a run, seen by lanes between branches; a child run's follow its parent's.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// What `token` says, without its lock: lanes look between branches.
    is_cancelled: AtomicBool,
    token: CancellationToken,
    paused: AtomicBool,
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
            ..Self::default()
        });
        if child.is_cancelled() {
            child.token.cancel();
        }
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child));
        child
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

    /// Holds new states back, or lets them go on; says whether that changed anything.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        let was = self.paused.swap(paused, Ordering::Relaxed);
        self.changed.notify_waiters();
        for child in self.children() {
            child.set_paused(paused);
        }
        was != paused
    }
}
