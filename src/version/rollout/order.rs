//! What is done with a rollout, by a person or by itself.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use super::phase::RolloutEnd;

/// What a rollout can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RolloutOrder {
    Promote,
    Abort,
    Pause,
    Resume,
    Skip,
    Confirm,
}

/// What happens with a rollout: each is a command of its own on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RolloutAct {
    /// By a plan, in words: it tells the beginning from others, and is not put on record.
    Begin(Arc<str>),
    Order(RolloutOrder),
    /// It moves the label by itself: a step is over, a delay, or a gate has failed.
    Move,
    End(RolloutEnd),
}

impl fmt::Display for RolloutOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Skip => "skip",
            Self::Confirm => "confirm",
        })
    }
}
