//! The signals that stop and hold back a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The signals of a run, seen by lanes between branches; a child run's follow its parent's.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub cancelled: CancellationToken,
    paused: AtomicBool,
    children: Mutex<Vec<Weak<Control>>>,
    /// Woken when a lane should look again.
    pub changed: Notify,
}

impl Control {
    /// Signals that follow those of the run that starts this one.
    pub(crate) fn below(parent: &Arc<Self>) -> Arc<Self> {
        let child = Arc::new(Self {
            cancelled: parent.cancelled.child_token(),
            paused: AtomicBool::new(parent.is_paused()),
            ..Self::default()
        });
        let mut children = parent.children.lock();
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child));
        child
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Holds new states back, or lets them go on; says whether that changed anything.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        let was = self.paused.swap(paused, Ordering::Relaxed);
        self.changed.notify_waiters();
        let children: Vec<_> = self.children.lock().iter().filter_map(Weak::upgrade).collect();
        for child in children {
            child.set_paused(paused);
        }
        was != paused
    }
}
