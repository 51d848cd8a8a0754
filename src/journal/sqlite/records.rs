//! The statements about records.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::Failure;
use super::kept;
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};

/// How many records one statement writes: most of what a small record costs is its statement.
const TOGETHER: usize = 64;

const INSERT: &str = "INSERT INTO records (stream, seq, checksum, body) VALUES (?, ?, ?, ?) \
                      ON CONFLICT DO NOTHING";

static INSERT_TOGETHER: LazyLock<String> =
    LazyLock::new(|| INSERT.replace("(?, ?, ?, ?)", &["(?, ?, ?, ?)"; TOGETHER].join(", ")));

const FIND: &str = "SELECT seq, checksum, body FROM records WHERE stream = ?1 AND seq = ?2";
const READ: &str = "SELECT seq, checksum, body FROM records \
                    WHERE stream = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4";
const TRUNCATE: &str = "DELETE FROM records WHERE stream = ?1 AND seq BETWEEN ?2 AND ?3";
const DELETE: &str = "DELETE FROM records WHERE stream = ?1";

/// Writes records, but for those that are there.
pub(super) fn insert(db: &Connection, records: &[(Stream, &Record)]) -> Result<(), Failure> {
    let (together, rest) = records.as_chunks::<TOGETHER>();
    together.iter().try_for_each(|records| put(db, &INSERT_TOGETHER, records))?;
    rest.iter().try_for_each(|record| put(db, INSERT, std::slice::from_ref(record)))
}

/// Writes as many records as the statement has places for.
fn put(db: &Connection, insert: &str, records: &[(Stream, &Record)]) -> Result<(), Failure> {
    let mut insert = db.prepare_cached(insert)?;
    for (place, (stream, record)) in records.iter().enumerate() {
        let first = 4 * place + 1;
        insert.raw_bind_parameter(first, kept::key(*stream).as_slice())?;
        insert.raw_bind_parameter(first + 1, kept::number(record.seq))?;
        insert.raw_bind_parameter(first + 2, kept::number(record.check))?;
        insert.raw_bind_parameter(first + 3, &record.body)?;
    }
    if insert.raw_execute()? == records.len() {
        return Ok(());
    }
    // Some were there, or are the same twice.
    for (stream, record) in records {
        if find(db, *stream, record.seq)?.as_ref() != Some(*record) {
            return Err(JournalError::Conflict { stream: *stream, seq: record.seq }.into());
        }
    }
    Ok(())
}

fn find(db: &Connection, stream: Stream, seq: u64) -> Result<Option<Record>, Failure> {
    let mut find = db.prepare_cached(FIND)?;
    let key = kept::key(stream);
    Ok(find.query_row((key.as_slice(), kept::number(seq)), record).optional()?)
}

/// The records after a number, in their order.
pub(super) fn read(
    db: &Connection,
    stream: Stream,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, Failure> {
    let key = kept::key(stream);
    let mut read = db.prepare_cached(READ)?;
    let mut found = Vec::new();
    for (first, last) in kept::after(after) {
        let left = kept::limit(limit - found.len());
        for record in read.query_map((key.as_slice(), first, last, left), record)? {
            found.push(record?);
        }
    }
    Ok(found)
}

/// Deletes the records after a number.
pub(super) fn truncate(db: &Connection, stream: Stream, last: u64) -> Result<(), Failure> {
    let key = kept::key(stream);
    let mut truncate = db.prepare_cached(TRUNCATE)?;
    for (first, last) in kept::after(last) {
        truncate.execute((key.as_slice(), first, last))?;
    }
    Ok(())
}

/// Deletes all records of a stream.
pub(super) fn delete(db: &Connection, stream: Stream) -> Result<(), Failure> {
    db.prepare_cached(DELETE)?.execute([kept::key(stream).as_slice()])?;
    Ok(())
}

pub(super) fn count(db: &Connection) -> Result<u64, Failure> {
    Ok(db.query_row("SELECT count(*) FROM records", (), |row| kept::read_number(row, 0))?)
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        seq: kept::read_number(row, 0)?,
        check: kept::read_number(row, 1)?,
        body: kept::read_bytes(row, 2)?.to_vec(),
    })
}
