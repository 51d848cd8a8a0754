//! The journal that callers hold.

use std::sync::Arc;

use parking_lot::Mutex;

use super::config::SqliteConfig;
use super::lock::OwnerLock;
use super::store::Store;
use super::thread::StoreThread;
use crate::id::RunId;
use crate::journal::contract::{Epoch, Journal, JournalFuture, JournalSize, Write};
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};
use crate::journal::row::{RunQuery, RunRow};

/// A journal in one SQLite file.
///
/// Several processes may open it, and one at a time owns it: until it releases the store, drops
/// the journal or ends. The files `-wal` and `-shm` beside the store belong to it, and `-lock` is
/// what the owner holds. While the path does not lead to the file that was opened, because it was
/// removed or replaced, every request answers [`Storage`](JournalError::Storage); put back it goes on.
///
/// Dropping it waits for the request that is under way.
#[derive(Debug)]
pub struct SqliteJournal {
    thread: StoreThread,
    /// Behind the thread, so that it is dropped after the last request.
    owned: Mutex<Option<(OwnerLock, Epoch)>>,
}

impl SqliteJournal {
    /// Opens a store, and makes it if there is none: the file, but no directory.
    ///
    /// # Errors
    ///
    /// - [`Storage`](JournalError::Storage) if the file cannot be opened or made, or not be written.
    /// - [`Unusable`](JournalError::Unusable) if it is no store, or a damaged one.
    /// - [`Format`](JournalError::Format) if a later version of this library has written it.
    /// - [`Unavailable`](JournalError::Unavailable) if another process keeps it locked.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves a file that is made or not, whole in either case.
    ///
    /// # Examples
    ///
    /// ```
    /// use hotgraph::{Journal, SqliteConfig, SqliteJournal};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), hotgraph::JournalError> {
    /// # let path = std::env::temp_dir().join(format!("hotgraph-{}.db", std::process::id()));
    /// let journal = SqliteJournal::open(SqliteConfig::new(path).max_bytes(1 << 30)).await?;
    /// let epoch = journal.claim("the billing service").await?;
    /// assert_eq!(journal.size().await?.runs, 0);
    /// journal.release(epoch).await
    /// # }
    /// ```
    pub async fn open(config: impl Into<SqliteConfig>) -> Result<Self, JournalError> {
        let thread = StoreThread::start(config.into()).await?;
        Ok(Self { thread, owned: Mutex::default() })
    }
}

impl Journal for SqliteJournal {
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        Box::pin(async move {
            let owner = owner.to_owned();
            let (lock, epoch) = self.thread.ask(move |store| store.claim(&owner)).await?;
            *self.owned.lock() = Some((lock, epoch));
            Ok(epoch)
        })
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            self.owned.lock().take_if(|(_, owned)| *owned == epoch);
            Ok(())
        })
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(self.thread.ask(move |store| store.commit(epoch, &writes)))
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(self.thread.ask(move |store| store.read(stream, after, limit)))
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        let query = query.clone();
        Box::pin(self.thread.ask(move |store| store.runs(&query)))
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        Box::pin(self.thread.ask(move |store| store.delete(epoch, &runs)))
    }

    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        Box::pin(self.thread.ask(move |store| store.vacuum(epoch)))
    }

    fn size(&self) -> JournalFuture<'_, JournalSize> {
        Box::pin(self.thread.ask(Store::size))
    }
}
