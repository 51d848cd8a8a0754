//! A journal that is slow and fails now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Epoch, Journal, JournalError, JournalFuture, MemoryJournal, Record, Rng, RunId, RunQuery,
    RunRow, Stream, Write,
};
use parking_lot::Mutex;

use super::told::Told;
use crate::durable::before::{Before, Hook};

/// A journal that is slow and fails now and then, as long as its process lives.
#[derive(Debug)]
pub(super) struct Shaky {
    pub kept: Arc<MemoryJournal>,
    pub rng: Mutex<Rng>,
    pub slowest: u64,
    /// How many calls of a hundred fail.
    pub fails: Mutex<u64>,
    pub is_dead: AtomicBool,
    pub told: Arc<Mutex<Told>>,
}

impl Shaky {
    /// Waits a little; says how the call is to fail.
    async fn pass(&self) -> Option<bool> {
        let wait = { self.rng.lock().up_to(self.slowest) };
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        if self.is_dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let fails = *self.fails.lock();
        let mut rng = self.rng.lock();
        (rng.up_to(99) < fails).then(|| rng.up_to(1) == 0)
    }
}

fn away() -> JournalError {
    JournalError::Unavailable("no answer".into())
}

impl Hook for Shaky {
    fn inner(&self) -> &dyn Journal {
        &*self.kept
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            let failure = self.pass().await;
            if failure != Some(false) {
                self.kept.commit(epoch, writes).await?;
            }
            failure.map_or(Ok(()), |_| Err(away()))
        })
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            match self.pass().await {
                Some(_) => Err(away()),
                None => self.kept.read(stream, after, limit).await,
            }
        })
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            let failure = self.pass().await;
            let rows = self.kept.runs(query).await;
            // What was read may be old when it is there.
            tokio::task::yield_now().await;
            match failure {
                Some(_) => Err(away()),
                None => rows,
            }
        })
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        Box::pin(async move {
            let failure = self.pass().await;
            if failure == Some(false) {
                return Err(away());
            }
            {
                let mut told = self.told.lock();
                for run in runs.iter() {
                    assert!(!told.executing.contains_key(run), "{run} is deleted and live");
                    told.deleted.insert(*run);
                }
            }
            let gone = self.kept.delete(epoch, runs).await?;
            failure.map_or(Ok(gone), |_| Err(away()))
        })
    }
}

/// The journal fails now and then.
pub(super) async fn weather(journal: Arc<Before<Shaky>>, mut rng: Rng) {
    loop {
        tokio::time::sleep(Duration::from_millis(rng.up_to(3_000))).await;
        let fails = [0, 0, 20, 70, 100][usize::try_from(rng.up_to(4)).unwrap()];
        *journal.fails.lock() = fails;
    }
}
