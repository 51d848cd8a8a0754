//! A journal of a process that dies at a chosen commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotgraph::{
    Epoch, Journal, JournalFuture, JournalSize, MemoryJournal, Record, RunId, RunQuery, RunRow,
    Stream, Write,
};
use tokio::sync::Notify;

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

/// Lets a journal answer until the process dies; from then on it never answers.
#[derive(Debug)]
pub struct CutJournal {
    pub inner: Arc<MemoryJournal>,
    cut: Cut,
    commits: AtomicUsize,
    died: Notify,
}

impl CutJournal {
    pub fn new(inner: Arc<MemoryJournal>, cut: Cut) -> Arc<Self> {
        Arc::new(Self { inner, cut, commits: AtomicUsize::new(0), died: Notify::new() })
    }

    /// Ends when the process has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Journal for CutJournal {
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        self.inner.claim(owner)
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.inner.release(epoch)
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
