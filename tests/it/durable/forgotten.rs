//! A run that was forgotten or deleted, and whose key or handle is used: there is one run of it, or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, Journal, JournalFuture, MemoryJournal, NodeError, NodeSpec,
    RetryError, RetryPolicy, RunQuery, RunRow, RunStatus, Runtime, RuntimeBuilder, Value,
};

use super::before::{Before, Hook};

/// A runtime whose first attempt fails.
async fn process(builder: RuntimeBuilder) -> Runtime {
    let has_failed = Arc::new(AtomicBool::new(false));
    let slow = move |_: (), ctx: Context| {
        let is_first = !has_failed.swap(true, Ordering::SeqCst);
        async move {
            ctx.sleep(Duration::from_secs(60)).await;
            if is_first { Err(NodeError::permanent("the first time")) } else { Ok(()) }
        }
    };
    let runtime = builder.handler(Handler::one("slow", slow)).build().await.unwrap();
    let graph = Document::builder("g").retry(RetryPolicy::none()).node(NodeSpec::new("slow"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_forgotten_and_is_retried_is_found_by_its_key() {
    let journal = Arc::new(MemoryJournal::new());
    for builder in [Runtime::builder(), Runtime::builder().journal(journal)] {
        let runtime = process(builder.keep_ended(0)).await;
        let start = || async { runtime.start("g", Value::Null).idempotency_key("key").await };
        let run = start().await.unwrap();
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        assert!(runtime.run(run.id()).is_none());
        run.retry_failed("by hand").await.unwrap();
        assert_eq!(start().await.unwrap().id(), run.id());
        assert_eq!(runtime.live_runs(), 1);
        assert_eq!(run.await.status, RunStatus::Success);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_forgotten_is_found_by_its_key_in_the_journal() {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(Runtime::builder().journal(journal).keep_ended(0)).await;
    let start = || async { runtime.start("g", Value::Null).idempotency_key("key").await.unwrap() };
    let run = start().await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    let again = start().await;
    assert_eq!((again.id(), runtime.live_runs()), (run.id(), 0));
    assert_eq!(again.outcome().await.status, RunStatus::Failed);
    // One of the two handles goes on with it, and no other beside it.
    again.retry_failed("by hand").await.unwrap();
    assert_eq!(run.retry_failed("as well").await, Err(RetryError::Gone));
    assert_eq!(again.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_run_that_another_handle_went_on_with_retries_nothing() {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(Runtime::builder().journal(journal).keep_ended(0)).await;
    let start = || async { runtime.start("g", Value::Null).idempotency_key("key").await.unwrap() };
    let run = start().await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    let again = start().await;
    again.retry_failed("by hand").await.unwrap();
    assert_eq!(again.await.status, RunStatus::Success);
    assert!(runtime.run(run.id()).is_none());
    assert_eq!(run.retry_failed("as well").await, Err(RetryError::Gone));
    assert_eq!((start().await.await.status, runtime.live_runs()), (RunStatus::Success, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_run_is_not_retried_by_a_handle_that_was_held() {
    for keep in [0, 1] {
        let builder = Runtime::builder().journal(Arc::new(MemoryJournal::new())).keep_ended(keep);
        let runtime = process(builder).await;
        let run = runtime.start("g", Value::Null).await.unwrap();
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        let storage = runtime.storage().unwrap();
        assert_eq!(storage.delete([run.id()]).await.unwrap(), 1);
        assert_eq!(run.retry_failed("by hand").await, Err(RetryError::Gone));
        assert_eq!(storage.size().await.unwrap().runs, 0);
    }
}

/// A journal that takes a second to tell of its runs.
#[derive(Debug)]
struct Slow(MemoryJournal);

impl Hook for Slow {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            let rows = self.0.runs(query).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            rows
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_retried_while_it_is_about_to_be_deleted_stays() {
    let journal = Arc::new(Before(Slow(MemoryJournal::new())));
    let runtime = process(Runtime::builder().journal(journal)).await;
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    let storage = runtime.storage().unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        storage.delete([run.id()]).await
    };
    let (retried, deleted) = tokio::join!(run.retry_failed("by hand"), later);
    assert_eq!((retried.map(|states| states.len()), deleted), (Ok(1), Ok(0)));
    assert_eq!(run.outcome().await.status, RunStatus::Success);
    assert!(storage.history(run.id()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_retried_while_its_deletion_is_under_way_stays_or_is_gone() {
    // The deletion knows the run after a second, and so does the retry.
    for (later, stays) in [(500, true), (1500, false)] {
        let journal = Arc::new(Before(Slow(MemoryJournal::new())));
        let runtime = process(Runtime::builder().journal(journal)).await;
        let run = runtime.start("g", Value::Null).await.unwrap();
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        let storage = runtime.storage().unwrap();
        let retry = async {
            tokio::time::sleep(Duration::from_millis(later)).await;
            run.retry_failed("by hand").await.map(drop)
        };
        let (deleted, retried) = tokio::join!(storage.delete([run.id()]), retry);
        let expected = if stays { (Ok(0), Ok(())) } else { (Ok(1), Err(RetryError::Gone)) };
        assert_eq!((deleted, retried), expected, "{later} ms");
        let _ = run.outcome().await;
        assert_eq!(storage.history(run.id()).await.is_ok(), stays, "{later} ms");
    }
}
