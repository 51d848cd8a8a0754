//! What was started on a version and how it ended, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::StartRule;

#[cfg(test)]
mod tests;

/// The rules of starts, in the order of their counts.
const RULES: [&str; 4] = ["explicit", "binding", "active", "canary"];

/// The ends of runs, in the order of their counts.
const ENDS: [&str; 4] = ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELLED"];

/// Counts of one version; they only grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    // Statistics: nothing else is read because of them, so every access is relaxed.
    starts: [AtomicU64; RULES.len()],
    ends: [AtomicU64; ENDS.len()],
}

impl Tally {
    /// A run was accepted.
    pub(crate) fn started(&self, rule: &StartRule) {
        let at = match rule {
            StartRule::Explicit => 0,
            StartRule::Binding => 1,
            StartRule::Active { .. } => 2,
            StartRule::Canary { .. } => 3,
        };
        self.starts[at].fetch_add(1, Ordering::Relaxed);
    }

    /// A run has ended with this status.
    pub(crate) fn ended(&self, status: &str) {
        if let Some(at) = ENDS.iter().position(|end| *end == status) {
            self.ends[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many runs were accepted, by rule.
    pub(crate) fn starts(&self) -> [(&'static str, u64); RULES.len()] {
        std::array::from_fn(|at| (RULES[at], self.starts[at].load(Ordering::Relaxed)))
    }

    /// How many runs have ended, by status.
    pub(crate) fn ends(&self) -> [(&'static str, u64); ENDS.len()] {
        std::array::from_fn(|at| (ENDS[at], self.ends[at].load(Ordering::Relaxed)))
    }
}
