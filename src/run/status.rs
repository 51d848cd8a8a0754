//! The statuses of states and runs, and how the one follows from the other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a state is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum StateStatus {
    /// It exists; its inputs are made.
    Created,
    /// Its attempt was handed to a lane.
    Queued,
    /// The handler returned; its children are being made.
    Executed,
    /// Its children exist, or it has none.
    Success,
    /// Its last attempt failed.
    Errored,
    /// Its children could not be made: a field was missing or null.
    NextCreatedError,
    /// The handler ended the branch.
    Pruned,
    /// Its attempt failed, and another one was made.
    RetryCreated,
    /// Its last attempt ran out of time.
    TimedOut,
    /// The run was cancelled before it ended.
    Cancelled,
    /// It can no longer run: a merger whose group went wrong, or a condition that did not hold.
    Skipped,
}

impl StateStatus {
    /// Every status, in the order of a state's life.
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Queued,
        Self::Executed,
        Self::Success,
        Self::Errored,
        Self::NextCreatedError,
        Self::Pruned,
        Self::RetryCreated,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The name in documents and events, such as `NEXT_CREATED_ERROR`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Queued => "QUEUED",
            Self::Executed => "EXECUTED",
            Self::Success => "SUCCESS",
            Self::Errored => "ERRORED",
            Self::NextCreatedError => "NEXT_CREATED_ERROR",
            Self::Pruned => "PRUNED",
            Self::RetryCreated => "RETRY_CREATED",
            Self::TimedOut => "TIMED_OUT",
            Self::Cancelled => "CANCELLED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// Whether nothing follows this status but a manual retry.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Created | Self::Queued | Self::Executed)
    }

    /// Whether a state that ended so makes its run `FAILED`.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Errored | Self::NextCreatedError | Self::TimedOut)
    }
}

impl fmt::Display for StateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a run stands, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RunStatus {
    /// It has states that have not ended.
    Running,
    /// It holds new states back.
    Paused,
    /// Every state ended, and none of them as a failure that nobody handled.
    Success,
    /// A state ended as a failure that no merger tolerates.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It ran out of time.
    TimedOut,
    /// It left the process with what it takes to go on in its journal: a runtime that opens the
    /// journal goes on with it.
    Parked,
}

impl RunStatus {
    /// The name in documents and events, such as `TIMED_OUT`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
            Self::Parked => "PARKED",
        }
    }

    /// The status that follows from how many states have which status.
    ///
    /// A state that has not ended keeps the run going; else a failure makes it `FAILED`.
    #[must_use]
    pub fn of(counts: impl IntoIterator<Item = (StateStatus, u64)>) -> Self {
        let (mut is_live, mut has_failed) = (false, false);
        for (status, _) in counts.into_iter().filter(|(_, count)| *count > 0) {
            is_live |= !status.is_terminal();
            has_failed |= status.is_failure();
        }
        match (is_live, has_failed) {
            (true, _) => Self::Running,
            (false, true) => Self::Failed,
            (false, false) => Self::Success,
        }
    }

    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Paused | Self::Parked)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
