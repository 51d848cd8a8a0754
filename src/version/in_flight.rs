//! What a rollback orders for the runs of the version it leaves, those that are just starting included.
//!
//! Invariants:
//! 1. Whoever orders looks at the live runs afterwards; a start looks for an order after its run is
//!    among them. The lock of the live runs orders the two, so that one of them sees the other.
//! 2. An order is for the starts that were decided before its revision: a version that is promoted
//!    again takes starts as before, and they pay for two loads.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens to the runs of a version that a rollback leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InFlight {
    /// They finish on their version.
    #[default]
    Finish,
    /// They are paused.
    Pause,
    /// They are cancelled.
    Cancel,
}

impl InFlight {
    /// What is done with them.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Finish => "leaving",
            Self::Pause => "pausing",
            Self::Cancel => "cancelling",
        }
    }
}

/// The latest orders for the runs of one version; 0 if there was none.
#[derive(Debug)]
pub struct Orders {
    /// Runs that were decided before this revision are paused.
    paused: AtomicU64,
    /// Runs that were decided before this revision are cancelled.
    cancelled: AtomicU64,
}

impl Default for Orders {
    fn default() -> Self {
        Self { paused: AtomicU64::new(0), cancelled: AtomicU64::new(0) }
    }
}

impl Orders {
    /// Gives an order for the runs that were decided before a revision.
    pub fn give(&self, in_flight: InFlight, revision: u64) {
        let word = match in_flight {
            InFlight::Finish => return,
            InFlight::Pause => &self.paused,
            InFlight::Cancel => &self.cancelled,
        };
        // Commands of several tasks may come out of order: the latest counts.
        word.fetch_max(revision, Ordering::SeqCst);
    }

    /// The order for a run that was decided at a revision.
    pub fn of(&self, revision: u64) -> InFlight {
        let is_before = |word: &AtomicU64| revision < word.load(Ordering::SeqCst);
        if is_before(&self.cancelled) {
            return InFlight::Cancel;
        }
        if is_before(&self.paused) { InFlight::Pause } else { InFlight::Finish }
    }
}
