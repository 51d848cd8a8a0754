//! A command on versions: who gives it, what it is only carried out under, what it gives back.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use super::Inner;
use crate::id::{GraphName, LabelName, RunId, VersionNumber};
use crate::run::Run;
use crate::version::{
    self, Change, Done, InFlight, LabelChange, Otherwise, Snapshot, Terms, Version, VersionChange,
    VersionError, term_setters,
};

/// How many runs a refusal names.
const NAMED: usize = 20;

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

impl<T> Command<T> {
    fn new(inner: Arc<Inner>, change: Change, give: fn(Done) -> T) -> Self {
        Self { inner, change, terms: Terms::default(), give }
    }

    pub(super) fn under(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    term_setters! {
        terms;
        /// Says who gives the command.
        by,
        /// Names the command: the same one of that name again does nothing and gives the recorded
        /// result, refusals included; another one of that name is refused.
        ///
        /// The latest 10,000 names are remembered.
        request_id,
        /// Carries the command out only if the routing is at this revision.
        if_revision,
    }

    async fn carry_out(self) -> Result<T, VersionError> {
        let Self { inner, mut change, terms, give } = self;
        if let Change::OnVersion { graph, version, change: VersionChange::Retire(blockers) } =
            &mut change
        {
            *blockers = inner.first_blockers(graph, *version).into();
        }
        let stops = Stops::of(&change);
        let is_removal = matches!(&change, Change::OnLabel { change: LabelChange::Remove, .. });
        let done = inner.registry.execute(version::Command { change, terms }).await?;
        if is_removal {
            inner.rollouts.sweep(&inner.registry.snapshot());
        }
        match stops {
            Some(Stops::Pinned(graph, version, in_flight)) => {
                inner.stop_runs(&graph, version, in_flight);
            }
            // Since it was done, a version that was left may have been promoted again on purpose.
            Some(Stops::Left(graph, label, in_flight)) if !done.is_repeat => {
                inner.leave_runs(&graph, &label, done, in_flight);
            }
            _ => {}
        }
        Ok(give(done))
    }
}

/// Whose runs a command may stop.
enum Stops {
    /// Those of a version that is revoked, or that drains and whose time is up.
    Pinned(GraphName, VersionNumber, InFlight),
    /// Those of the version that a label leaves.
    Left(GraphName, LabelName, InFlight),
}

impl Stops {
    fn of(change: &Change) -> Option<Self> {
        match change {
            Change::OnVersion { graph, version, change } => match change {
                VersionChange::Revoke => {
                    Some(Self::Pinned(graph.clone(), *version, InFlight::Cancel))
                }
                VersionChange::Drain(then) => Some(Self::Pinned(graph.clone(), *version, *then)),
                _ => None,
            },
            Change::OnLabel { graph, label, change: LabelChange::Rollback { in_flight, .. } } => {
                Some(Self::Left(graph.clone(), label.clone(), *in_flight))
            }
            _ => None,
        }
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
    /// It is for every run whose start was decided before the rollback, also one that is under way
    /// on another thread. Runs that came by another label, which still leads to that version, go on
    /// in any case.
    pub const fn in_flight(mut self, ordered: InFlight) -> Self {
        if let Change::OnLabel { change: LabelChange::Rollback { in_flight, .. }, .. } =
            &mut self.change
        {
            *in_flight = ordered;
        }
        self
    }

    /// Takes the oldest version that can be started if the target leads to none.
    pub const fn force(mut self) -> Self {
        if let Change::OnLabel { change: LabelChange::Rollback { otherwise, .. }, .. } =
            &mut self.change
        {
            *otherwise = Otherwise::Oldest;
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

    /// A page of them, by their ids.
    pub(super) fn blockers_of(
        &self,
        graph: &GraphName,
        version: VersionNumber,
        after: Option<RunId>,
        limit: usize,
    ) -> Vec<Run> {
        let mut runs = self.live_runs_of(graph, version);
        runs.retain(|run| after.is_none_or(|after| run.id() > after));
        runs.sort_unstable_by_key(Run::id);
        runs.truncate(limit);
        runs
    }

    /// The runs that a refusal names; nobody looks for them if nothing is pinned to the version.
    pub(super) fn first_blockers(&self, graph: &GraphName, version: VersionNumber) -> Vec<RunId> {
        let snapshot = self.registry.snapshot();
        let is_pinned = snapshot.version(graph, version).is_some_and(|it| it.view().live > 0);
        if !is_pinned {
            return Vec::new();
        }
        let live = self.blockers_of(graph, version, None, NAMED);
        let stranded = self.stranded_on(graph, version);
        live.iter().map(Run::id).chain(stranded).take(NAMED).collect()
    }

    /// Stops the runs of a version, but for those that came by a label that still leads to it.
    pub(super) fn stop_runs(&self, graph: &GraphName, version: VersionNumber, in_flight: InFlight) {
        if in_flight == InFlight::Finish {
            return;
        }
        if in_flight == InFlight::Cancel {
            self.sessions.let_go(graph, version);
            self.let_stranded_go(graph, version);
        }
        let snapshot = self.registry.snapshot();
        for run in self.live_runs_of(graph, version) {
            stop(&run, &snapshot, in_flight);
        }
    }

    /// Stops the runs that were decided before a rollback left their version, as `stop_runs` does.
    fn leave_runs(&self, graph: &GraphName, label: &LabelName, done: Done, in_flight: InFlight) {
        let Some(left) = done.left.filter(|_| in_flight != InFlight::Finish) else { return };
        let snapshot = self.registry.snapshot();
        // Ordered before the runs are looked at: a run that is not among them yet finds the order.
        if let Some(version) = snapshot.version(graph, left) {
            version.leave(label, in_flight, done.revision);
        }
        for run in self.live_runs_of(graph, left) {
            // The label may lead there again by now: its runs are stopped all the same.
            match run.decision() {
                decision if decision.revision >= done.revision => {}
                decision if decision.label() == Some(label) => order(&run, in_flight),
                _ => stop(&run, &snapshot, in_flight),
            }
        }
    }

    /// Does to a run that has just become known what was ordered since its start was decided.
    pub(super) fn obey(&self, run: &Run, version: &Version) {
        let decision = run.decision();
        let given = version.order(decision.revision);
        if given == InFlight::Finish {
            return;
        }
        match decision.label().is_some_and(|label| version.was_left_by(label, decision.revision)) {
            true => order(run, given),
            false => stop(run, &self.registry.snapshot(), given),
        }
    }
}

/// Stops a run, unless it came by a label that still leads to its version.
fn stop(run: &Run, snapshot: &Snapshot, in_flight: InFlight) {
    if !snapshot.would_decide(run.graph(), run.decision()) {
        order(run, in_flight);
    }
}

fn order(run: &Run, in_flight: InFlight) {
    match in_flight {
        InFlight::Finish => {}
        InFlight::Pause => run.pause(),
        InFlight::Cancel => run.cancel(),
    }
}
