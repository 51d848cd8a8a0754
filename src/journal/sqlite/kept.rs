//! How values are kept: SQLite's integers have a sign, and a damaged file holds anything.

use rusqlite::types::ValueRef;
use rusqlite::{Error, Row};
use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::id::RunId;
use crate::journal::record::Stream;

/// The key of a stream: nothing for the versions, else the bytes of the run.
pub(super) fn key(stream: Stream) -> SmallVec<[u8; 16]> {
    match stream {
        Stream::Versions => SmallVec::new(),
        Stream::Run(run) => SmallVec::from_buf(run.0.to_be_bytes()),
    }
}

/// A number, bit by bit: small ones look as they are, and take few bytes.
pub(super) const fn number(number: u64) -> i64 {
    number.cast_signed()
}

/// A time, moved so that SQLite has the order of the times: the earliest is the smallest integer.
pub(super) const fn time(at: Timestamp) -> i64 {
    (at.0 ^ (1 << 63)).cast_signed()
}

/// A limit; there are never more rows than the largest one.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The numbers after one, as ranges of what is kept: those above `i64::MAX` have a sign.
pub(super) fn after(after: u64) -> impl Iterator<Item = (i64, i64)> {
    let top = i64::MAX.cast_unsigned();
    let small = (after < top).then(|| (number(after + 1), i64::MAX));
    let first_large = after.checked_add(1).map(|first| first.max(top + 1));
    small.into_iter().chain(first_large.map(|first| (number(first), -1)))
}

/// Reads a number, and 0 where damage has left something else: the checksum tells.
pub(super) fn read_number(row: &Row<'_>, column: usize) -> Result<u64, Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number.cast_unsigned(),
        _ => 0,
    })
}

pub(super) fn read_time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    Ok(Timestamp(read_number(row, column)? ^ (1 << 63)))
}

/// Reads bytes, and none where damage has left something else.
pub(super) fn read_bytes<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        _ => &[],
    })
}

/// Reads a text; where it is damaged it holds the sign for what is no letter.
pub(super) fn read_text(row: &Row<'_>, column: usize) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(read_bytes(row, column)?).into_owned())
}

pub(super) fn read_run(row: &Row<'_>, column: usize) -> Result<RunId, Error> {
    let bytes = read_bytes(row, column)?;
    let mut id = [0; 16];
    let length = bytes.len().min(id.len());
    id[..length].copy_from_slice(&bytes[..length]);
    Ok(RunId(u128::from_be_bytes(id)))
}

pub(super) fn is_null(row: &Row<'_>, column: usize) -> Result<bool, Error> {
    Ok(matches!(row.get_ref(column)?, ValueRef::Null))
}
