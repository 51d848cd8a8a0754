//! A journal that fails for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotgraph::{Epoch, Journal, JournalError, JournalFuture, MemoryJournal, Write};
use parking_lot::Mutex;

use super::before::{Before, Hook};

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

/// A journal that fails for a while.
pub type Faulty = Before<Failing>;

/// Fails from one commit on, for so many of them.
#[derive(Debug)]
pub struct Failing {
    pub inner: Arc<MemoryJournal>,
    failure: Failure,
    from: usize,
    until: Mutex<usize>,
    commits: AtomicUsize,
}

impl Faulty {
    pub fn new(inner: Arc<MemoryJournal>, failure: Failure, from: usize, for_: usize) -> Arc<Self> {
        let until = Mutex::new(from.saturating_add(for_));
        let commits = AtomicUsize::new(0);
        Arc::new(Before(Failing { inner, failure, from, until, commits }))
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

impl Hook for Failing {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
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
}
