//! A journal of which one bit is not as it was written.

use std::collections::HashMap;

use hotgraph::{
    GraphName, Journal, JournalFuture, MemoryJournal, Record, RunId, RunQuery, RunRow, Stream,
    Timestamp, VersionNumber,
};

use super::before::{Before, Hook};

/// Which bit.
#[derive(Clone, Copy, Debug)]
pub enum Flip {
    /// Of the body of a record.
    Body(Stream, u64, usize),
    /// Of its number.
    Seq(Stream, u64, usize),
    /// Of its checksum.
    Check(Stream, u64, usize),
    /// Of a field of a run's row.
    Row(RunId, Field, usize),
}

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Run,
    Graph,
    Version,
    Key,
    Status,
    StartedAt,
    EndedAt,
    Records,
    Check,
}

impl Flip {
    /// Every bit of a row. A text whose bit is flipped has to be one still: the others are refused
    /// by the store that reads them.
    pub fn of_row(row: &RunRow) -> Vec<Self> {
        let key = row.key.as_deref().unwrap_or_default();
        let ended = if row.ended_at.is_some() { 64 } else { 0 };
        let sizes = [
            (Field::Run, 128),
            (Field::Graph, row.graph.name().len() * 8),
            (Field::Version, 64),
            (Field::Key, key.len() * 8),
            (Field::Status, row.status.len() * 8),
            (Field::StartedAt, 64),
            (Field::EndedAt, ended),
            (Field::Records, 64),
            (Field::Check, 64),
        ];
        let all =
            sizes.into_iter().flat_map(|(field, bits)| (0..bits).map(move |bit| (field, bit)));
        let is_text = |field| matches!(field, Field::Graph | Field::Key | Field::Status);
        let all = all.filter(|(field, bit)| !is_text(*field) || bit % 8 != 7);
        all.map(|(field, bit)| Self::Row(row.run, field, bit)).collect()
    }

    /// Whether it changes what a run is found by.
    pub const fn is_of_name(self) -> bool {
        matches!(self, Self::Row(_, Field::Graph | Field::Key, _))
    }

    /// The same bit of another run.
    pub const fn of_run(self, run: RunId) -> Self {
        let stream = Stream::Run(run);
        match self {
            Self::Body(_, seq, bit) => Self::Body(stream, seq, bit),
            Self::Seq(_, seq, bit) => Self::Seq(stream, seq, bit),
            Self::Check(_, seq, bit) => Self::Check(stream, seq, bit),
            Self::Row(_, field, bit) => Self::Row(run, field, bit),
        }
    }

    fn record(self, stream: Stream, mut record: Record) -> Record {
        match self {
            Self::Body(of, seq, bit) if (of, seq) == (stream, record.seq) => {
                record.body[bit / 8] ^= 1 << (bit % 8);
            }
            Self::Seq(of, seq, bit) if (of, seq) == (stream, record.seq) => record.seq ^= 1 << bit,
            Self::Check(of, seq, bit) if (of, seq) == (stream, record.seq) => {
                record.check ^= 1 << bit;
            }
            _ => {}
        }
        record
    }

    fn row(self, mut row: RunRow) -> RunRow {
        let Self::Row(run, field, bit) = self else { return row };
        if row.run != run {
            return row;
        }
        match field {
            Field::Run => row.run = RunId(row.run.0 ^ 1 << bit),
            Field::Graph => {
                row.graph = GraphName::new(row.graph.namespace(), &text(row.graph.name(), bit));
            }
            Field::Version => row.version = VersionNumber(row.version.0 ^ 1 << bit),
            Field::Key => row.key = row.key.map(|key| text(&key, bit).into()),
            Field::Status => row.status = text(&row.status, bit).into(),
            Field::StartedAt => row.started_at = Timestamp(row.started_at.0 ^ 1 << bit),
            Field::EndedAt => row.ended_at = row.ended_at.map(|at| Timestamp(at.0 ^ 1 << bit)),
            Field::Records => row.records ^= 1 << bit,
            Field::Check => row.check ^= 1 << bit,
        }
        row
    }
}

fn text(text: &str, bit: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    String::from_utf8(bytes).unwrap()
}

/// A journal with flipped bits.
pub type Altered = Before<Altering>;

/// Reads what is there, but for one bit of some streams.
#[derive(Debug)]
pub struct Altering {
    pub inner: MemoryJournal,
    pub flips: HashMap<Stream, Flip>,
}

impl Altering {
    fn record(&self, stream: Stream, record: Record) -> Record {
        let flip = self.flips.get(&stream);
        flip.map_or(record.clone(), |flip| flip.record(stream, record))
    }

    fn row(&self, row: RunRow) -> RunRow {
        let flip = self.flips.get(&Stream::Run(row.run));
        flip.map_or(row.clone(), |flip| flip.row(row))
    }
}

impl Hook for Altering {
    fn inner(&self) -> &dyn Journal {
        &self.inner
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let records = self.inner.read(stream, after, limit).await?;
            Ok(records.into_iter().map(|record| self.record(stream, record)).collect())
        })
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            let rows = self.inner.runs(&RunQuery::default()).await?;
            let rows = rows.into_iter().map(|row| self.row(row));
            Ok(rows.filter(|row| query.wants(row)).collect())
        })
    }
}
