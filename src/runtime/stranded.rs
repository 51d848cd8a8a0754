//! Runs of the journal that this process cannot go on with, and what can be done about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keeper::Keeper;
use super::recovery::{Found, StrandedReason};
use super::{Inner, Runtime};
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::{JournalError, RunRow};
use crate::node::Control;
use crate::run::Run;
use crate::session::Standing;
use crate::version::Pin;

/// A run of the journal that this process cannot go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrandedRun {
    /// The run.
    pub run: RunId,
    /// The graph, as its row says.
    pub graph: GraphName,
    /// The version it is pinned to, as its row says.
    pub version: VersionNumber,
    /// Why it does not go on.
    pub reason: StrandedReason,
}

/// A run that does not go on, with what brings it back.
pub(super) struct Stranded {
    row: RunRow,
    reason: StrandedReason,
    /// Keeps its version, until that is revoked or a drain cancels its runs.
    pin: Option<Pin>,
}

/// What a stranded run does with its version when it cannot go on again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// Somebody wants it to go on.
    Anew,
    /// Nobody asked: a drain may have let the version go.
    AsBefore,
}

impl Stranded {
    fn told(&self) -> StrandedRun {
        let Self { row, reason, .. } = self;
        let (graph, version) = (row.graph.clone(), row.version);
        StrandedRun { run: row.run, graph, version, reason: reason.clone() }
    }

    fn keeps(&self, graph: &GraphName, version: VersionNumber) -> bool {
        self.pin.is_some() && self.row.graph == *graph && self.row.version == version
    }
}

impl Runtime {
    /// The runs of the journal that have not ended and that this process cannot go on with.
    ///
    /// They keep their places in the journal; nothing is lost. [`resume`](Self::resume) tries again
    /// when what was missing is there, and [`give_up`](Self::give_up) ends one that never will go on.
    #[must_use]
    pub fn stranded(&self) -> Vec<StrandedRun> {
        let stranded = self.inner.stranded.lock();
        stranded.values().map(Stranded::told).collect()
    }

    /// Tries again to go on with a stranded run, and with the runs of its sub-graph nodes as the
    /// run asks for them; with that of a sub-graph node, the run that waits for it is tried as well.
    ///
    /// # Errors
    ///
    /// Why it still cannot go on; [`StrandedReason::NotStranded`] if no stranded run has that id.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is polled, it does nothing. Dropped later, it loses only its answer: the run
    /// goes on, or is listed still.
    pub async fn resume(&self, run: RunId) -> Result<Run, StrandedReason> {
        let taken = self.inner.take_up_again(run, Arc::default()).await;
        taken.map_err(|reason| self.inner.shut_down_if_closed(reason))
    }

    /// Ends a stranded run as `CANCELLED`, for every process: its version does not have to be there.
    ///
    /// What it did stays in the journal until it is [deleted](super::Storage::delete). Runs of its
    /// sub-graph nodes that go on are cancelled; stranded ones end as `CANCELLED` when they are
    /// resumed, or are given up like this one.
    ///
    /// # Errors
    ///
    /// [`StrandedReason::NotStranded`] if no stranded run has that id, and why the journal does not
    /// take it otherwise: the run is stranded still.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is polled, it does nothing. Dropped later, it loses only its answer.
    pub async fn give_up(&self, run: RunId) -> Result<(), StrandedReason> {
        let inner = self.inner.clone();
        let given_up = self.inner.take_ups.spawn(async move { inner.give_up_once(run).await });
        // One whose journal has panicked is listed still.
        given_up.await.unwrap_or_else(|_| Err(self.inner.why_stranded(run)))
    }
}

impl Inner {
    /// Ends a run if it is stranded still, and stops those of its sub-graph nodes that went on.
    async fn give_up_once(&self, run: RunId) -> Result<(), StrandedReason> {
        let keeper = self.keeper.as_ref().ok_or(StrandedReason::NotStranded)?;
        let _one_at_a_time = self.taking_up.write().await;
        let row = self.stranded.lock().get(&run).map(|stranded| stranded.row.clone());
        keeper.give_up(row.ok_or(StrandedReason::NotStranded)?).await?;
        self.no_longer_stranded(run);
        let left: Vec<_> =
            self.ahead.lock().extract_if(.., |(_, parent)| parent.run() == run).collect();
        left.iter().filter_map(|(child, _)| self.run_of(*child)).for_each(|child| child.cancel());
        Ok(())
    }

