//! Something that stands before a journal, and changes what passes.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use hotgraph::{
    Epoch, Journal, JournalFuture, JournalSize, Record, RunId, RunQuery, RunRow, Stream, Write,
};

/// What stands before a journal: it says what it does otherwise, and passes the rest on.
pub trait Hook: Debug + Send + Sync + 'static {
    fn inner(&self) -> &dyn Journal;

    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        self.inner().claim(owner)
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.inner().release(epoch)
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        self.inner().commit(epoch, writes)
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        self.inner().read(stream, after, limit)
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        self.inner().runs(query)
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        self.inner().delete(epoch, runs)
    }
}

/// The journal that is seen through a hook.
#[derive(Debug)]
pub struct Before<H>(pub H);

impl<H> Deref for Before<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.0
    }
}

impl<H: Hook> Journal for Before<H> {
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        self.0.claim(owner)
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.0.release(epoch)
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        self.0.commit(epoch, writes)
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        self.0.read(stream, after, limit)
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        self.0.runs(query)
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        self.0.delete(epoch, runs)
    }

    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        self.inner().vacuum(epoch)
    }

    fn size(&self) -> JournalFuture<'_, JournalSize> {
        self.inner().size()
    }
}
