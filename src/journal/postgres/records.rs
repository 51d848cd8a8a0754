//! The statements about records.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Failure;
use super::query::Typed;
use crate::id::RunId;
use crate::journal::error::JournalError;
use crate::journal::kept;
use crate::journal::record::{Record, Stream};

const INSERT: &str = "INSERT INTO records (stream, seq, checksum, body) \
                      SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT DO NOTHING";
/// The place of the first record that is not the one that is there.
const CONFLICT: &str = "SELECT given.place \
    FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS given (stream, seq, checksum, body, place) \
    JOIN records USING (stream, seq) \
    WHERE records.checksum <> given.checksum OR records.body <> given.body \
    ORDER BY given.place LIMIT 1";
const READ: &str = "SELECT seq, checksum, body FROM records \
                    WHERE stream = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq LIMIT $4";
const TRUNCATE: &str = "DELETE FROM records WHERE stream = $1 AND seq BETWEEN $2 AND $3";
const DELETE: &str = "DELETE FROM records WHERE stream = ANY($1)";

/// Writes records, but for those that are there.
pub(super) async fn insert(client: &Client, records: &[(Stream, &Record)]) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = records.iter().map(|(stream, _)| kept::key(*stream)).collect();
    let keys: Vec<_> = keys.iter().map(|key| key.as_slice()).collect();
    let numbers: Vec<_> = records.iter().map(|(_, record)| kept::number(record.seq)).collect();
    let checks: Vec<_> = records.iter().map(|(_, record)| kept::number(record.check)).collect();
    let bodies: Vec<_> = records.iter().map(|(_, record)| record.body.as_slice()).collect();
    let given: [Typed<'_>; 4] = [
        (&keys, Type::BYTEA_ARRAY),
        (&numbers, Type::INT8_ARRAY),
        (&checks, Type::INT8_ARRAY),
        (&bodies, Type::BYTEA_ARRAY),
    ];
    if client.execute_typed(INSERT, &given).await? == records.len() as u64 {
        return Ok(());
    }
    let Some(row) = client.query_typed_opt(CONFLICT, &given).await? else { return Ok(()) };
    let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(1);
    let (stream, record) = records[place.saturating_sub(1)];
    Err(JournalError::Conflict { stream, seq: record.seq }.into())
}

/// The records after a number, in their order.
pub(super) async fn read(
    client: &Client,
    stream: Stream,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, Failure> {
    let key = kept::key(stream);
    let mut found = Vec::new();
    for (first, last) in kept::after(after) {
        let left = kept::limit(limit - found.len());
        if left > 0 {
            let values: [Typed<'_>; 4] = [
                (&key.as_slice(), Type::BYTEA),
                (&first, Type::INT8),
                (&last, Type::INT8),
                (&left, Type::INT8),
            ];
            for row in client.query_typed(READ, &values).await? {
                found.push(record(&row)?);
            }
        }
    }
    Ok(found)
}

/// Deletes the records after a number.
pub(super) async fn truncate(client: &Client, stream: Stream, last: u64) -> Result<(), Failure> {
    let key = kept::key(stream);
    for (first, last) in kept::after(last) {
        let values: [Typed<'_>; 3] =
            [(&key.as_slice(), Type::BYTEA), (&first, Type::INT8), (&last, Type::INT8)];
        client.execute_typed(TRUNCATE, &values).await?;
    }
    Ok(())
}

/// Deletes all records of runs.
pub(super) async fn delete(client: &Client, runs: &[RunId]) -> Result<(), Failure> {
    let keys: Vec<_> = runs.iter().map(|run| run.0.to_be_bytes()).collect();
    let keys: Vec<_> = keys.iter().map(<[u8; 16]>::as_slice).collect();
    client.execute_typed(DELETE, &[(&keys, Type::BYTEA_ARRAY)]).await?;
    Ok(())
}

fn record(row: &Row) -> Result<Record, Failure> {
    Ok(Record {
        seq: row.try_get::<_, i64>(0)?.cast_unsigned(),
        check: row.try_get::<_, i64>(1)?.cast_unsigned(),
        body: row.try_get(2)?,
    })
}
