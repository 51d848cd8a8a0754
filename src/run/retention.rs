//! Which state records a run keeps.

use super::status::StateStatus;
use crate::id::StateId;

/// Which state records a run keeps; per-node counts by status are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StateRetention {
    /// States with numbers below 10,000; beyond them live, failed and cancelled states.
    #[default]
    Auto,
    /// Every state.
    All,
    /// Live, failed and cancelled states.
    Failures,
    /// No state: a manual retry is then not possible.
    None,
}

/// How many states `Auto` keeps whole.
const AUTO_KEEPS: u64 = 10_000;

impl StateRetention {
    /// Whether the record of a state that ended as `status` is kept.
    #[inline]
    pub(crate) fn keeps(self, state: StateId, status: StateStatus) -> bool {
        let failure = Self::keeps_failure(status);
        match self {
            Self::All => true,
            Self::Auto => state.0 < AUTO_KEEPS || failure,
            Self::Failures => failure,
            Self::None => false,
        }
    }

    /// Whether a state that ended as `status` is one that `Failures` keeps.
    #[inline]
    pub(crate) fn keeps_failure(status: StateStatus) -> bool {
        status.is_failure() || status == StateStatus::Cancelled
    }

    /// Whether the records of live states are listed.
    pub(crate) fn keeps_live(self) -> bool {
        self != Self::None
    }
}

/// How much a run that has ended keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Keeps {
    /// State records, at most.
    pub records: usize,
    /// Outputs, failures and skips.
    pub reports: usize,
}
