//! The format of the store: which migrations were applied to it, and which are to come.
//!
//! A migration is a file. It is applied once, in order, and never changed afterwards: its checksum
//! is in the store, and in a test.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::error::Failure;
use crate::journal::error::JournalError;
use crate::journal::migration::{self, Migration};

const MIGRATIONS: [Migration; 1] =
    [Migration { name: "0001_journal", sql: include_str!("migrations/0001_journal.sql") }];

/// Refuses a store of which this library cannot say what is in it; gives back how many migrations
/// were applied to it.
pub(super) fn verify(connection: &Connection) -> Result<usize, Failure> {
    Ok(migration::verify(&MIGRATIONS, &applied(connection)?)?)
}

/// Applies the migrations that are missing: all of them or none.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    if verify(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have applied them while this one waited for its turn.
    for number in verify(&transaction)? + 1..=MIGRATIONS.len() {
        apply(&transaction, number)?;
    }
    Ok(transaction.commit()?)
}

fn apply(transaction: &Transaction<'_>, number: usize) -> Result<(), Failure> {
    let migration = &MIGRATIONS[number - 1];
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO migrations (number, name, checksum) VALUES (?1, ?2, ?3)",
        (number as i64, migration.name, migration.checksum()),
    )?;
    Ok(())
}

/// The numbers and checksums of the applied migrations, in their order.
fn applied(connection: &Connection) -> Result<Vec<(i64, String)>, Failure> {
    if !has_migrations(connection)? {
        return Ok(Vec::new());
    }
    let sql = "SELECT number, checksum FROM migrations ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let applied = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(applied.collect::<Result<_, _>>()?)
}

/// Whether it is a store; an empty database becomes one, and another one is somebody else's.
fn has_migrations(connection: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT name = 'migrations' FROM sqlite_schema WHERE type = 'table' ORDER BY 1 DESC";
    match connection.query_row(sql, (), |row| row.get(0)).optional()? {
        Some(false) => Err(JournalError::Unusable("it holds other tables".to_owned()).into()),
        Some(true) => Ok(true),
        None => Ok(false),
    }
}
