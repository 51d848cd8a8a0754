//! The signals that stop and hold back a run.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::until::until;

/// The signals of a run, seen by lanes between branches; a child run's follow its parent's.
#[derive(Default)]
pub(crate) struct Control {
    is_cancelled: AtomicBool,
    /// Whether the run is stopped here only to go on elsewhere.
    is_parked: AtomicBool,
    cancel: Notify,
    paused: AtomicBool,
    watcher: OnceLock<Weak<dyn PauseWatcher>>,
    /// Whether the signals follow those of another run, or are going to.
    is_below: AtomicBool,
    children: Mutex<Vec<Weak<Control>>>,
    /// Whether the run tells its end, after which nothing else is told of it.
    is_over: RwLock<bool>,
    /// Woken when a lane should look again.
    pub changed: Notify,
}

/// Who is told when a run is paused or goes on, by itself or with its parent.
pub(crate) trait PauseWatcher: Send + Sync {
    fn paused(&self, paused: bool);
}

impl Control {
    /// Signals that follow those of the run that starts this one.
    pub(crate) fn below(parent: &Arc<Self>) -> Arc<Self> {
        let mut children = parent.children.lock();
        // Read under the lock: a change that is not seen here finds the child in the list.
        let child = Arc::new(Self {
            is_cancelled: AtomicBool::new(parent.is_cancelled()),
            is_parked: AtomicBool::new(parent.is_parked()),
            paused: AtomicBool::new(parent.is_paused()),
            is_below: AtomicBool::new(true),
            ..Self::default()
        });
        add(&mut children, &child);
        child
    }

    /// Has the signals of a run that came back follow those of the run that waits for it.
    pub(crate) fn adopt(&self, child: &Arc<Self>) {
        child.expect_parent();
        let mut children = self.children.lock();
        add(&mut children, child);
        // As in `below`.
        child.set_paused(self.is_paused());
        if self.is_parked() {
            child.set_parked();
        }
        if self.is_cancelled() {
            child.cancel();
        }
    }

    /// The signals are going to follow those of a run that is not here yet.
    pub(crate) fn expect_parent(&self) {
        self.is_below.store(true, Ordering::Relaxed);
    }

    /// Whether another run can stop this one.
    pub(crate) fn is_below(&self) -> bool {
        self.is_below.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        let is_cancelled = self.is_cancelled.load(Ordering::Relaxed);
        if is_cancelled {
            // Partner: the store in `cancel`. Whoever sees a child stopped sees its parent stopped, too.
            fence(Ordering::Acquire);
        }
        is_cancelled
    }

    /// Stops the run, then those it started.
    pub(crate) fn cancel(&self) {
        // Partner: the fence in `is_cancelled`.
        self.is_cancelled.store(true, Ordering::Release);
        self.cancel.notify_waiters();
        for child in self.children() {
            child.cancel();
        }
    }

    /// Whether the run, and those it started, go on elsewhere.
    pub(crate) fn is_parked(&self) -> bool {
        self.is_parked.load(Ordering::Relaxed)
    }

    /// Stops the run, then those it started, here; they go on elsewhere.
    pub(crate) fn park(&self) {
        // Whoever is woken by the cancel finds it.
        self.set_parked();
        self.cancel();
    }

    fn set_parked(&self) {
        self.is_parked.store(true, Ordering::Relaxed);
        for child in self.children() {
            child.set_parked();
        }
    }

    /// Ends when the run is cancelled.
    pub(crate) async fn cancelled(&self) {
        until(&self.cancel, || self.is_cancelled()).await;
    }

    fn children(&self) -> Vec<Arc<Self>> {
        self.children.lock().iter().filter_map(Weak::upgrade).collect()
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Ends when new states are not held back.
    pub(crate) async fn resumed(&self) {
        until(&self.changed, || !self.is_paused()).await;
    }

    /// Tells something of the run, unless its end is told: that comes last.
    pub(crate) fn tell(&self, tell: impl FnOnce()) {
        // Held meanwhile: whoever tells the end waits for it.
        let is_over = self.is_over.read();
        if !*is_over {
            tell();
        }
    }

    /// Nothing is told of the run any more: what code that was left behind still does is nobody's.
    pub(crate) fn hush(&self) {
        *self.is_over.write() = true;
    }

    /// Sets who is told of pauses.
    pub(crate) fn announce_to(&self, watcher: Weak<dyn PauseWatcher>) {
        // Those of one run all are its own.
        let _ = self.watcher.set(watcher);
    }

    /// Holds new states back, or lets them go on.
    pub(crate) fn set_paused(&self, paused: bool) {
        // Locked until all of them are told: of a pause and a resume at once, the run and those it
        // started keep the same one.
        let children = self.children.lock();
        let was = self.paused.swap(paused, Ordering::Relaxed);
        self.changed.notify_waiters();
        let watcher = self.watcher.get().filter(|_| was != paused);
        if let Some(watcher) = watcher.and_then(Weak::upgrade) {
            self.tell(|| watcher.paused(paused));
        }
        for child in children.iter().filter_map(Weak::upgrade) {
            child.set_paused(paused);
        }
    }
}

/// Adds a child to the others, of which those that are gone are forgotten at times: not for each, which
/// would look through all of them.
fn add(children: &mut Vec<Weak<Control>>, child: &Arc<Control>) {
    if children.len() == children.capacity() {
        children.retain(|child| child.strong_count() > 0);
        children.reserve(children.len() + 1);
    }
    children.push(Arc::downgrade(child));
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("cancelled", &self.is_cancelled())
            .field("paused", &self.is_paused())
            .finish_non_exhaustive()
    }
}
