//! A journal of a process that dies at a chosen commit.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotgraph::{Epoch, Journal, JournalFuture, MemoryJournal, SystemClock, Write};
use tokio::sync::Notify;

use super::before::{Before, Hook};
use super::scenarios::Calls;

/// When a process dies.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Never.
    Never,
    /// At the commit of that number, counted from 0, which is not written.
    Before(usize),
    /// At the commit of that number, which is written and never acknowledged.
    After(usize),
}

/// The journal of a process that dies.
pub type CutJournal = Before<Dying>;

/// Lets a journal answer until the process dies; from then on it never answers.
#[derive(Debug)]
pub struct Dying {
    pub inner: Arc<MemoryJournal>,
    cut: Cut,
    commits: AtomicUsize,
    died: Notify,
}

impl CutJournal {
    pub fn new(inner: Arc<MemoryJournal>, cut: Cut) -> Arc<Self> {
        let (commits, died) = (AtomicUsize::new(0), Notify::new());
        Arc::new(Before(Dying { inner, cut, commits, died }))
    }

    /// Ends when the process has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Hook for Dying {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            let number = self.commits.fetch_add(1, Ordering::SeqCst);
            let (is_written, is_told) = match self.cut {
                Cut::Never => (true, true),
                Cut::Before(cut) => (number < cut, number < cut),
                Cut::After(cut) => (number <= cut, number < cut),
            };
            let answer = match is_written {
                true => self.inner.commit(epoch, writes).await,
                false => Ok(()),
            };
            if is_told {
                return answer;
            }
            self.died.notify_one();
            std::future::pending().await
        })
    }
}

/// A process that dies, and what the one after it finds.
pub struct Process {
    pub journal: Arc<CutJournal>,
    pub calls: Calls,
    /// Time goes on between processes.
    pub clock: SystemClock,
}

impl Process {
    pub fn new(kept: Arc<MemoryJournal>, cut: Cut, clock: &SystemClock) -> Self {
        let journal = CutJournal::new(kept, cut);
        Self { journal, calls: Calls::default(), clock: clock.clone() }
    }

    /// Works until that is done or the process has died.
    pub async fn until_it_dies<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.journal.died() => None,
        }
    }
}
