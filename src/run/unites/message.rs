//! What the unites actor is told.

use tokio::sync::OwnedSemaphorePermit;

use crate::run::groups::Groups;
use crate::run::take_back::TakenBack;

/// A message to the unites actor of a run.
#[derive(Debug)]
pub(crate) enum UnitesMessage {
    /// A lane reported what ended in groups; the permit bounds the reports under way.
    Reported(Groups, Option<OwnedSemaphorePermit>),
    /// Take a state that is retried by hand out of its groups' causes, and say what is open again.
    Reopen(TakenBack, u64),
    /// The run ended: give the groups back, and stop.
    Close,
}
