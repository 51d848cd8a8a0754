//! The statements about the rows of runs.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};

use super::error::Failure;
use super::query::{Typed, select};
use crate::id::{GraphName, RunId, VersionNumber};
use crate::journal::kept;
use crate::journal::row::{RunQuery, RunRow};

const PUT: &str = "INSERT INTO runs \
    (run, namespace, name, version, key, status, started_at, ended_at, records, checksum) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (run) DO UPDATE SET namespace = excluded.namespace, name = excluded.name, \
    version = excluded.version, key = excluded.key, status = excluded.status, \
    started_at = excluded.started_at, ended_at = excluded.ended_at, \
    records = excluded.records, checksum = excluded.checksum";
const DELETE: &str = "DELETE FROM runs WHERE run = ANY($1)";

/// The columns of rows, each on its own.
#[derive(Default)]
struct Columns<'a> {
    runs: Vec<[u8; 16]>,
    namespaces: Vec<&'a [u8]>,
    names: Vec<&'a [u8]>,
    versions: Vec<i64>,
    keys: Vec<Option<&'a [u8]>>,
    statuses: Vec<&'a [u8]>,
    starts: Vec<i64>,
    ends: Vec<Option<i64>>,
    records: Vec<i64>,
    checks: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, row: &'a RunRow) {
        self.runs.push(row.run.0.to_be_bytes());
        self.namespaces.push(row.graph.namespace().as_bytes());
        self.names.push(row.graph.name().as_bytes());
        self.versions.push(kept::number(row.version.0));
        self.keys.push(row.key.as_deref().map(str::as_bytes));
        self.statuses.push(row.status.as_bytes());
        self.starts.push(kept::time(row.started_at));
        self.ends.push(row.ended_at.map(kept::time));
        self.records.push(kept::number(row.records));
        self.checks.push(kept::number(row.check));
    }
}

/// Puts rows in the place of those that are there, no two of one run.
pub(super) async fn put<'a>(
    client: &Client,
    rows: impl Iterator<Item = &'a RunRow>,
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    rows.for_each(|row| columns.push(row));
    if columns.runs.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = columns.runs.iter().map(<[u8; 16]>::as_slice).collect();
    let values: [Typed<'_>; 10] = [
        (&runs, Type::BYTEA_ARRAY),
        (&columns.namespaces, Type::BYTEA_ARRAY),
        (&columns.names, Type::BYTEA_ARRAY),
        (&columns.versions, Type::INT8_ARRAY),
        (&columns.keys, Type::BYTEA_ARRAY),
        (&columns.statuses, Type::BYTEA_ARRAY),
        (&columns.starts, Type::INT8_ARRAY),
        (&columns.ends, Type::INT8_ARRAY),
        (&columns.records, Type::INT8_ARRAY),
        (&columns.checks, Type::INT8_ARRAY),
    ];
    client.execute_typed(PUT, &values).await?;
    Ok(())
}

/// The rows that a query wants, in the order of their starts.
pub(super) async fn find(client: &Client, query: &RunQuery) -> Result<Vec<RunRow>, Failure> {
    let (sql, values) = select(query);
    let values: Vec<_> = values.iter().map(|value| value.typed()).collect();
    let rows = client.query_typed(&sql, &values).await?;
    Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
}

/// Deletes the rows of runs; says how many were there.
pub(super) async fn delete(client: &Client, runs: &[RunId]) -> Result<u64, Failure> {
    let keys: Vec<_> = runs.iter().map(|run| run.0.to_be_bytes()).collect();
    let keys: Vec<_> = keys.iter().map(<[u8; 16]>::as_slice).collect();
    Ok(client.execute_typed(DELETE, &[(&keys, Type::BYTEA_ARRAY)]).await?)
}

/// Reads the columns of a query.
fn row(row: &Row) -> Result<RunRow, Error> {
    let number = |column: usize| row.try_get::<_, i64>(column);
    let text = |column: usize| Ok::<_, Error>(String::from_utf8_lossy(row.try_get(column)?));
    let key: Option<&[u8]> = row.try_get(4)?;
    let ended_at: Option<i64> = row.try_get(7)?;
    Ok(RunRow {
        run: kept::run(row.try_get(0)?),
        graph: GraphName::new(&text(1)?, &text(2)?),
        version: VersionNumber(number(3)?.cast_unsigned()),
        key: key.map(|key| String::from_utf8_lossy(key).into()),
        status: text(5)?.into(),
        started_at: kept::timestamp(number(6)?),
        ended_at: ended_at.map(kept::timestamp),
        records: number(8)?.cast_unsigned(),
        check: number(9)?.cast_unsigned(),
    })
}
