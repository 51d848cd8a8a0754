//! How the rollouts stand and what their gates said, for metrics.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::directory::{Place, Rollouts};
use crate::version::{RolloutPhase, Verdict};

/// The verdicts, in the order of their counts.
const VERDICTS: [&str; 4] = ["pass", "fail", "inconclusive", "error"];

/// How often the gates of each label's rollouts said what; the gravest counts, each time.
#[derive(Debug, Default)]
pub(super) struct VerdictCounts {
    places: Mutex<HashMap<Place, [u64; VERDICTS.len()]>>,
}

/// The latest rollout of a label, and the verdicts on all of them.
#[derive(Clone, Debug)]
pub(crate) struct RolloutReading {
    pub place: Place,
    pub phase: RolloutPhase,
    pub verdicts: [(&'static str, u64); VERDICTS.len()],
}

impl VerdictCounts {
    pub(super) fn count(&self, place: &Place, verdict: &Verdict) {
        let at = match verdict {
            Verdict::Pass => 0,
            Verdict::Fail(_) => 1,
            Verdict::Inconclusive(_) => 2,
            Verdict::Error(_) => 3,
        };
        self.places.lock().entry(place.clone()).or_default()[at] += 1;
    }

    /// The label is gone, or its rollouts are long over: its counts begin anew.
    pub(super) fn forget(&self, place: &Place) {
        self.places.lock().remove(place);
    }
}

impl Rollouts {
    /// The latest rollout of each label, in no order.
    pub(crate) fn readings(&self) -> Vec<RolloutReading> {
        let statuses = self.statuses();
        let counts = self.verdicts.places.lock();
        let readings = statuses.into_iter().map(|status| {
            let place = (status.graph, status.label);
            let counts = counts.get(&place).copied().unwrap_or_default();
            let verdicts = std::array::from_fn(|at| (VERDICTS[at], counts[at]));
            RolloutReading { place, phase: status.phase, verdicts }
        });
        readings.collect()
    }
}
