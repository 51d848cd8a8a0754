//! What a journal holds, and how room is made in it.

use std::sync::Arc;
use std::time::Duration;

use super::recovery::StrandedReason;
use super::{Inner, Runtime};
use crate::clock::Timestamp;
use crate::id::{GraphName, RunId};
use crate::journal::{JournalError, JournalSize, RunQuery, RunRow};
use crate::run::{HistoryStep, Run, RunView, StateView};
use crate::session::Standing;

/// How many runs are deleted in one commit.
const TOGETHER: usize = 500;

/// The journal of a runtime: what it holds, and how room is made in it.
///
/// # Cancel safety
///
/// Dropping a future that reads changes nothing. Of one that deletes, some runs may be gone; what this
/// process keeps of them stays until it is forgotten like that of other ended runs.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

/// A run as it stood after some of its records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunAt {
    /// When the last of them was written.
    pub at: Timestamp,
    /// How it stood, with counts of states by node and status.
    pub view: RunView,
    /// Its states, in the order they were made.
    pub states: Vec<StateView>,
}

impl Runtime {
    /// The journal, if the runtime has one.
    #[must_use]
    pub fn storage(&self) -> Option<Storage> {
        self.inner.keeper.is_some().then(|| Storage { inner: self.inner.clone() })
    }
}

impl Storage {
    /// The rows of the runs that a query wants, in the order of their starts.
    ///
    /// A session has a row as well, with its id as the key and one of the statuses `SESSION_OPEN`,
    /// `SESSION_BUSY` and `SESSION_FINISHED`.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRow>, JournalError> {
        self.keeper().journal.runs(query).await
    }

    /// A run of the journal, ended or not; its version has to be there, not retired.
    ///
    /// # Errors
    ///
    /// Why the run cannot be read, or [`StrandedReason::UnknownRun`].
    pub async fn load(&self, run: RunId) -> Result<Run, StrandedReason> {
        self.inner.load(self.keeper(), run).await
    }

    /// What a run did, one step for each of its records.
    ///
    /// # Errors
    ///
    /// If the run is unknown, or a record cannot be read.
    pub async fn history(&self, run: RunId) -> Result<Vec<HistoryStep>, StrandedReason> {
        loop {
            let row = self.row(run).await?;
            let read = self.keeper().read_history(&row).await.map_err(StrandedReason::from);
            if !self.was_overtaken(&row, &read).await? {
                return read;
            }
        }
    }

    /// A run as it stood after its first records: `step` of them, all if it has fewer.
    ///
    /// Its handlers are not called. The number of a record is [`HistoryStep::seq`].
    ///
    /// # Errors
    ///
    /// If the run is unknown, a record cannot be read, or the process lacks its version.
    pub async fn load_at(&self, run: RunId, step: u64) -> Result<RunAt, StrandedReason> {
        loop {
            let row = self.row(run).await?;
            let read = self.inner.view_at(self.keeper(), &row, step).await;
            if !self.was_overtaken(&row, &read).await? {
                return read;
            }
        }
    }

    /// Deletes runs that have ended, and says how many; others stay.
    ///
    /// # Errors
    ///
    /// If the journal does not take it; some of the runs may be gone then.
    pub async fn delete(&self, runs: impl IntoIterator<Item = RunId>) -> Result<u64, JournalError> {
        let mut ended = Vec::new();
        for run in runs {
            ended.extend(self.keeper().row(run).await?.filter(|row| row.ended_at.is_some()));
        }
        self.delete_rows(ended).await
    }

    /// Deletes the runs of a graph that have ended but for the latest ones, and says how many;
    /// sessions stay.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    pub async fn keep_latest(
        &self,
        graph: impl Into<GraphName>,
        runs: usize,
    ) -> Result<u64, JournalError> {
        let mut ended = self.runs(&RunQuery::default().graph(graph).ended()).await?;
        ended.retain(|row| Standing::of(&row.status).is_none());
        ended.truncate(ended.len().saturating_sub(runs));
        self.delete_rows(ended).await
    }

    /// Deletes the runs and sessions that ended so long ago or longer, and says how many.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    pub async fn delete_older_than(&self, age: Duration) -> Result<u64, JournalError> {
        let now = self.inner.clock.now();
        let is_old = |row: &RunRow| row.ended_at.is_some_and(|at| now.since(at) >= age);
        let ended = self.runs(&RunQuery::default().ended()).await?;
        self.delete_rows(ended.into_iter().filter(is_old).collect()).await
    }

    /// Gives free space inside the store back.
    ///
    /// # Errors
    ///
    /// If the journal does not take it.
    pub async fn vacuum(&self) -> Result<(), JournalError> {
        let keeper = self.keeper();
        keeper.journal.vacuum(keeper.epoch).await
    }

    /// How much the journal holds.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub async fn size(&self) -> Result<JournalSize, JournalError> {
        self.keeper().journal.size().await
    }

    async fn delete_rows(&self, rows: Vec<RunRow>) -> Result<u64, JournalError> {
        let keeper = self.keeper();
        let mut gone = 0;
        for rows in rows.chunks(TOGETHER) {
            // No retry by hand opens one of them, and none is read back, until they are gone.
            let _one_at_a_time = self.inner.taking_up.write().await;
            let runs = self.inner.that_ended(rows);
            gone += keeper.answer(keeper.journal.delete(keeper.epoch, runs.clone())).await?;
            let deleted = rows.iter().filter(|row| runs.contains(&row.run));
            deleted.for_each(|row| self.inner.forget_run(row));
        }
        Ok(gone)
    }

    /// Whether the records of a run are not what its row says because that has changed since, as it
    /// does when the run is deleted.
    async fn was_overtaken<T>(
        &self,
        row: &RunRow,
        read: &Result<T, StrandedReason>,
    ) -> Result<bool, StrandedReason> {
        match read {
            Err(StrandedReason::Damaged(_)) => Ok(self.row(row.run).await? != *row),
            _ => Ok(false),
        }
    }

    async fn row(&self, run: RunId) -> Result<RunRow, StrandedReason> {
        let row = self.keeper().row(run).await?;
        let row = row.filter(|row| Standing::of(&row.status).is_none());
        row.ok_or(StrandedReason::UnknownRun)
    }

    fn keeper(&self) -> &super::Keeper {
        self.inner.keeper.as_ref().expect("only a runtime with a journal gives one of these")
    }
}

impl Inner {
    /// A run was deleted from the journal.
    fn forget_run(&self, row: &RunRow) {
        if let (Some(_), Some(id)) = (Standing::of(&row.status), &row.key) {
            self.sessions.forget(id);
        }
        self.runs.remove_if(&row.run, |_, run| run.is_over());
        if let Some(key) = &row.key {
            let key = (row.graph.clone(), key.to_string());
            self.by_key.remove_if(&key, |_, named| *named == row.run);
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}
