//! The statements about the rows of runs.

use rusqlite::{Connection, Row, params_from_iter};

use super::error::Failure;
use super::kept;
use super::query::select;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::record::Stream;
use crate::journal::row::{RunQuery, RunRow};

/// Most rows are written with every commit of their run, and say that it has more records: the
/// indexes know nothing of that, and are left alone.
const MORE_RECORDS: &str = "UPDATE runs SET records = ?9, checksum = ?10 WHERE run = ?1 \
    AND namespace = ?2 AND name = ?3 AND version = ?4 AND key IS ?5 AND status = ?6 \
    AND started_at = ?7 AND ended_at IS ?8";
const PUT: &str = "REPLACE INTO runs \
    (run, namespace, name, version, key, status, started_at, ended_at, records, checksum) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const DELETE: &str = "DELETE FROM runs WHERE run = ?1";
const UNFINISHED: &str = "SELECT count(*) FROM runs WHERE ended_at IS NULL";

/// Puts a row in the place of the one that is there, if one is.
pub(super) fn put(db: &Connection, row: &RunRow) -> Result<(), Failure> {
    let key = kept::key(Stream::Run(row.run));
    let values = (
        key.as_slice(),
        row.graph.namespace(),
        row.graph.name(),
        kept::number(row.version.0),
        row.key.as_deref(),
        &*row.status,
        kept::time(row.started_at),
        row.ended_at.map(kept::time),
        kept::number(row.records),
        kept::number(row.check),
    );
    if db.prepare_cached(MORE_RECORDS)?.execute(values)? == 0 {
        db.prepare_cached(PUT)?.execute(values)?;
    }
    Ok(())
}

/// The rows that a query wants, in the order of their starts.
pub(super) fn find(db: &Connection, query: &RunQuery) -> Result<Vec<RunRow>, Failure> {
    let (sql, values) = select(query);
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deletes a row; says whether it was there.
pub(super) fn delete(db: &Connection, run: RunId) -> Result<bool, Failure> {
    let key = kept::key(Stream::Run(run));
    Ok(db.prepare_cached(DELETE)?.execute([key.as_slice()])? > 0)
}

/// How many runs there are, and how many of them have not ended.
pub(super) fn count(db: &Connection) -> Result<(u64, u64), Failure> {
    let count = |sql| db.query_row(sql, (), |row| kept::read_number(row, 0));
    Ok((count("SELECT count(*) FROM runs")?, count(UNFINISHED)?))
}

/// Reads the columns of a query.
fn row(row: &Row<'_>) -> Result<RunRow, rusqlite::Error> {
    let key = match kept::is_null(row, 4)? {
        true => None,
        false => Some(kept::read_text(row, 4)?.into()),
    };
    let ended_at = match kept::is_null(row, 7)? {
        true => None,
        false => Some(kept::read_time(row, 7)?),
    };
    Ok(RunRow {
        run: kept::read_run(row, 0)?,
        graph: GraphName::new(&kept::read_text(row, 1)?, &kept::read_text(row, 2)?),
        version: VersionNumber(kept::read_number(row, 3)?),
        key,
        status: kept::read_text(row, 5)?.into(),
        started_at: kept::read_time(row, 6)?,
        ended_at,
        records: kept::read_number(row, 8)?,
        check: kept::read_number(row, 9)?,
    })
}
