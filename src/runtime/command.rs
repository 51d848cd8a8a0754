//! A command on versions: who gives it, what it is only carried out under, what it gives back.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use super::Inner;
use crate::id::{GraphName, VersionNumber};
use crate::run::Run;
use crate::version::{self, Change, Done, LabelChange, Terms, VersionChange, VersionError};

/// A command on versions; awaiting it carries it out, in one step that nobody sees half of.
///
/// # Errors
///
/// [`VersionError`] if it is refused: then nothing has changed but the audit log.
///
/// # Cancel safety
///
/// Dropped before it is polled, it does nothing. Dropped later, it is carried out although nobody
/// waits for its answer; what it does to runs in flight may then be left undone.
#[must_use = "a command does nothing until it is awaited"]
pub struct Command<T = Accepted> {
    inner: Arc<Inner>,
    change: Change,
    terms: Terms,
    in_flight: InFlight,
    give: fn(Done) -> T,
}

/// What an accepted command gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The revision of the routing after it.
    pub revision: u64,
}

/// What a rollback gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolledBack {
    /// The version that new runs start on now.
    pub version: VersionNumber,
    /// The version that was left: the active one, or the canary beside it.
    pub left: Option<VersionNumber>,
    /// The revision of the routing after it.
    pub revision: u64,
}

/// What happens to the runs of a version that a rollback leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InFlight {
    /// They finish on their version.
    #[default]
    Finish,
    /// They are paused.
    Pause,
    /// They are cancelled.
    Cancel,
}

impl<T> Command<T> {
    fn new(inner: Arc<Inner>, change: Change, give: fn(Done) -> T) -> Self {
        let in_flight = InFlight::default();
        Self { inner, change, terms: Terms::default(), in_flight, give }
    }

    /// Says who gives the command.
    pub fn by(mut self, by: impl Into<Arc<str>>) -> Self {
        self.terms.by = Some(by.into());
        self
    }

    /// Says why.
    pub fn reason(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.terms.reason = Some(reason.into());
        self
    }

    /// Names the command: the same one of that name again does nothing and gives the recorded
    /// result, refusals included; another one of that name is refused.
    ///
    /// The latest 10,000 names are remembered.
    pub fn request_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.terms.request_id = Some(id.into());
        self
    }

    /// Carries the command out only if the routing is at this revision.
    pub const fn if_revision(mut self, revision: u64) -> Self {
        self.terms.if_revision = Some(revision);
        self
    }

    async fn carry_out(self) -> Result<T, VersionError> {
        let Self { inner, change, terms, in_flight, give } = self;
        let stops = match &change {
            Change::OnVersion { graph, version, change: VersionChange::Revoke } => {
                Some((graph.clone(), Some(*version), InFlight::Cancel))
            }
            Change::OnLabel { graph, .. } => Some((graph.clone(), None, in_flight)),
            _ => None,
        };
        let done = inner.registry.execute(version::Command { change, terms }).await?;
        if let Some((graph, version, in_flight)) = stops
            && let Some(version) = version.or(done.left)
            // Since it was done, a version that was left may have been promoted again on purpose.
            && (!done.is_repeat || done.left.is_none())
        {
            inner.stop_runs(&graph, version, in_flight);
        }
        Ok(give(done))
    }
}

impl Command<Accepted> {
    pub(super) fn accepted(inner: &Arc<Inner>, change: Change) -> Self {
        Self::new(inner.clone(), change, |done| Accepted { revision: done.revision })
    }
}

impl Command<RolledBack> {
    pub(super) fn rolled_back(inner: &Arc<Inner>, change: Change) -> Self {
        Self::new(inner.clone(), change, |done| RolledBack {
            version: done.version.expect("a rollback leads to a version"),
            left: done.left,
            revision: done.revision,
        })
    }

    /// Says what happens to the runs of the version that is left; they finish unless told.
    ///
    /// Runs that came by another label, which still leads to that version, go on in any case.
    /// So may one whose start is under way on another thread at that moment.
    pub const fn in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Takes the oldest version that can be started if the target leads to none.
    pub const fn force(mut self) -> Self {
        if let Change::OnLabel { change: LabelChange::Rollback { force, .. }, .. } =
            &mut self.change
        {
            *force = true;
        }
        self
    }
}

impl<T: 'static> IntoFuture for Command<T> {
    type Output = Result<T, VersionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl<T> std::fmt::Debug for Command<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({}, {:?})", self.change, self.terms)
    }
}

impl Inner {
    /// The runs of a version that have not ended.
    pub(super) fn live_runs_of(&self, graph: &GraphName, version: VersionNumber) -> Vec<Run> {
        let runs = self.runs.iter().filter(|run| run.version() == version);
        let runs = runs.filter(|run| run.graph() == graph && !run.is_ended());
        runs.map(|run| run.clone()).collect()
    }

    /// Stops the runs of a version, but for those that came by a label that still leads to it.
    pub(super) fn stop_runs(&self, graph: &GraphName, version: VersionNumber, in_flight: InFlight) {
        if in_flight == InFlight::Finish {
            return;
        }
        let snapshot = self.registry.snapshot();
        for run in self.live_runs_of(graph, version) {
            match in_flight {
                _ if snapshot.would_decide(graph, run.decision()) => {}
                InFlight::Pause => run.pause(),
                InFlight::Finish | InFlight::Cancel => run.cancel(),
            }
        }
    }
}
