//! What the task works on: the connection, made again when it was lost.
//!
//! Invariants:
//! 1. Whatever writes is one transaction that compares the epoch, and whoever claims the store
//!    waits for it.
//! 2. While this journal owns the store, the session of a connection that is in use holds the lock.
//! 3. A connection on which something may be under way still is not used again.

use tokio_postgres::Client;

use super::config::PostgresConfig;
use super::connect::{Connection, connect, limit, within};
use super::error::Failure;
use super::lock::OwnerLock;
use super::migrate::migrate;
use super::owner::{self, transaction};
use super::{commit, records, rows};
use crate::id::RunId;
use crate::journal::contract::{Epoch, JournalSize, Write};
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};
use crate::journal::row::{RunQuery, RunRow};

const SIZE: &str = "SELECT (SELECT count(*) FROM runs), \
    (SELECT count(*) FROM runs WHERE ended_at IS NULL), (SELECT count(*) FROM records), \
    pg_total_relation_size('runs') + pg_total_relation_size('records') \
    + pg_total_relation_size('owner') + pg_total_relation_size('migrations')";

const VACUUM: &str = "VACUUM (FULL) records, runs, owner";

/// A store that can be reached, or could be a while ago.
#[derive(Debug)]
pub(super) struct Store {
    config: PostgresConfig,
    /// `None` after it was lost, until the next request.
    connection: Option<Connection>,
    lock: OwnerLock,
    /// The epoch that this journal has claimed and not given back.
    owned: Option<Epoch>,
}

impl Store {
    pub(super) async fn open(config: PostgresConfig) -> Result<Self, JournalError> {
        let lock = OwnerLock::of(&config.schema);
        let mut store = Self { config, connection: None, lock, owned: None };
        let connection = store.connect().await?;
        let migrated = migrate(&connection.client, &store.config.schema);
        let migrated = within(store.config.request_timeout, migrated).await;
        store.keep(connection, migrated)?;
        Ok(store)
    }

    /// Takes the lock of the owner, and the next epoch.
    pub(super) async fn claim(&mut self, owner: &str) -> Result<Epoch, JournalError> {
        let connection = self.connect().await?;
        let limit = self.config.request_timeout;
        let claimed = within(limit, self.claim_on(&connection, owner)).await;
        self.keep(connection, claimed)
    }

    /// Gives the lock back, if it is that of this epoch.
    pub(super) async fn release(&mut self, epoch: Epoch) -> Result<(), JournalError> {
        if self.owned != Some(epoch) {
            return Ok(());
        }
        let connection = self.connect().await?;
        let given_back = self.lock.give_back(&connection.client);
        let given_back = within(self.config.request_timeout, given_back).await;
        self.keep(connection, given_back)?;
        self.owned = None;
        Ok(())
    }

    pub(super) async fn commit(
        &mut self,
        epoch: Epoch,
        writes: &[Write],
    ) -> Result<(), JournalError> {
        let connection = self.connect().await?;
        let client = &connection.client;
        let committed = transaction(client, epoch, commit::write(client, writes));
        let committed = within(self.config.request_timeout, committed).await;
        self.keep(connection, committed)
    }

    pub(super) async fn read(
        &mut self,
        stream: Stream,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let connection = self.connect().await?;
        let read = records::read(&connection.client, stream, after, limit);
        let read = within(self.config.request_timeout, read).await;
        self.keep(connection, read)
    }

    pub(super) async fn runs(&mut self, query: &RunQuery) -> Result<Vec<RunRow>, JournalError> {
        let connection = self.connect().await?;
        let found = rows::find(&connection.client, query);
        let found = within(self.config.request_timeout, found).await;
        self.keep(connection, found)
    }

    pub(super) async fn delete(
        &mut self,
        epoch: Epoch,
        runs: &[RunId],
    ) -> Result<u64, JournalError> {
        let connection = self.connect().await?;
        let client = &connection.client;
        let deleted = transaction(client, epoch, async {
            records::delete(client, runs).await?;
            rows::delete(client, runs).await
        });
        let deleted = within(self.config.request_timeout, deleted).await;
        self.keep(connection, deleted)
    }

