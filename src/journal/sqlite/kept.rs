//! How values are read back: a damaged file holds anything.

use rusqlite::types::ValueRef;
use rusqlite::{Error, Row};

use crate::clock::Timestamp;
use crate::id::RunId;
use crate::journal::kept;
pub(super) use crate::journal::kept::{after, key, limit, number, time};

/// Reads a number, and 0 where damage has left something else: the checksum tells.
pub(super) fn read_number(row: &Row<'_>, column: usize) -> Result<u64, Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number.cast_unsigned(),
        _ => 0,
    })
}

pub(super) fn read_time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    Ok(kept::timestamp(number(read_number(row, column)?)))
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
    Ok(kept::run(read_bytes(row, column)?))
}

pub(super) fn is_null(row: &Row<'_>, column: usize) -> Result<bool, Error> {
    Ok(matches!(row.get_ref(column)?, ValueRef::Null))
}
