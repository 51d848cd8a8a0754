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
    /// The runtime was shut down, or is gone; the label stays as it is, until the next process that
    /// opens the journal takes back what nobody has confirmed.
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
        f.write_str(self.word())?;
        self.why().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

impl RolloutEnd {
    /// How it ended, without why.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted(_) => "aborted",
            Self::RolledBack(_) => "rolled back",
            Self::Superseded(_) => "superseded",
            Self::Stranded(_) => "stranded",
            Self::ShutDown => "shut down",
        }
    }

    /// Why, unless it says so itself.
    pub(crate) const fn why(&self) -> Option<&Arc<str>> {
        match self {
            Self::Completed | Self::ShutDown => None,
            Self::Aborted(why)
            | Self::RolledBack(why)
            | Self::Superseded(why)
            | Self::Stranded(why) => Some(why),
        }
    }
}
