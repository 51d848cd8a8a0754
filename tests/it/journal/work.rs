//! Commits that follow from their number, so that whoever reads a store knows what has to be there.

use std::sync::Arc;

use hotgraph::{Epoch, Journal, JournalError, Record, RunQuery, RunRow, Stream, Write};

use super::subject::{ALL, row, run};

/// How many records a commit writes to its run.
const RECORDS: u64 = 4;

/// The row of the run that a commit starts.
fn started(number: u64) -> RunRow {
    RunRow { records: RECORDS, ..row(u128::from(number), number) }.sealed()
}

fn record(stream: Stream, commit: u64, seq: u64) -> Record {
    // Some are longer than a page.
    let size = if commit.is_multiple_of(10) { 15_000 } else { 1_500 };
    let length = (commit * 37 + seq * 101) as usize % size;
    // Copied and not counted: most of a check would be this otherwise.
    let period: [u8; 256] = std::array::from_fn(|place| (place as u64 + commit) as u8);
    let mut body = period.repeat(length / period.len() + 1);
    body.truncate(length);
    Record::new(stream, seq, body)
}

/// What the commit of a number writes: a record of the versions, and a run with its records.
fn writes(number: u64) -> Arc<[Write]> {
    let stream = run(u128::from(number));
    let versions = Write::Record(Stream::Versions, record(Stream::Versions, number, number));
    let records = (1..=RECORDS).map(|seq| Write::Record(stream, record(stream, number, seq)));
    [versions].into_iter().chain(records).chain([Write::Row(started(number))]).collect()
}

/// Commits what belongs to a number.
pub async fn commit(journal: &impl Journal, epoch: Epoch, number: u64) -> Result<(), JournalError> {
    journal.commit(epoch, writes(number)).await
}

/// Checks that a store holds the commits up to some number, whole, and nothing else; gives back
/// the number.
pub async fn verify(journal: &impl Journal) -> u64 {
    let versions = journal.read(Stream::Versions, 0, ALL).await.unwrap();
    let last = versions.len() as u64;
    let expected = (1..=last).map(|number| record(Stream::Versions, number, number));
    assert!(versions.into_iter().eq(expected), "the versions are others");
    let rows = journal.runs(&RunQuery::default()).await.unwrap();
    assert!(rows.into_iter().eq((1..=last).map(started)), "the runs are others");
    for number in 1..=last {
        let stream = run(u128::from(number));
        let records = journal.read(stream, 0, ALL).await.unwrap();
        let expected = (1..=RECORDS).map(|seq| record(stream, number, seq));
        assert!(records.into_iter().eq(expected), "the records of {stream} are others");
    }
    assert_eq!(journal.size().await.unwrap().records, last * (RECORDS + 1));
    last
}
