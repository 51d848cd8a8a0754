//! How much a journal is given at once, and who has it after a runtime that was not built.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotgraph::{
    BuildError, Document, Durability, Emit, Epoch, Handler, Journal, JournalFuture, MemoryJournal,
    NodeSpec, Record, RunStatus, Runtime, Stream, Value, Write,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::before::{Before, Hook};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// Remembers the largest commit.
#[derive(Debug, Default)]
struct Weighing {
    inner: MemoryJournal,
    most: AtomicUsize,
}

impl Hook for Weighing {
    fn inner(&self) -> &dyn Journal {
        &self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        self.most.fetch_max(writes.len(), Ordering::Relaxed);
        self.inner.commit(epoch, writes)
    }
}

#[tokio::test]
async fn a_run_that_is_seldom_flushed_keeps_few_entries_in_memory() {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let journal = Arc::new(Before(Weighing::default()));
    let runtime = Runtime::builder()
        .lanes(2)
        .durability(Durability::OnFanoutAndUnites)
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .journal(journal.clone())
        .build()
        .await
        .unwrap();
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 1).next("work"))
        .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let start = runtime.start("g", Value::object([("n", 40_000)]));
    assert_eq!(start.run().await.unwrap().status, RunStatus::Success);
    // Each of two lanes may append a report more before it waits.
    let most = journal.most.load(Ordering::Relaxed);
    assert!(most < 10_000, "{most} in one commit");
}

/// Belongs to one owner, as a store on disk does.
#[derive(Debug)]
struct Owned {
    inner: MemoryJournal,
    is_owned: Mutex<bool>,
}

impl Owned {
    fn is_owned(&self) -> bool {
        *self.is_owned.lock()
    }
}

impl Hook for Owned {
    fn inner(&self) -> &dyn Journal {
        &self.inner
    }

    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        *self.is_owned.lock() = true;
        self.inner.claim(owner)
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        *self.is_owned.lock() = false;
        self.inner.release(epoch)
    }
}

#[tokio::test]
async fn a_runtime_that_cannot_be_built_gives_the_journal_back() {
    let inner = MemoryJournal::new();
    let epoch = inner.claim("a test").await.unwrap();
    let record = Record::new(Stream::Versions, 1, b"no command".to_vec());
    let write = [Write::Record(Stream::Versions, record)];
    inner.commit(epoch, Arc::new(write)).await.unwrap();
    let journal = Arc::new(Before(Owned { inner, is_owned: Mutex::new(false) }));
    let refused = Runtime::builder().journal(journal.clone()).build().await.unwrap_err();
    assert!(matches!(refused, BuildError::Journal(_)), "{refused}");
    assert!(!journal.is_owned());
}
