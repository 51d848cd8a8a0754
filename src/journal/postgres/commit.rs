//! What a commit is in statements: as few as its order allows.

use std::collections::BTreeMap;

use futures_util::future::join;
use tokio_postgres::Client;

use super::error::Failure;
use super::{records, rows};
use crate::id::RunId;
use crate::journal::contract::Write;
use crate::journal::record::{Record, Stream};
use crate::journal::row::RunRow;

/// How many bytes of records go into one statement: a server takes a statement whole, and none of
/// more than 1 GB.
const MOST_BYTES: usize = 16 << 20;

/// Writes that may be carried out at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Records and rows know nothing of each other.
    Put(Batch<'a>),
    /// What comes before it and what comes after it may be the same record.
    Truncate(Stream, u64),
}

/// Records in their order, and the last row of each run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    pub records: Vec<(Stream, &'a Record)>,
    pub rows: BTreeMap<RunId, &'a RunRow>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rows.is_empty()
    }

    fn push(&mut self, stream: Stream, record: &'a Record) {
        self.bytes += record.body.len();
        self.records.push((stream, record));
    }
}

/// The steps of a commit, in their order.
pub(super) fn steps(writes: &[Write]) -> Vec<Step<'_>> {
    let (mut steps, mut batch) = (Vec::new(), Batch::default());
    for write in writes {
        match write {
            Write::Record(stream, record) => batch.push(*stream, record),
            Write::Row(row) => {
                batch.rows.insert(row.run, row);
            }
            Write::Truncate(stream, last) => {
                close(&mut batch, &mut steps);
                steps.push(Step::Truncate(*stream, *last));
            }
        }
        if batch.bytes > MOST_BYTES {
            close(&mut batch, &mut steps);
        }
    }
    close(&mut batch, &mut steps);
    steps
}

fn close<'a>(batch: &mut Batch<'a>, steps: &mut Vec<Step<'a>>) {
    if !batch.is_empty() {
        steps.push(Step::Put(std::mem::take(batch)));
    }
}

/// Carries out the writes of a commit, inside its transaction.
pub(super) async fn write(client: &Client, writes: &[Write]) -> Result<(), Failure> {
    for step in steps(writes) {
        match step {
            Step::Put(batch) => put(client, &batch).await?,
            Step::Truncate(stream, last) => truncate(client, stream, last).await?,
        }
    }
    Ok(())
}

async fn put(client: &Client, batch: &Batch<'_>) -> Result<(), Failure> {
    let records = records::insert(client, &batch.records);
    let rows = rows::put(client, batch.rows.values().copied());
    // Both are sent before one is answered. After an error the server refuses whatever follows, so
    // the first one is the one that counts.
    let (records, rows) = join(records, rows).await;
    records.and(rows)
}

async fn truncate(client: &Client, stream: Stream, last: u64) -> Result<(), Failure> {
    records::truncate(client, stream, last).await?;
    if let (Stream::Run(run), 0) = (stream, last) {
        rows::delete(client, &[run]).await?;
    }
    Ok(())
}
