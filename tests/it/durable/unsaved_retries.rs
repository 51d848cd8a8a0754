//! Retries by hand that a journal does not take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeError,
    NodeSpec, RetryError, RetryPolicy, RunStatus, Runtime, Value, Write,
};

use super::before::{Before, Hook};

/// A journal that may be away.
#[derive(Debug, Default)]
struct Away {
    inner: Arc<MemoryJournal>,
    is_away: AtomicBool,
}

impl Hook for Away {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(JournalError::Unavailable("it is away".to_owned())) }),
            false => self.inner.commit(epoch, writes),
        }
    }
}

async fn process(journal: Arc<Before<Away>>) -> Runtime {
    let fails = |_: ()| async { Err::<(), _>(NodeError::new("it always fails")) };
    let builder = Runtime::builder().handler(Handler::one("fails", fails)).journal(journal);
    builder.build().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_on_record_when_the_runtime_is_shut_down_is_refused() {
    let journal = Arc::new(Before(Away::default()));
    let runtime = process(journal.clone()).await;
    let graph = Document::builder("g").node(NodeSpec::new("fails").retry(RetryPolicy::none()));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    journal.is_away.store(true, Ordering::SeqCst);
    let retried = run.clone();
    let retry = tokio::spawn(async move { retried.retry_failed("again").await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = runtime.shutdown(Duration::from_secs(1)).await;
    assert_eq!(report.parked, [run.id()]);
    let answer = retry.await.unwrap();
    assert!(matches!(answer, Err(RetryError::Journal(_))), "{answer:?}");
    drop(runtime);
    journal.is_away.store(false, Ordering::SeqCst);
    // The next process knows nothing of it.
    let next = process(journal).await;
    let read = next.storage().unwrap().load(run.id()).await.unwrap();
    assert_eq!(read.outcome().await.status, RunStatus::Failed);
    read.retry_failed("again").await.unwrap();
    assert_eq!(read.outcome().await.status, RunStatus::Failed);
}
