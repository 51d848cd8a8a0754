//! What the registry's actor writes and everybody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use crate::version::{AuditLog, Restored, Snapshot};

/// The routing and its history; only the registry's actor changes them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub routing: CurrentRouting,
    pub audit: Mutex<AuditLog>,
    #[cfg(feature = "metrics")]
    pub totals: super::totals::Totals,
}

/// The routing that starts see.
///
/// The revision is stored before the snapshot that has it. So as long as the revision is that of a
/// snapshot, no snapshot that routes otherwise is there; one with other secrets alone keeps it.
///
/// It shares no cache line: starts would wait for what commands write beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CurrentRouting {
    snapshot: ArcSwap<Snapshot>,
    revision: AtomicU64,
}

impl Shared {
    /// What a journal had.
    pub(super) fn of(restored: &Restored) -> Self {
        Self {
            routing: CurrentRouting::of(restored.snapshot.clone()),
            audit: Mutex::new(restored.audit.clone()),
            #[cfg(feature = "metrics")]
            totals: super::totals::Totals::default(),
        }
    }
}

impl CurrentRouting {
    fn of(snapshot: Snapshot) -> Self {
        let revision = AtomicU64::new(snapshot.revision());
        Self { snapshot: ArcSwap::from_pointee(snapshot), revision }
    }

    /// The snapshot for a moment. No reference is counted: starts on all threads would share the count.
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The snapshot to keep.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether this is the revision, and no other one is about to be.
    pub(crate) fn is_at(&self, revision: u64) -> bool {
        // Pairs with the store in `store`: where the revision is found here, no other routing is there
        // yet, and a pin that was taken before this is seen by the drain that follows.
        self.revision.load(Ordering::SeqCst) == revision
    }

    /// Makes a snapshot visible to starts; only the registry's actor does.
    pub(super) fn store(&self, snapshot: Arc<Snapshot>) {
        self.revision.store(snapshot.revision(), Ordering::SeqCst);
        self.snapshot.store(snapshot);
    }
}
