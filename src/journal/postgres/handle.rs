//! The journal that callers hold.

use std::sync::Arc;

use super::config::PostgresConfig;
use super::store::Store;
use super::task::StoreTask;
use crate::id::RunId;
use crate::journal::contract::{Epoch, Journal, JournalFuture, JournalSize, Write};
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};
use crate::journal::row::{RunQuery, RunRow};

/// A journal in a PostgreSQL database.
///
/// Several processes may connect to it, and one at a time owns it: until it releases the store,
/// drops the journal or ends. That the owner's machine has vanished is known to the server after a
/// minute.
///
/// A connection that is lost is made again by the next request. What was under way answers
/// [`Unavailable`](JournalError::Unavailable), and the same commit given again is written once.
/// Whoever has lost the store meanwhile is told so: [`Fenced`](JournalError::Fenced).
///
/// Dropping it cuts off the request that is under way: it was carried out or not.
#[derive(Debug)]
pub struct PostgresJournal {
    task: StoreTask,
}

impl PostgresJournal {
    /// Connects to a store, and makes its schema and tables if there are none.
    ///
    /// It is to be called inside a tokio runtime with time and I/O, which has to live as long as
    /// the journal.
    ///
    /// # Errors
    ///
    /// - [`Unavailable`](JournalError::Unavailable) if the server cannot be reached, or does not
    ///   answer in time.
    /// - [`Storage`](JournalError::Storage) if the server refuses, such as a wrong password or a
    ///   database that is not there.
    /// - [`Unusable`](JournalError::Unusable) if the URL is none, or the schema is no store.
    /// - [`Format`](JournalError::Format) if a later version of this library has written it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves tables that are made or not, whole in either case.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hotgraph::{Journal, JournalError, PostgresConfig, PostgresJournal};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), JournalError> {
    /// // Nobody listens there.
    /// let config = PostgresConfig::new("postgresql://127.0.0.1:1/billing").schema("runs");
    /// let config = config.connect_timeout(Duration::from_secs(2));
    /// match PostgresJournal::connect(config).await {
    ///     Ok(journal) => println!("{} runs", journal.size().await?.runs),
    ///     Err(JournalError::Unavailable(why)) => println!("it is not there: {why}"),
    ///     Err(other) => return Err(other),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(config: impl Into<PostgresConfig>) -> Result<Self, JournalError> {
        let store = Store::open(config.into()).await?;
        Ok(Self { task: StoreTask::start(store) })
    }
}

impl Journal for PostgresJournal {
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        let owner = owner.to_owned();
        Box::pin(self.task.ask_or_undo(
            move |store| Box::pin(async move { store.claim(&owner).await }),
            |store, epoch| Box::pin(store.release(epoch)),
        ))
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(self.task.ask(move |store| Box::pin(store.release(epoch))))
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(
            self.task.ask(move |store| Box::pin(async move { store.commit(epoch, &writes).await })),
        )
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(self.task.ask(move |store| Box::pin(store.read(stream, after, limit))))
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        let query = query.clone();
        Box::pin(self.task.ask(move |store| Box::pin(async move { store.runs(&query).await })))
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        Box::pin(
            self.task.ask(move |store| Box::pin(async move { store.delete(epoch, &runs).await })),
        )
    }

    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(self.task.ask(move |store| Box::pin(store.vacuum(epoch))))
    }

    fn size(&self) -> JournalFuture<'_, JournalSize> {
        Box::pin(self.task.ask(|store| Box::pin(store.size())))
    }
}
