//! Beginning rollouts, and telling them of the runs that end.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use super::Inner;
use super::versions::Versions;
use crate::id::{GraphName, VersionNumber};
use crate::registry::{Rollout, RolloutRequest};
use crate::run::{Run, RunStatus};
use crate::version::{Decision, Ending, RolloutError, RolloutPlan, RunEnd, Terms, term_setters};

/// A rollout that is about to begin; awaiting it begins it and gives its handle.
///
/// # Errors
///
/// [`RolloutError`] if the label has a rollout under way or cools down, or if the version cannot be
/// its canary: nothing has changed then.
///
/// # Cancel safety
///
/// Dropped before it is polled, it does nothing; dropped later, the rollout begins all the same.
#[must_use = "the rollout begins when this is awaited"]
pub struct BeginRollout {
    inner: Arc<Inner>,
    request: RolloutRequest,
}

impl BeginRollout {
    pub(super) fn new(versions: &Versions, version: VersionNumber, plan: RolloutPlan) -> Self {
        let place = versions.place();
        let request =
            RolloutRequest { place, version, plan, terms: Terms::default(), supersede: false };
        Self { inner: versions.inner().clone(), request }
    }

    term_setters! {
        request.terms;
        /// Says who begins it; what it does by itself later is on record as done by the rollout.
        by,
        /// Names the beginning: the same one of that name again begins nothing, and gives the rollout
        /// that was begun, or the recorded refusal; another command of that name is refused.
        ///
        /// The latest 1,000 rollouts that were begun under a name can be given again. They do not
        /// survive the process: then it is refused as [`Forgotten`](RolloutError::Forgotten).
        request_id,
        /// Begins only if the routing is at this revision.
        if_revision,
    }

    /// Takes the place of a rollout of the label that is under way, or of a canary that was set by
    /// hand, instead of being refused; a version that was promoted meanwhile stays active.
    pub const fn supersede(mut self) -> Self {
        self.request.supersede = true;
        self
    }
}

impl IntoFuture for BeginRollout {
    type Output = Result<Rollout, RolloutError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { inner, request } = self;
        Box::pin(async move {
            let (rollouts, registry) = (inner.rollouts.clone(), inner.registry.clone());
            rollouts.begin(registry, inner.clock.clone(), request).await
        })
    }
}

impl std::fmt::Debug for BeginRollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BeginRollout")
            .field("version", &self.request.version)
            .field("plan", &self.request.plan)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Tells the rollouts that a version refused a start, if they judge by it: no run comes of it.
    pub(super) fn tell_refusal(&self, graph: &GraphName, decision: &Decision) {
        if !self.rollouts.is_idle() {
            let end = RunEnd::refused(self.clock.now());
            self.rollouts.ended(graph, decision.version, decision.revision, end);
        }
    }

    /// Tells the rollouts how a run ended, if they judge by it.
    pub(super) fn tell_rollouts(&self, run: &Run) {
        let ending = match run.first_end() {
            Some(RunStatus::Success) => Ending::Success,
            Some(RunStatus::Failed | RunStatus::TimedOut) => Ending::Failure,
            // A manual retry is the same run once more.
            None => return,
            // It says nothing about the version.
            Some(RunStatus::Running | RunStatus::Paused | RunStatus::Cancelled) => return,
            Some(RunStatus::Parked) => return,
        };
        // A run that began before the rollout has no time, and is not counted.
        let Some(began) = run.began() else { return };
        let now = self.clock.now();
        let end = RunEnd::new(now, now.since(began), ending);
        self.rollouts.ended(run.graph(), run.version(), run.decision().revision, end);
    }
}
