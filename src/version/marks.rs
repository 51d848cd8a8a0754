//! What was said about a version after it was published: approvals, holds, reverts, tags.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Who gave a command, why and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// Who gave it, if that was said.
    pub by: Option<Arc<str>>,
    /// Why, if that was said.
    pub reason: Option<Arc<str>>,
    /// When it was carried out, on the runtime's clock.
    pub at: Timestamp,
    /// Whether a rollout gave it by itself; `by` is then who began the rollout.
    pub is_automatic: bool,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.as_deref().unwrap_or("nobody named");
        match self.is_automatic {
            true => write!(f, "by the rollout that was begun by {by}")?,
            false => write!(f, "by {by}")?,
        }
        match &self.reason {
            Some(reason) => write!(f, ", because: {reason}"),
            None => Ok(()),
        }
    }
}

/// Whether a version may take a route that asks for approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Approval {
    /// Nobody has asked for it.
    #[default]
    Unasked,
    /// It waits in the queue.
    Pending,
    /// It was given.
    Approved(Arc<Note>),
    /// It was refused.
    Rejected(Arc<Note>),
}

/// What was said about a version after it was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Marks {
    /// Whether it was approved.
    pub approval: Approval,
    /// A label has taken it back: no label takes it until the mark is cleared.
    ///
    /// Another label that has it keeps it, and goes on to lead there: whether it is bad there, too, is
    /// for who owns that label to say.
    pub reverted: Option<Arc<Note>>,
    /// It must not retire.
    pub held: Option<Arc<Note>>,
    /// It was confirmed, or a rollout that promoted it watched it to the end.
    pub proven: Option<Arc<Note>>,
    /// Nothing starts on it any more.
    pub revoked: Option<Arc<Note>>,
    /// Names for it, such as `stable`.
    pub tags: Arc<BTreeSet<Arc<str>>>,
    /// When it last lost its last route; `None` if it never had one or has not lost it yet.
    pub unrouted_at: Option<Timestamp>,
    /// The longest time for which a label had it as its active version, that of today left out.
    pub active_for: Duration,
}
