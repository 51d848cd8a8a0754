//! The format of the store: which migrations were applied to it, and which are to come.
//!
//! A migration is a file. It is applied once, in order, and never changed afterwards: its checksum
//! is in the store, and in a test.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::connect::quoted;
use super::error::Failure;
use super::lock::key;
use super::owner::BEGIN;
use super::query::Typed;
use crate::journal::error::JournalError;
use crate::journal::migration::{self, Migration};

const MIGRATIONS: [Migration; 1] =
    [Migration { name: "0001_journal", sql: include_str!("migrations/0001_journal.sql") }];

const HAS_SCHEMA: &str = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
const HAS_TABLE: &str = "SELECT relname = 'migrations' FROM pg_class \
                         WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace = \
                         (SELECT oid FROM pg_namespace WHERE nspname = $1) ORDER BY 1 DESC LIMIT 1";
const APPLIED: &str = "SELECT number, checksum FROM migrations ORDER BY number";
const APPLY: &str = "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)";
/// Given back with the end of the transaction.
const TURN: &str = "SELECT pg_advisory_xact_lock($1)";

/// Refuses a store of which this library cannot say what is in it; gives back how many migrations
/// were applied to it.
pub(super) async fn verify(client: &Client, schema: &str) -> Result<usize, Failure> {
    let table = client.query_typed_opt(HAS_TABLE, &[(&schema, Type::TEXT)]).await?;
    let applied = match table.map(|row| row.try_get(0)).transpose()? {
        None => Vec::new(),
        Some(true) => client.query_typed(APPLIED, &[]).await?,
        // An empty schema becomes a store, and another one is somebody else's.
        Some(false) => {
            return Err(JournalError::Unusable("it holds other tables".to_owned()).into());
        }
    };
    let applied = applied.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let applied: Vec<_> = applied.collect::<Result<_, tokio_postgres::Error>>()?;
    Ok(migration::verify(&MIGRATIONS, &applied)?)
}

/// Applies the migrations that are missing: all of them or none.
///
/// A connection on which that fails is not used again, and its end takes back what was begun.
pub(super) async fn migrate(client: &Client, schema: &str) -> Result<(), Failure> {
    if verify(client, schema).await? == MIGRATIONS.len() {
        return Ok(());
    }
    client.batch_execute(BEGIN).await?;
    let turn = key("migrate", schema);
    client.query_typed(TURN, &[(&turn, Type::INT8)]).await?;
    make(client, schema).await?;
    // Another process may have applied them while this one waited for its turn.
    for number in verify(client, schema).await? + 1..=MIGRATIONS.len() {
        apply(client, number).await?;
    }
    Ok(client.batch_execute("COMMIT").await?)
}

/// Makes the schema, unless it is there: then it may be somebody else who has the right to.
async fn make(client: &Client, schema: &str) -> Result<(), Failure> {
    let found = client.query_typed(HAS_SCHEMA, &[(&schema, Type::TEXT)]).await?;
    if found.is_empty() {
        client.batch_execute(&format!("CREATE SCHEMA {}", quoted(schema))).await?;
    }
    Ok(())
}

async fn apply(client: &Client, number: usize) -> Result<(), Failure> {
    let migration = &MIGRATIONS[number - 1];
    client.batch_execute(migration.sql).await?;
    let values = (number as i64, migration.name, migration.checksum());
    let applied: [Typed<'_>; 3] =
        [(&values.0, Type::INT8), (&values.1, Type::TEXT), (&values.2, Type::TEXT)];
    client.execute_typed(APPLY, &applied).await?;
    Ok(())
}
