//! A journal in memory: for tests, and for what need not survive the process.

use std::collections::BTreeMap;
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

    /// Whether a write can be carried out after those before it.
    fn takes(&self, earlier: &[Write], write: &Write) -> Result<(), JournalError> {
        let Write::Record(stream, record) = write else { return Ok(()) };
        let is_cut = |earlier: &Write| match earlier {
            Write::Truncate(other, last) => other == stream && record.seq > *last,
            Write::Record(..) | Write::Row(_) => false,
        };
        match self.records.get(&(*stream, record.seq)) {
            Some(known) if known != record && !earlier.iter().any(is_cut) => {
                Err(JournalError::Conflict { stream: *stream, seq: record.seq })
            }
            _ => Ok(()),
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
        self.records.retain(|(other, seq), _| *other != stream || *seq <= last);
        if let (Stream::Run(run), 0) = (stream, last) {
            self.rows.remove(&run);
        }
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<(), JournalError> {
        self.check(epoch)?;
        for (place, write) in writes.iter().enumerate() {
            self.takes(&writes[..place], write)?;
        }
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
            let range = (stream, after.saturating_add(1))..=(stream, u64::MAX);
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
