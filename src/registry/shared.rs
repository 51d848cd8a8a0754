//! What the registry's actor writes and everybody reads.

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::version::{AuditLog, Restored, Snapshot};

/// The routing and its history; only the registry's actor changes them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub routing: ArcSwap<Snapshot>,
    pub audit: Mutex<AuditLog>,
    #[cfg(feature = "metrics")]
    pub totals: super::totals::Totals,
}

impl Shared {
    /// What a journal had.
    pub(super) fn of(restored: &Restored) -> Self {
        Self {
            routing: ArcSwap::from_pointee(restored.snapshot.clone()),
            audit: Mutex::new(restored.audit.clone()),
            #[cfg(feature = "metrics")]
            totals: super::totals::Totals::default(),
        }
    }
}
