//! The statements about records.

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::Failure;
use super::kept;
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};

const INSERT: &str = "INSERT INTO records (stream, seq, checksum, body) VALUES (?1, ?2, ?3, ?4) \
                      ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT seq, checksum, body FROM records WHERE stream = ?1 AND seq = ?2";
const READ: &str = "SELECT seq, checksum, body FROM records \
                    WHERE stream = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4";
const TRUNCATE: &str = "DELETE FROM records WHERE stream = ?1 AND seq BETWEEN ?2 AND ?3";
const DELETE: &str = "DELETE FROM records WHERE stream = ?1";

/// Writes a record, unless it is there.
pub(super) fn insert(db: &Connection, stream: Stream, record: &Record) -> Result<(), Failure> {
    let key = kept::key(stream);
    let (seq, check) = (kept::number(record.seq), kept::number(record.check));
    let mut insert = db.prepare_cached(INSERT)?;
    let written = insert.execute((key.as_slice(), seq, check, &record.body))?;
    match written == 0 && find(db, stream, record.seq)?.as_ref() != Some(record) {
        true => Err(JournalError::Conflict { stream, seq: record.seq }.into()),
        false => Ok(()),
    }
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
