//! The runs that ended and stay readable: the latest ones whole, older ones without most of their states.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::runtime::Handle;

use super::Inner;
use crate::id::RunId;
use crate::journal::RunRow;
use crate::run::{Keeps, Records, Run};
use crate::session::Standing;

/// How many state records ended runs may keep together; outcomes and failures stay beyond that.
///
/// A record is 32 bytes at least, and its values. More of them than the cache beside a processor holds
/// make each run write to memory that is far away.
const ENDED_RECORDS: usize = 4_000;

/// How many outputs, failures and skips the outcomes of ended runs may have together.
///
/// Beyond it the oldest runs are forgotten, whatever their number. At some hundred bytes each they
/// take about 20 MB without their values.
const ENDED_REPORTS: usize = 200_000;

/// The runs that ended and are still known, oldest first.
#[derive(Default)]
pub(super) struct EndedRuns {
    runs: VecDeque<Ended>,
    /// How many of them, from the oldest on, keep no states but those that went wrong.
    bare: usize,
    records: usize,
    reports: usize,
}

/// A run that ended, and how much it keeps.
struct Ended {
    run: RunId,
    keeps: Keeps,
}

/// What is beyond the limits after a run has ended.
#[derive(Default)]
struct Beyond {
    /// Runs that are to keep no states but those that went wrong.
    bare: SmallVec<[RunId; 1]>,
    /// Runs that are to be forgotten.
    forgotten: SmallVec<[RunId; 1]>,
}

/// Records with more to drop are dropped by a task of their own.
const HEAVY: usize = 512;

/// Drops records: those of a wide fanout take as long as a tenth of its run, and somebody waits for
/// the end of the next one.
fn let_go(records: Records) {
    if records.weight() > HEAVY
        && let Ok(tokio) = Handle::try_current()
    {
        // Nobody waits for it: a runtime that goes down drops the task, and the records with it.
        drop(tokio.spawn(async move { drop(records) }));
    }
}

impl EndedRuns {
    /// A run is live again: it no longer counts among those that ended.
    pub(super) fn take_back(&mut self, run: RunId) {
        if let Some(place) = self.runs.iter().position(|ended| ended.run == run)
            && let Some(ended) = self.runs.remove(place)
        {
            self.records -= ended.keeps.records;
            self.reports -= ended.keeps.reports;
            self.bare -= usize::from(place < self.bare);
        }
    }

    /// One more has ended, and `keep` of them stay known.
    fn add(&mut self, latest: Ended, keep: usize) -> Beyond {
        self.records += latest.keeps.records;
        self.reports += latest.keeps.reports;
        self.runs.push_back(latest);
        let mut beyond = Beyond::default();
        // The latest run stays, however much it keeps.
        while (self.runs.len() > keep || self.runs.len() > 1 && self.reports > ENDED_REPORTS)
            && let Some(oldest) = self.pop()
        {
            beyond.forgotten.push(oldest.run);
        }
        while self.records > ENDED_RECORDS
            && let Some(oldest) = self.strip()
        {
            beyond.bare.push(oldest);
        }
        beyond
    }

    /// The oldest run, to be forgotten.
    fn pop(&mut self) -> Option<Ended> {
        let oldest = self.runs.pop_front()?;
        self.records -= oldest.keeps.records;
        self.reports -= oldest.keeps.reports;
        self.bare = self.bare.saturating_sub(1);
        Some(oldest)
    }

    /// The oldest run with all its records, most of which are to go; the latest run keeps its own.
    fn strip(&mut self) -> Option<RunId> {
        let is_older = self.bare + 1 < self.runs.len();
        let oldest = self.runs.get_mut(self.bare).filter(|_| is_older)?;
        self.records -= std::mem::take(&mut oldest.keeps.records);
        self.bare += 1;
        Some(oldest.run)
    }
}

impl Inner {
    /// Those of some runs and sessions of the journal that go on here no more: they may be deleted.
    ///
    /// Their rows alone do not say so: an end that was refused may be on record until it is taken back.
    pub(super) fn that_ended(&self, rows: &[RunRow]) -> Arc<[RunId]> {
        let awaited = self.sessions.awaited();
        let have_ended: HashSet<RunId> =
            self.ended.lock().runs.iter().map(|ended| ended.run).collect();
        let goes_on = |row: &&RunRow| match (Standing::of(&row.status), &row.key) {
            (Some(_), Some(id)) => self.sessions.is_open(id),
            _ if self.is_stranded(row.run) || awaited.contains(&row.run) => true,
            _ => self.runs.contains_key(&row.run) && !have_ended.contains(&row.run),
        };
        rows.iter().filter(|row| !goes_on(row)).map(|row| row.run).collect()
    }

    /// Keeps a run that has ended, and lets go of what is beyond the limits.
    pub(super) fn keep_ended(&self, run: RunId, keeps: Keeps) {
        let latest = Ended { run, keeps };
        // Locked until they are given up: no retry by hand opens one of these runs meanwhile.
        let mut ended = self.ended.lock();
        let Beyond { bare, forgotten } = ended.add(latest, self.settings.keep_ended);
        let bare = bare.iter().filter_map(|run| self.runs.get(run).map(|run| run.keep_failures()));
        let records: SmallVec<[_; 1]> = bare.collect();
        let runs: SmallVec<[_; 1]> = forgotten.iter().map(|run| self.forget(*run)).collect();
        drop(ended);
        // What a state holds may take its time to be dropped.
        records.into_iter().for_each(let_go);
        drop(runs);
    }

    fn forget(&self, ended: RunId) -> Option<Run> {
        // One that came back from a journal may be retried by hand before it counts as ended.
        let (_, run) = self.runs.remove_if(&ended, |_, run| run.is_over())?;
        if let Some(key) = run.key() {
            // Another start may have taken the key since.
            let key = (run.graph().clone(), key.to_owned());
            self.by_key.remove_if(&key, |_, named| *named == ended);
        }
        Some(run)
    }
}
