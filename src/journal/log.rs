//! The end of one stream: what is appended and not yet written, and where the next record goes.
//!
//! Invariants:
//! 1. Records are written in the order in which they were appended, with numbers without gaps.
//! 2. Only the writer takes what is pending and moves the position.
//! 3. What could not be written is pending again, before what was appended since, until whoever
//!    appended it gives it up: what follows from it never stands without it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::contract::Write;
use super::error::JournalError;
use super::record::{Record, Stream};
use super::row::RunRow;
use super::writer::{Patience, Writer};

/// What has to be on record before whatever is appended next.
pub(crate) trait Side: Send + Sync {
    /// Moves the bodies of such records to `into`, in their order.
    fn drain(&self, into: &mut Vec<Vec<u8>>);
}

/// The end of one stream.
pub(crate) struct StreamLog {
    stream: Stream,
    writer: Writer,
    side: Option<Arc<dyn Side>>,
    pending: Mutex<Pending>,
    position: Mutex<Position>,
}

/// What was appended and not yet taken by the writer.
#[derive(Default)]
struct Pending {
    bodies: Vec<Vec<u8>>,
    /// The row that the run has from then on.
    row: Option<RunRow>,
    /// Whether nothing is taken any more.
    is_closed: bool,
}

/// How far a stream was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The number of the last record.
    pub last: u64,
    /// The row, if the stream is that of a run.
    pub row: Option<RunRow>,
}

impl StreamLog {
    /// A stream whose last record has that number.
    pub(crate) fn new(
        stream: Stream,
        writer: Writer,
        last: u64,
        row: Option<RunRow>,
        side: Option<Arc<dyn Side>>,
    ) -> Arc<Self> {
        let position = Mutex::new(Position { last, row });
        Arc::new(Self { stream, writer, side, pending: Mutex::default(), position })
    }

    /// Appends records, to be written with the next flush.
    pub(crate) fn append(&self, bodies: impl IntoIterator<Item = Vec<u8>>) {
        let mut pending = self.pending.lock();
        if pending.is_closed {
            return;
        }
        if let Some(side) = &self.side {
            side.drain(&mut pending.bodies);
        }
        pending.bodies.extend(bodies);
    }

    /// Changes the run's row, to be written with the next flush.
    pub(crate) fn change_row(&self, change: impl FnOnce(&mut RunRow)) {
        let mut pending = self.pending.lock();
        if pending.is_closed {
            return;
        }
        let known = pending.row.take().or_else(|| self.position.lock().row.clone());
        pending.row = known.map(|mut row| {
            change(&mut row);
            row
        });
    }

    /// How many records were appended and not yet taken by the writer.
    pub(crate) fn pending(&self) -> usize {
        self.pending.lock().bodies.len()
    }

    /// How many records were taken by the writer, and not given back.
    pub(crate) fn written(&self) -> u64 {
        self.position.lock().last
    }

    /// Waits until everything that was appended is durable.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take back what was appended.
    pub(crate) async fn flush(self: &Arc<Self>, patience: Patience) -> Result<(), JournalError> {
        self.writer.flush(self.clone(), patience).await
    }

    pub(super) const fn stream(&self) -> Stream {
        self.stream
    }

    /// Takes what is pending, and moves the position behind it; gives back where it was.
    pub(super) fn take(&self, into: &mut Vec<Write>) -> Position {
        // Both locks, in this order everywhere.
        let mut pending = self.pending.lock();
        let mut position = self.position.lock();
        let before = position.clone();
        let is_new = !pending.bodies.is_empty() || pending.row.is_some();
        for body in std::mem::take(&mut pending.bodies) {
            position.last += 1;
            let record = Record::new(self.stream, position.last, body);
            into.push(Write::Record(self.stream, record));
        }
        if let Some(row) = pending.row.take().or_else(|| position.row.clone())
            && is_new
        {
            let row = RunRow { records: position.last, ..row }.sealed();
            into.push(Write::Row(row.clone()));
            position.row = Some(row);
        }
        if is_new {
            into.extend(count(self.stream, position.last));
        }
        before
    }

    /// What was taken since that position was not written: it comes before what is pending.
    pub(super) fn put_back(&self, to: Position, writes: Vec<Write>) {
        let mut pending = self.pending.lock();
        let mut bodies = Vec::new();
        for write in writes {
            match write {
                Write::Record(stream, record) if stream == self.stream => bodies.push(record.body),
                Write::Row(row) if pending.row.is_none() => pending.row = Some(row),
                Write::Record(..) | Write::Row(_) | Write::Truncate(..) => {}
            }
        }
        bodies.append(&mut pending.bodies);
        pending.bodies = bodies;
        *self.position.lock() = to;
    }

    /// Gives up what was appended and could not be written.
    pub(crate) fn give_up(&self) {
        *self.pending.lock() = Pending::default();
    }

    /// The same, and nothing that is appended from now on is written.
    pub(crate) fn close(&self) {
        *self.pending.lock() = Pending { is_closed: true, ..Pending::default() };
    }
}

/// Writes how many records a stream has, if no row says so: one that is gone would not be missed.
pub(super) fn count(stream: Stream, last: u64) -> impl Iterator<Item = Write> {
    let count = || {
        let record = Write::Record(Stream::Count, Record::count(last));
        [Write::Truncate(Stream::Count, 0), record]
    };
    (stream == Stream::Versions).then(count).into_iter().flatten()
}

impl fmt::Debug for StreamLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLog").field("stream", &self.stream).finish_non_exhaustive()
    }
}
