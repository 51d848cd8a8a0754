//! What is known of the runs of a rollout: those that started since it began and have ended.
//!
//! A start that a version refused counts as a run of it that failed.

use std::collections::VecDeque;
use std::time::Duration;

use super::comparison::{Comparison, Ending, Ends};
use crate::clock::Timestamp;
use crate::id::VersionNumber;

/// How many ends of each version are remembered one by one: what windows and latencies see.
const RECENT: usize = 4_096;

/// The end of one run, or of a start that the version refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunEnd {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether it ended as `FAILED` or `TIMED_OUT`. Cancelled runs are not counted.
    pub failed: bool,
    /// Whether the version refused the start, for its inputs or its store: no run came of it, which
    /// counts as a failure that took no time.
    pub refused: bool,
}

impl RunEnd {
    pub(crate) fn new(at: Timestamp, took: Duration, ending: Ending) -> Self {
        Self { at, took, failed: ending == Ending::Failure, refused: false }
    }

    pub(super) const fn ending(&self) -> Ending {
        if self.failed { Ending::Failure } else { Ending::Success }
    }

    pub(crate) const fn refused(at: Timestamp) -> Self {
        Self { at, took: Duration::ZERO, failed: true, refused: true }
    }
}

/// The runs of one version that count in a rollout.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    ends: Ends,
    failed_in_a_row: u64,
    recent: VecDeque<RunEnd>,
}

impl Sample {
    fn count(&mut self, end: RunEnd) {
        self.ends.count(end.ending());
        self.failed_in_a_row = if end.failed { self.failed_in_a_row + 1 } else { 0 };
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(end);
    }

    /// All of them since the rollout began.
    #[must_use]
    pub const fn ends(&self) -> Ends {
        self.ends
    }

    /// How many of the latest failed without a success in between.
    #[must_use]
    pub const fn failed_in_a_row(&self) -> u64 {
        self.failed_in_a_row
    }

    /// Those that ended within `window` before `now`, of the latest 4,096.
    pub fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &RunEnd> {
        self.recent.iter().rev().take_while(move |end| now.since(end.at) <= window)
    }
}

#[derive(Clone, Copy, Debug)]
struct Compared {
    candidate: VersionNumber,
    active: VersionNumber,
}

/// What a gate judges by.
#[derive(Clone, Debug)]
pub struct Evidence {
    versions: Compared,
    candidate: Sample,
    active: Sample,
    comparison: Comparison,
    now: Timestamp,
}

impl Evidence {
    pub(crate) fn of(candidate: VersionNumber, active: VersionNumber, now: Timestamp) -> Self {
        Self {
            versions: Compared { candidate, active },
            candidate: Sample::default(),
            active: Sample::default(),
            comparison: Comparison::default(),
            now,
        }
    }

    /// A run that started since the rollout began has ended, or its start was refused.
    pub(crate) fn ended(&mut self, version: VersionNumber, end: RunEnd) {
        if version == self.versions.candidate {
            self.candidate.count(end);
            self.comparison.candidate(end.ending());
        } else if version == self.versions.active {
            self.active.count(end);
            self.comparison.active(end.ending());
        }
    }

    /// The candidate was promoted: the version before it gets no more runs.
    pub(crate) fn promoted(&mut self) {
        self.comparison.close_active(self.active.ends);
    }

    pub(crate) const fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The version that is rolled out.
    #[must_use]
    pub const fn version(&self) -> VersionNumber {
        self.versions.candidate
    }

    /// The version that was active when the rollout began.
    #[must_use]
    pub const fn active_version(&self) -> VersionNumber {
        self.versions.active
    }

    /// Runs of the candidate.
    #[must_use]
    pub const fn candidate(&self) -> &Sample {
        &self.candidate
    }

    /// Runs of the version that was active when the rollout began, over the same time.
    #[must_use]
    pub const fn active(&self) -> &Sample {
        &self.active
    }

    /// Whether the candidate fails more often than that version.
    #[must_use]
    pub const fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// The time of the judgement.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}