    /// Goes on with every run and session that has not ended; runs that cannot go on are stranded.
    pub(super) async fn take_up_all(&self, keeper: &Keeper) -> Result<(), JournalError> {
        let mut found = BTreeMap::new();
        let rows = keeper.unfinished().await?.into_iter();
        let (sessions, runs): (Vec<_>, Vec<_>) =
            rows.partition(|row| Standing::of(&row.status).is_some());
        for row in runs {
            let run = row.run;
            match self.take_up_or_strand(keeper, row, Arc::default(), Keeping::Anew).await {
                Ok(taken) => drop(found.insert(run, taken)),
                // The others would be stranded as well, one after another.
                Err(StrandedReason::Unreadable(away @ JournalError::Unavailable(_))) => {
                    return Err(away);
                }
                // One that is stranded is listed with the others.
                Err(_) => {}
            }
        }
        let mut turns = Vec::new();
        for row in &sessions {
            turns.extend(self.take_up_session(row).await?);
        }
        self.join(&found);
        go_on_with(found).await;
        self.go_on_with_inputs(turns);
        Ok(())
    }

    pub(super) fn is_stranded(&self, run: RunId) -> bool {
        self.stranded.lock().contains_key(&run)
    }

    /// Keeps a version for what may go on with it later.
    pub(super) fn hold(&self, graph: &GraphName, version: VersionNumber) -> Option<Pin> {
        self.registry.snapshot().version(graph, version).and_then(Pin::hold)
    }

    /// The stranded runs that keep a version.
    pub(super) fn stranded_on(&self, graph: &GraphName, version: VersionNumber) -> Vec<RunId> {
        let stranded = self.stranded.lock();
        let on = stranded.values().filter(|it| it.keeps(graph, version));
        on.map(|stranded| stranded.row.run).collect()
    }

    /// Stranded runs no longer keep a version: they may never go on.
    pub(super) fn let_stranded_go(&self, graph: &GraphName, version: VersionNumber) {
        let mut stranded = self.stranded.lock();
        let on = stranded.values_mut().filter(|it| it.keeps(graph, version));
        let pins: Vec<_> = on.filter_map(|stranded| stranded.pin.take()).collect();
        drop(stranded);
        // What the version holds is not dropped under the lock.
        drop(pins);
    }

    /// Lists a run that does not go on, and keeps its version for it.
    fn strand(&self, row: RunRow, reason: StrandedReason, keeping: Keeping) {
        let (graph, version) = (row.graph.clone(), row.version);
        let mut stranded = self.stranded.lock();
        let was_kept = stranded.get(&row.run).is_none_or(|earlier| earlier.pin.is_some());
        let is_kept = was_kept || keeping == Keeping::Anew;
        let pin = is_kept.then(|| self.hold(&graph, version)).flatten();
        let held = pin.as_ref().map(|pin| pin.version().clone());
        let earlier = stranded.insert(row.run, Stranded { row, reason, pin });
        drop(stranded);
        // What the version holds is not dropped under the lock.
        drop(earlier);
        // Whoever revokes it looks at the stranded runs after saying so: one of the two sees the other.
        if held.is_some_and(|version| version.is_revoked()) {
            self.let_stranded_go(&graph, version);
        }
    }

    fn no_longer_stranded(&self, run: RunId) {
        let listed = self.stranded.lock().remove(&run);
        drop(listed);
    }

    /// Why a run that has not ended does not go on.
    pub(super) fn why_stranded(&self, run: RunId) -> StrandedReason {
        let stranded = self.stranded.lock();
        let found = stranded.get(&run).map(|stranded| stranded.reason.clone());
        found.unwrap_or(StrandedReason::NotStranded)
    }

