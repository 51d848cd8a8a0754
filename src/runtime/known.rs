//! Which runs are known here, by their ids and their keys, and those that only the journal knows.

use std::sync::Arc;

use dashmap::mapref::entry::Entry;
use tokio::sync::{MutexGuard, RwLockReadGuard};

use super::Inner;
use super::keeper::Keeper;
use super::recovery::StrandedReason;
use crate::id::{GraphName, RunId};
use crate::journal::RunRow;
use crate::node::Control;
use crate::run::{RetryError, Run};
use crate::session::Standing;

/// Nobody else compares a run with the journal, and nobody takes up or deletes any.
pub(super) struct AloneWith<'a> {
    _of_run: MutexGuard<'a, ()>,
    _of_all: RwLockReadGuard<'a, ()>,
}

impl Inner {
    /// The run with that id, if it is known.
    pub(super) fn run_of(&self, run: RunId) -> Option<Run> {
        self.runs.get(&run).map(|run| run.clone())
    }

    /// The run that a key names, if it is known.
    pub(super) fn named(&self, key: &(GraphName, String)) -> Option<Run> {
        let named = self.by_key.get(key).map(|run| *run);
        self.run_of(named?)
    }

    /// Makes a run known that was not, or may have been forgotten: a shutdown has to find it, and a
    /// start of its key, unless that names another one.
    pub(super) fn make_known(&self, run: Run) {
        let id = run.id();
        let Some(key) = run.key().map(|key| (run.graph().clone(), key.to_owned())) else {
            self.runs.insert(id, run);
            return;
        };
        // Known before the entry is let go, as when it starts.
        let entry = self.by_key.entry(key);
        let is_taken =
            matches!(&entry, Entry::Occupied(named) if self.runs.contains_key(named.get()));
        self.runs.insert(id, run);
        if !is_taken {
            entry.insert(id);
        }
    }

    /// The run of a row, which memory may not have; one that is stranded goes on with these signals, if
    /// it can. `None` if it was deleted since, or its start was refused.
    pub(super) async fn find(
        &self,
        keeper: &Keeper,
        row: &RunRow,
        signals: Arc<Control>,
    ) -> Result<Option<Run>, StrandedReason> {
        if row.ended_at.is_none() {
            match self.take_up_again(row.run, signals).await {
                Err(StrandedReason::NotStranded) => {}
                taken => return taken.map(Some),
            }
            if let Some(run) = self.run_of(row.run) {
                return Ok(Some(run));
            }
            // It ended since its row was read and was forgotten, or its start was refused.
            if keeper.settled_row(row.run).await?.is_none() {
                return Ok(None);
            }
        }
        match self.read_ended(keeper, row.run).await {
            Err(StrandedReason::UnknownRun) => Ok(None),
            found => found.map(Some),
        }
    }

    /// A run of the journal as it is: one that is stranded stays so.
    pub(super) async fn load(&self, keeper: &Keeper, run: RunId) -> Result<Run, StrandedReason> {
        // In this order: one that goes on is known before it is no longer stranded.
        let reason = self.why_stranded(run);
        match self.run_of(run) {
            Some(known) => Ok(known),
            None if reason != StrandedReason::NotStranded => Err(reason),
            None => self.read_ended(keeper, run).await,
        }
    }

    /// Makes a run readable that has ended.
    async fn read_ended(&self, keeper: &Keeper, run: RunId) -> Result<Run, StrandedReason> {
        let _alone = self.alone_with(keeper, run).await;
        // Somebody else may have been quicker, and two of one run would not know of each other.
        if let Some(run) = self.run_of(run) {
            return Ok(run);
        }
        // It may have been deleted, or retried by hand and forgotten.
        let row = keeper.row(run).await?.filter(|row| Standing::of(&row.status).is_none());
        let row = row.ok_or(StrandedReason::UnknownRun)?;
        if row.ended_at.is_none() {
            return Err(self.shut_down_if_closed(self.why_stranded(run)));
        }
        let run = self.rebuild_ended(keeper, row).await?;
        self.keep_ended(run.id(), run.keeps());
        Ok(run)
    }

    /// Waits until nobody else compares a run with the journal, and nobody takes up or deletes any.
    async fn alone_with<'a>(&'a self, keeper: &'a Keeper, run: RunId) -> AloneWith<'a> {
        let of_run = keeper.runs.lock(&run).await;
        AloneWith { _of_run: of_run, _of_all: self.taking_up.read().await }
    }

    /// Checks that the journal has a run as its last episode here left it, and sees to it that it stays
    /// so as long as the guard is held.
    pub(super) async fn stays_as_left(
        &self,
        run: &Run,
    ) -> Result<Option<AloneWith<'_>>, RetryError> {
        let (Some(keeper), Some(written)) = (&self.keeper, run.written()) else { return Ok(None) };
        let alone = self.alone_with(keeper, run.id()).await;
        // Another one of it came back from the journal since this one was forgotten.
        if self.run_of(run.id()).is_some_and(|known| !known.shares_cell(run)) {
            return Err(RetryError::Superseded);
        }
        let row = keeper.settled_row(run.id()).await.map_err(RetryError::Journal)?;
        match row.map(|row| row.records) {
            None => Err(RetryError::Deleted),
            // Another one of it went on, and was forgotten, too.
            Some(records) if records != written => Err(RetryError::Superseded),
            Some(_) => Ok(Some(alone)),
        }
    }
}
