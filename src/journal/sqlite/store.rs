//! What the thread works on: the connection, opened again when it broke.
//!
//! Invariants:
//! 1. Whatever writes is one transaction that begins by comparing the epoch.
//! 2. A connection on which something went wrong that the store did not decide is not used again.
//! 3. Nothing is done with a file that is not the one that was opened first, or whose path leads to
//!    it no more: SQLite goes on writing to one that was removed, and nobody would find that again.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::config::SqliteConfig;
use super::error::Failure;
use super::lock::OwnerLock;
use super::{connect, kept, records, rows};
use crate::id::RunId;
use crate::journal::contract::{Epoch, JournalSize, Write};
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};
use crate::journal::row::{RunQuery, RunRow};

const EPOCH: &str = "SELECT epoch FROM owner";
const NAME: &str = "SELECT name FROM owner";
const CLAIM: &str = "UPDATE owner SET epoch = ?1, name = ?2";

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    config: SqliteConfig,
    /// `None` after it broke, until the next request.
    connection: Option<Connection>,
    /// The file that was opened first. While it is open no other one has its number, and it is closed
    /// last: a process that closes a file gives up what SQLite has locked of it.
    file: File,
}

impl Store {
    pub(super) fn open(mut config: SqliteConfig) -> Result<Self, JournalError> {
        let (file, path) = connect::make_file(&config)?;
        config.path = path;
        let connection = connect::open(&config).map_err(|failure| at(&config.path, failure.0))?;
        let store = Self { config, connection: Some(connection), file };
        store.check_place()?;
        Ok(store)
    }

    /// Takes the lock of the owner, and the next epoch.
    pub(super) fn claim(&mut self, owner: &str) -> Result<(OwnerLock, Epoch), JournalError> {
        let Some(lock) = OwnerLock::take(&self.config.path)? else { return Err(self.refusal()) };
        let epoch = self.with(|connection| claim(connection, owner))?;
        Ok((lock, epoch))
    }

    /// Says who owns it, as far as it is known.
    fn refusal(&mut self) -> JournalError {
        match self.with(|db| Ok(db.query_row(NAME, (), |row| kept::read_text(row, 0))?)) {
            Ok(owner) => JournalError::Owned { owner },
            Err(error) => error,
        }
    }

    pub(super) fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<(), JournalError> {
        let is_record = |one: &Write| matches!(one, Write::Record(..));
        let mut together = writes.chunk_by(|a, b| is_record(a) && is_record(b));
        self.write(epoch, |db| together.try_for_each(|writes| write(db, writes)))
    }

    pub(super) fn read(
        &mut self,
        stream: Stream,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        self.with(|db| records::read(db, stream, after, limit))
    }

    pub(super) fn runs(&mut self, query: &RunQuery) -> Result<Vec<RunRow>, JournalError> {
        self.with(|db| rows::find(db, query))
    }

    pub(super) fn delete(&mut self, epoch: Epoch, runs: &[RunId]) -> Result<u64, JournalError> {
        self.write(epoch, |db| {
            let mut deleted = 0;
            for run in runs {
                deleted += u64::from(rows::delete(db, *run)?);
                records::delete(db, Stream::Run(*run))?;
            }
            Ok(deleted)
        })
    }

    pub(super) fn vacuum(&mut self, epoch: Epoch) -> Result<(), JournalError> {
        self.write(epoch, |_| Ok(()))?;
        // It cannot be part of a transaction; it changes nothing that anybody reads.
        self.with(|db| Ok(db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?))
    }

    pub(super) fn size(&mut self) -> Result<JournalSize, JournalError> {
        let ((runs, unfinished), records) =
            self.with(|db| Ok((rows::count(db)?, records::count(db)?)))?;
        let bytes = length(&self.config.path) + length(&beside(&self.config.path, "-wal"));
        Ok(JournalSize { runs, unfinished, records, bytes })
    }

    /// Works in one transaction of the latest epoch.
    fn write<T>(
        &mut self,
        epoch: Epoch,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        self.with(|connection| {
            // Rolled back when it is dropped.
            let transaction = immediate(connection)?;
            let found = latest(&transaction)?;
            if epoch != found {
                return Err(JournalError::Fenced { epoch, found }.into());
            }
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Works on the connection, opened again if the last one broke.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let outcome = self.connect().and_then(|mut connection| {
            let outcome = work(&mut connection);
            let is_sound = outcome.as_ref().err().is_none_or(Failure::leaves_the_connection_sound);
            // One that is inside a transaction still was not rolled back.
            self.connection = Some(connection).filter(|db| is_sound && db.is_autocommit());
            outcome
        });
        outcome.map_err(|failure| at(&self.config.path, failure.0))
    }

    fn connect(&mut self) -> Result<Connection, Failure> {
        let connection = self.connection.take();
        self.check_place()?;
        connection.map_or_else(|| connect::connect(&self.config), Ok)
    }

    /// Says where the store is not, if it is not where it was: it may be put back.
    fn check_place(&self) -> Result<(), JournalError> {
        let path = &self.config.path;
        let gone = |why: &dyn Display| JournalError::Storage(format!("{}: {why}", path.display()));
        match connect::leads_to(path, &self.file) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(gone(&"another file is there: put the store back, or restart the process"))
            }
            Err(error) => Err(gone(&error)),
        }
    }
}

fn immediate(connection: &mut Connection) -> Result<Transaction<'_>, Failure> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

fn latest(db: &Connection) -> Result<Epoch, Failure> {
    let mut latest = db.prepare_cached(EPOCH)?;
    Ok(Epoch(latest.query_row((), |row| kept::read_number(row, 0))?))
}

fn claim(connection: &mut Connection, owner: &str) -> Result<Epoch, Failure> {
    let transaction = immediate(connection)?;
    let next = latest(&transaction)?.0.checked_add(1);
    let next = next.ok_or_else(|| JournalError::Unusable("no epoch is left".to_owned()))?;
    transaction.execute(CLAIM, (kept::number(next), owner))?;
    transaction.commit()?;
    Ok(Epoch(next))
}

/// Writes records that follow each other, or one thing else.
fn write(db: &Connection, writes: &[Write]) -> Result<(), Failure> {
    let mut records = Vec::with_capacity(writes.len());
    for write in writes {
        match write {
            Write::Record(stream, record) => records.push((*stream, record)),
            Write::Row(row) => rows::put(db, row)?,
            Write::Truncate(stream, last) => {
                records::truncate(db, *stream, *last)?;
                if let (Stream::Run(run), 0) = (stream, last) {
                    rows::delete(db, *run)?;
                }
            }
        }
    }
    records::insert(db, &records)
}

/// Says which store it is that cannot be used.
fn at(path: &Path, error: JournalError) -> JournalError {
    match error {
        JournalError::Unusable(why) => JournalError::Unusable(format!("{}: {why}", path.display())),
        other => other,
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// How many bytes a file has; none if there is no such file, as after a checkpoint.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
