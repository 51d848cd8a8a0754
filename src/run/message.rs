//! What a run's actor is told.

use ractor::SupervisionEvent;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::batch::RunDelta;
use super::error::RetryError;
use super::execution::Execution;
use super::groups::Groups;
use super::machine::Stop;
use super::take_back::RetryWhat;
use super::unites::{Barriers, Firing, Reopening, Skipping};
use crate::id::StateId;
use crate::journal::JournalError;

/// A message to the actor of a run.
#[derive(Debug)]
pub(crate) enum RunMessage {
    /// A lane reported what ended.
    Reported(Box<Report>),
    /// What the actor itself waits for can go on.
    Woken,
    /// What a lane did cannot be put on record.
    NotSaved(JournalError),
    /// A lane has work to share and not every lane is there.
    Hungry,
    /// A merger's group has settled.
    Fired(Box<Firing>),
    /// A merger can no longer fire.
    MergerSkipped(Box<Skipping>),
    /// The groups of a state that is retried by hand are open again.
    Reopened(Box<Execution>, u64, Box<Reopening>),
    /// Stop the run.
    Stop(Stop),
    /// The run was stopped; attempts under way have the grace to end.
    GraceBegins,
    /// The grace after a stop is over: end, whatever still runs.
    GraceOver,
    /// Retry states by hand.
    Retry(RetryWhat, String, oneshot::Sender<Result<Vec<StateId>, RetryError>>),
    /// The unites actor gave its groups back.
    Closed(Box<Barriers>),
    /// A child ended on its own; everything it had sent is read now.
    ChildGone(String),
}

/// What a lane reports: for the run, and for the unites actor, which the run's actor tells.
#[derive(Debug)]
pub(crate) struct Report {
    pub run: RunDelta,
    pub groups: Groups,
    /// The unit of the run's journal that says so.
    pub unit: Option<u64>,
    /// Bounds the reports under way.
    pub permit: OwnedSemaphorePermit,
}

impl RunMessage {
    /// What an event about a child tells, if the child has ended.
    pub(super) fn of_child(event: SupervisionEvent) -> Option<Self> {
        let what = match event {
            SupervisionEvent::ActorTerminated(..) => "a lane or the join was stopped".to_owned(),
            SupervisionEvent::ActorFailed(_, error) => {
                format!("a lane or the join failed: {error}")
            }
            _ => return None,
        };
        Some(Self::ChildGone(what))
    }
}
