//! Runs of the journal that this process cannot go on with, and what can be done about them.

use std::collections::BTreeMap;

use super::keeper::Keeper;
use super::recovery::{Found, StrandedReason};
use super::{Inner, Runtime};
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::{JournalError, RunRow};
use crate::run::Run;

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

impl Runtime {
    /// The runs of the journal that have not ended and that this process cannot go on with.
    ///
    /// They keep their places in the journal; nothing is lost. [`resume`](Self::resume) tries again
    /// when what was missing is there.
    #[must_use]
    pub fn stranded(&self) -> Vec<StrandedRun> {
        let stranded = self.inner.stranded.lock();
        stranded.values().map(|(_, stranded)| stranded.clone()).collect()
    }

    /// Tries again to go on with a stranded run.
    ///
    /// # Errors
    ///
    /// Why it still cannot go on; [`StrandedReason::NotStranded`] if no stranded run has that id.
    pub async fn resume(&self, run: RunId) -> Result<Run, StrandedReason> {
        let inner = &self.inner;
        let known = inner.stranded.lock().remove(&run);
        let (Some((row, _)), Some(keeper)) = (known, &inner.keeper) else {
            return Err(StrandedReason::NotStranded);
        };
        Ok(inner.take_up_or_strand(keeper, row).await?.go_on().await)
    }
}

impl Inner {
    /// Goes on with every run that has not ended; what cannot go on is stranded.
    pub(super) async fn take_up_all(&self, keeper: &Keeper) -> Result<(), JournalError> {
        let mut found = BTreeMap::new();
        for row in keeper.unfinished().await? {
            let run = row.run;
            // One that is stranded is listed with the others.
            found.extend(self.take_up_or_strand(keeper, row).await.ok().map(|found| (run, found)));
        }
        for child in found.values().filter(|child| self.is_orphan(child, &found)) {
            child.run.cancel();
        }
        // When all of them are known: those of sub-graph nodes look for their children.
        for found in found.into_values() {
            drop(found.go_on().await);
        }
        Ok(())
    }

    /// Whether nobody waits for the run of a sub-graph node any more, who ought to have stopped it.
    fn is_orphan(&self, child: &Found, found: &BTreeMap<RunId, Found>) -> bool {
        let Some(parent) = child.parent else { return false };
        match found.get(&parent.run()) {
            Some(above) => !above.awaits(parent.attempt),
            None => !self.stranded.lock().contains_key(&parent.run()),
        }
    }

    /// Why a run that has not ended does not go on.
    pub(super) fn why_stranded(&self, run: RunId) -> StrandedReason {
        let stranded = self.stranded.lock();
        let found = stranded.get(&run).map(|(_, stranded)| stranded.reason.clone());
        found.unwrap_or(StrandedReason::NotStranded)
    }

    async fn take_up_or_strand(
        &self,
        keeper: &Keeper,
        row: RunRow,
    ) -> Result<Found, StrandedReason> {
        let taken = self.take_up(keeper, row.clone()).await;
        if let Err(reason) = &taken {
            let stranded = StrandedRun {
                run: row.run,
                graph: row.graph.clone(),
                version: row.version,
                reason: reason.clone(),
            };
            self.stranded.lock().insert(row.run, (row, stranded));
        }
        taken
    }

    /// Goes on with the stranded runs of a graph: it may have what they lacked.
    pub(super) async fn take_up_stranded(&self, graph: &GraphName) {
        let Some(keeper) = &self.keeper else { return };
        let of_graph: Vec<_> = {
            let mut stranded = self.stranded.lock();
            let runs: Vec<_> = stranded.values().map(|(row, _)| row).collect();
            let runs = runs.into_iter().filter(|row| row.graph == *graph).map(|row| row.run);
            let runs: Vec<_> = runs.collect();
            runs.iter().filter_map(|run| stranded.remove(run)).collect()
        };
        for (row, _) in of_graph {
            // One that is stranded still is listed with the others again.
            if let Ok(found) = self.take_up_or_strand(keeper, row).await {
                drop(found.go_on().await);
            }
        }
    }
}
