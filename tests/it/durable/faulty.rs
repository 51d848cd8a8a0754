//! A journal that fails for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotgraph::{
    Epoch, Journal, JournalError, JournalFuture, JournalSize, MemoryJournal, Record, RunId,
    RunQuery, RunRow, Stream, Write,
};
use parking_lot::Mutex;

/// How a journal fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Storage,
    Full,
    Unavailable,
    /// It says that it is unavailable when it has written everything.
    Written,
}

pub const FAILURES: [Failure; 4] =
    [Failure::Storage, Failure::Full, Failure::Unavailable, Failure::Written];

impl Failure {
    fn error(self) -> JournalError {
        match self {
            Self::Storage => JournalError::Storage("an I/O error".into()),
            Self::Full => JournalError::Full("no space left".into()),
            Self::Unavailable | Self::Written => JournalError::Unavailable("no answer".into()),
        }
    }
}

/// Fails from one commit on, for so many of them.
#[derive(Debug)]
pub struct Faulty {
    pub inner: Arc<MemoryJournal>,
    failure: Failure,
    from: usize,
    until: Mutex<usize>,
    commits: AtomicUsize,
}

impl Faulty {
    pub fn new(inner: Arc<MemoryJournal>, failure: Failure, from: usize, for_: usize) -> Arc<Self> {
        let until = Mutex::new(from.saturating_add(for_));
        Arc::new(Self { inner, failure, from, until, commits: AtomicUsize::new(0) })
    }

    /// One that never fails.
    pub fn whole(inner: Arc<MemoryJournal>) -> Arc<Self> {
        Self::new(inner, Failure::Full, usize::MAX, 0)
    }

    /// It works again.
    pub fn heal(&self) {
        *self.until.lock() = 0;
    }

    /// How many commits were tried.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Journal for Faulty {
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        self.inner.claim(owner)
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.inner.release(epoch)
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            // Others come to wait meanwhile, as they do with one that takes its time.
            tokio::task::yield_now().await;
            let number = self.commits.fetch_add(1, Ordering::SeqCst);
            if !(self.from..*self.until.lock()).contains(&number) {
                return self.inner.commit(epoch, writes).await;
            }
            if self.failure == Failure::Written {
                self.inner.commit(epoch, writes).await?;
            }
            Err(self.failure.error())
        })
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        self.inner.read(stream, after, limit)
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        self.inner.runs(query)
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        self.inner.delete(epoch, runs)
    }

    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.inner.vacuum(epoch)
    }

    fn size(&self) -> JournalFuture<'_, JournalSize> {
        self.inner.size()
    }
}
