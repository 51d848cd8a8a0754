//! How far a rollout is, and how it ended.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutPhase {
    /// The version has the share of this step, counted from 0.
    Step(usize),
    /// Every step is over.
    AwaitingPromotion,
    /// It was promoted, and is still watched.
    Baking,
    /// Nothing follows.
    Ended(RolloutEnd),
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RolloutEnd {
    /// The version is the active one, for good.
    Completed,
    /// The version was taken back before it was promoted; the active version was never touched.
    Aborted(Arc<str>),
    /// The promotion was taken back.
    RolledBack(Arc<str>),
    /// Somebody changed the label meanwhile; the rollout let go of it.
    Superseded(Arc<str>),
    /// The promotion was to be taken back, and there is no version to go back to, or the label leaves
    /// that to a person.
    Stranded(Arc<str>),
    /// The runtime was shut down, or is gone; the label stays as it is.
    ShutDown,
}

impl fmt::Display for RolloutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // People count from one, as the metrics do.
            Self::Step(step) => write!(f, "at step {}", step + 1),
            Self::AwaitingPromotion => f.write_str("awaiting promotion"),
            Self::Baking => f.write_str("baking"),
            Self::Ended(end) => write!(f, "{end}"),
        }
    }
}

impl fmt::Display for RolloutEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Aborted(why) => write!(f, "aborted: {why}"),
            Self::RolledBack(why) => write!(f, "rolled back: {why}"),
            Self::Superseded(why) => write!(f, "superseded: {why}"),
            Self::Stranded(why) => write!(f, "stranded: {why}"),
            Self::ShutDown => f.write_str("shut down"),
        }
    }
}