    /// Why a run does not go on that is not stranded, or for that reason: a shutdown may have parked
    /// it, and it was forgotten.
    pub(super) fn shut_down_if_closed(&self, reason: StrandedReason) -> StrandedReason {
        match reason {
            StrandedReason::NotStranded if self.places.are_closed() => StrandedReason::ShuttingDown,
            reason => reason,
        }
    }

    async fn take_up_or_strand(
        &self,
        keeper: &Keeper,
        row: RunRow,
        signals: Arc<Control>,
        keeping: Keeping,
    ) -> Result<Found, StrandedReason> {
        let taken = self.take_up(keeper, row.clone(), signals).await;
        if let Err(reason) = &taken {
            self.strand(row, reason.clone(), keeping);
        }
        taken
    }

    /// Goes on with a stranded run, which has these signals from then on.
    ///
    /// On a task of its own, which a shutdown waits for: half of it done would be a run that is known
    /// and does not go on.
    pub(super) async fn take_up_again(
        &self,
        run: RunId,
        signals: Arc<Control>,
    ) -> Result<Run, StrandedReason> {
        let Some(inner) = self.myself.upgrade() else { return Err(StrandedReason::ShuttingDown) };
        let taken = self
            .take_ups
            .spawn(async move { inner.take_up_once(run, signals, Keeping::Anew).await });
        // One whose journal has panicked is listed still.
        taken.await.unwrap_or_else(|_| Err(self.why_stranded(run)))
    }

    /// Goes on with a run if it is stranded still, and with the stranded ones that wait for it.
    async fn take_up_once(
        &self,
        run: RunId,
        signals: Arc<Control>,
        keeping: Keeping,
    ) -> Result<Run, StrandedReason> {
        let keeper = self.keeper.as_ref().ok_or(StrandedReason::NotStranded)?;
        let one_at_a_time = self.taking_up.write().await;
        let first = self.take_up_listed(keeper, run, signals, keeping).await?;
        let (run, mut above, mut found) = (first.run.clone(), first.parent, BTreeMap::new());
        found.insert(run.id(), first);
        while let Some(parent) = above {
            // One that is stranded still is listed still, and finds its child when it goes on.
            let taken = self.take_up_listed(keeper, parent.run(), Arc::default(), keeping).await;
            let Ok(taken) = taken else { break };
            above = taken.parent;
            found.insert(parent.run(), taken);
        }
        // While nobody else takes up one above them.
        self.join(&found);
        drop(one_at_a_time);
        go_on_with(found).await;
        Ok(run)
    }

    /// Takes up a run that is stranded still; until it is known to go on, it is listed.
    async fn take_up_listed(
        &self,
        keeper: &Keeper,
        run: RunId,
        signals: Arc<Control>,
        keeping: Keeping,
    ) -> Result<Found, StrandedReason> {
        let row = self.stranded.lock().get(&run).map(|stranded| stranded.row.clone());
        let row = row.ok_or(StrandedReason::NotStranded)?;
        let found = self.take_up_or_strand(keeper, row, signals, keeping).await?;
        self.no_longer_stranded(run);
        Ok(found)
    }

    /// Goes on with the stranded runs of a graph: it may have what they lacked. On one task, as above.
    pub(super) async fn take_up_stranded(&self, graph: &GraphName) {
        let of_graph: Vec<_> = {
            let stranded = self.stranded.lock();
            let rows = stranded.values().map(|stranded| &stranded.row);
            let rows = rows.filter(|row| row.graph == *graph);
            rows.map(|row| row.run).collect()
        };
        // As a rule there is none: nothing is counted then that starts write, too.
        let of_any = (!of_graph.is_empty()).then(|| self.myself.upgrade());
        let Some(inner) = of_any.flatten() else { return };
        let all = async move {
            for run in of_graph {
                // One that is stranded still is listed still.
                drop(inner.take_up_once(run, Arc::default(), Keeping::AsBefore).await);
            }
        };
        // As above.
        let _ = self.take_ups.spawn(all).await;
    }
}

/// Goes on with runs that were taken up together, when all of them are known: those of sub-graph nodes
/// look for their children.
async fn go_on_with(found: BTreeMap<RunId, Found>) {
    for found in found.into_values() {
        drop(found.go_on().await);
    }
}