    pub(super) async fn vacuum(&mut self, epoch: Epoch) -> Result<(), JournalError> {
        self.commit(epoch, &[]).await?;
        let connection = self.connect().await?;
        let vacuumed = vacuum(&connection.client, &self.config).await;
        self.keep(connection, vacuumed)
    }

    pub(super) async fn size(&mut self) -> Result<JournalSize, JournalError> {
        let connection = self.connect().await?;
        let size = within(self.config.request_timeout, size(&connection.client)).await;
        self.keep(connection, size)
    }

    async fn claim_on(&mut self, connection: &Connection, owner: &str) -> Result<Epoch, Failure> {
        let client = &connection.client;
        if self.owned.is_some() || !self.lock.take(client, connection.session).await? {
            return Err(JournalError::Owned { owner: owner::name(client).await? }.into());
        }
        match owner::claim(client, owner).await {
            Ok(epoch) => {
                self.owned = Some(epoch);
                Ok(epoch)
            }
            Err(failure) => {
                self.lock.give_back(client).await?;
                Err(failure)
            }
        }
    }

    /// The connection that there is, or a new one, which takes the lock back.
    async fn connect(&mut self) -> Result<Connection, JournalError> {
        let usable = |connection: &Connection| !connection.client.is_closed();
        if let Some(connection) = self.connection.take().filter(usable) {
            return Ok(connection);
        }
        let connected = connect(&self.config).await;
        let connection = connected.map_err(|failure| self.said(failure))?;
        if let Some(epoch) = self.owned {
            let limit = self.config.request_timeout;
            let regained = within(limit, self.regain(&connection, epoch)).await;
            regained.map_err(|failure| self.said(failure))?;
        }
        Ok(connection)
    }

    /// Takes the lock back, or knows that another one owns the store now.
    async fn regain(&mut self, connection: &Connection, epoch: Epoch) -> Result<(), Failure> {
        let client = &connection.client;
        let is_taken = self.lock.take(client, connection.session).await?;
        let is_latest = owner::latest(client).await? == epoch;
        match (is_taken, is_latest) {
            (true, true) => return Ok(()),
            (true, false) => self.lock.give_back(client).await?,
            (false, false) => {}
            // Whoever holds it claims the store at this moment, or gives up.
            (false, true) => {
                let why = "another session holds the lock of the owner".to_owned();
                return Err(JournalError::Unavailable(why).into());
            }
        }
        self.owned = None;
        Ok(())
    }

    /// Keeps a connection that is sound, and gives the answer.
    fn keep<T>(
        &mut self,
        connection: Connection,
        outcome: Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let is_sound = outcome.as_ref().err().is_none_or(Failure::leaves_the_connection_sound);
        self.connection = Some(connection).filter(|_| is_sound);
        outcome.map_err(|failure| self.said(failure))
    }

    /// Says which store it is that cannot be used.
    fn said(&self, failure: Failure) -> JournalError {
        match failure.0 {
            JournalError::Unusable(why) => {
                JournalError::Unusable(format!("schema {}: {why}", self.config.schema))
            }
            other => other,
        }
    }
}

/// Takes as long as it does. Silence is noticed by the sockets, which ask whether the peer is there.
async fn vacuum(client: &Client, config: &PostgresConfig) -> Result<(), Failure> {
    client.batch_execute("SET statement_timeout TO 0").await?;
    // On its own: several statements in one message are a transaction, and it cannot be part of one.
    let vacuumed = client.batch_execute(VACUUM).await;
    client.batch_execute(&limit(config)).await?;
    Ok(vacuumed?)
}

async fn size(client: &Client) -> Result<JournalSize, Failure> {
    let row = client.query_typed_one(SIZE, &[]).await?;
    let number = |column: usize| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
    let (runs, unfinished, records) = (number(0)?, number(1)?, number(2)?);
    Ok(JournalSize { runs, unfinished, records, bytes: number(3)? })
}
