//! A journal in memory: for tests, and for what need not survive the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::contract::{Epoch, Journal, JournalFuture, JournalSize, Write};
use super::error::JournalError;
use super::record::{Record, Stream};
use super::row::{RunQuery, RunRow};
use crate::id::RunId;

/// A journal in memory: what one runtime wrote another one reads, in the same process.
///
/// Claiming it takes it from its owner, which may write no more from then on.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    epoch: Epoch,
    records: BTreeMap<(Stream, u64), Record>,
    rows: BTreeMap<RunId, RunRow>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Kept {
    fn check(&self, epoch: Epoch) -> Result<(), JournalError> {
        match self.epoch == epoch {
            true => Ok(()),
            false => Err(JournalError::Fenced { epoch, found: self.epoch }),
        }
    }

    fn write(&mut self, write: &Write) {
        match write.clone() {
            Write::Record(stream, record) => {
                self.records.insert((stream, record.seq), record);
            }
            Write::Row(row) => {
                self.rows.insert(row.run, row);
            }
            Write::Truncate(stream, last) => self.truncate(stream, last),
        }
    }

    fn truncate(&mut self, stream: Stream, last: u64) {
        let after = (Bound::Excluded((stream, last)), Bound::Included((stream, u64::MAX)));
        let gone: Vec<_> = self.records.range(after).map(|(key, _)| *key).collect();
        gone.iter().for_each(|key| drop(self.records.remove(key)));
        if let (Stream::Run(run), 0) = (stream, last) {
            self.rows.remove(&run);
        }
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<(), JournalError> {
        self.check(epoch)?;
        let mut planned = Planned { kept: self, new: BTreeMap::new(), cut: BTreeMap::new() };
        writes.iter().try_for_each(|write| planned.take(write))?;
        writes.iter().for_each(|write| self.write(write));
        Ok(())
    }

    fn delete(&mut self, epoch: Epoch, runs: &[RunId]) -> Result<u64, JournalError> {
        self.check(epoch)?;
        let gone = runs.iter().filter(|run| self.rows.remove(run).is_some()).count();
        let is_gone = |stream: &Stream| matches!(stream, Stream::Run(run) if runs.contains(run));
        self.records.retain(|(stream, _), _| !is_gone(stream));
        Ok(gone as u64)
    }

    fn size(&self) -> JournalSize {
        JournalSize {
            runs: self.rows.len() as u64,
            unfinished: self.rows.values().filter(|row| row.ended_at.is_none()).count() as u64,
            records: self.records.len() as u64,
            bytes: self.records.values().map(|record| record.body.len() as u64).sum(),
        }
    }
}

/// What there will be after the first writes of a commit; nothing is written yet.
struct Planned<'a> {
    kept: &'a Kept,
    new: BTreeMap<(Stream, u64), &'a Record>,
    /// Where streams end of which records are taken back.
    cut: BTreeMap<Stream, u64>,
}

impl<'a> Planned<'a> {
    fn known(&self, key: (Stream, u64)) -> Option<&'a Record> {
        let is_cut = self.cut.get(&key.0).is_some_and(|last| key.1 > *last);
        let kept = || self.kept.records.get(&key).filter(|_| !is_cut);
        self.new.get(&key).copied().or_else(kept)
    }

    fn take(&mut self, write: &'a Write) -> Result<(), JournalError> {
        match write {
            Write::Record(stream, record) => {
                let key = (*stream, record.seq);
                if self.known(key).is_some_and(|known| known != record) {
                    return Err(JournalError::Conflict { stream: *stream, seq: record.seq });
                }
                self.new.insert(key, record);
            }
            Write::Truncate(stream, last) => {
                self.new.retain(|(other, seq), _| other != stream || seq <= last);
                let cut = self.cut.entry(*stream).or_insert(*last);
                *cut = (*cut).min(*last);
            }
            Write::Row(_) => {}
        }
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn claim<'a>(&'a self, _owner: &'a str) -> JournalFuture<'a, Epoch> {
        Box::pin(async {
            let mut kept = self.kept.lock();
            kept.epoch.0 += 1;
            Ok(kept.epoch)
        })
    }

    fn release(&self, _epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move { self.kept.lock().commit(epoch, &writes) })
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let kept = self.kept.lock();
            let range = (Bound::Excluded((stream, after)), Bound::Included((stream, u64::MAX)));
            Ok(kept.records.range(range).take(limit).map(|(_, record)| record.clone()).collect())
        })
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            let kept = self.kept.lock();
            let mut rows: Vec<_> = kept.rows.values().filter(|row| query.wants(row)).collect();
            rows.sort_by_key(|row| (row.started_at, row.run));
            let limit = query.limit.unwrap_or(usize::MAX);
            Ok(rows.into_iter().take(limit).cloned().collect())
        })
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        Box::pin(async move { self.kept.lock().delete(epoch, &runs) })
    }

    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(async move { self.kept.lock().check(epoch) })
    }

    fn size(&self) -> JournalFuture<'_, JournalSize> {
        Box::pin(async { Ok(self.kept.lock().size()) })
    }
}
