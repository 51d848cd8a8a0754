//! A run that was forgotten or deleted, and whose key or handle is used: there is one run of it, or none.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeError,
    NodeSpec, RetryError, RetryPolicy, Run, RunQuery, RunRow, RunStatus, Runtime, RuntimeBuilder,
    StartError, Value,
};

use tokio::task::JoinHandle;

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
    assert_eq!(run.retry_failed("as well").await, Err(RetryError::Superseded));
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
    assert_eq!(run.retry_failed("as well").await, Err(RetryError::Superseded));
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
        assert_eq!(run.retry_failed("by hand").await, Err(RetryError::Deleted));
        assert_eq!(storage.size().await.unwrap().runs, 0);
    }
}

fn away() -> JournalError {
    JournalError::Unavailable("no answer".into())
}

/// A journal that takes its time to look for runs, and to tell of them, in milliseconds; or that is
/// away.
#[derive(Debug, Default)]
struct Slow {
    inner: MemoryJournal,
    to_look: AtomicU64,
    to_tell: AtomicU64,
    is_away: AtomicBool,
}

impl Slow {
    fn new(to_look: u64, to_tell: u64) -> Arc<Before<Self>> {
        let slow = Self::default();
        slow.takes(to_look, to_tell);
        Arc::new(Before(slow))
    }

    /// What is asked from now on takes so long.
    fn takes(&self, to_look: u64, to_tell: u64) {
        self.to_look.store(to_look, Ordering::SeqCst);
        self.to_tell.store(to_tell, Ordering::SeqCst);
    }
}

impl Hook for Slow {
    fn inner(&self) -> &dyn Journal {
        &self.inner
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        let takes = [&self.to_look, &self.to_tell];
        if self.is_away.load(Ordering::SeqCst) {
            return Box::pin(async { Err(away()) });
        }
        let [to_look, to_tell] = takes.map(|it| Duration::from_millis(it.load(Ordering::SeqCst)));
        Box::pin(async move {
            tokio::time::sleep(to_look).await;
            let rows = self.inner.runs(query).await;
            tokio::time::sleep(to_tell).await;
            rows
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_retried_while_it_is_about_to_be_deleted_stays() {
    let journal = Slow::new(0, 1_000);
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
        let journal = Slow::new(0, 1_000);
        let runtime = process(Runtime::builder().journal(journal)).await;
        let run = runtime.start("g", Value::Null).await.unwrap();
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        let storage = runtime.storage().unwrap();
        let retry = async {
            tokio::time::sleep(Duration::from_millis(later)).await;
            run.retry_failed("by hand").await.map(drop)
        };
        let (deleted, retried) = tokio::join!(storage.delete([run.id()]), retry);
        let expected = if stays { (Ok(0), Ok(())) } else { (Ok(1), Err(RetryError::Deleted)) };
        assert_eq!((deleted, retried), expected, "{later} ms");
        let _ = run.outcome().await;
        assert_eq!(storage.history(run.id()).await.is_ok(), stays, "{later} ms");
    }
}

/// A start by a key whose look into the journal takes so long, and that goes on meanwhile.
async fn start_late(
    runtime: &Runtime,
    journal: &Slow,
    (to_look, to_tell): (u64, u64),
) -> JoinHandle<Result<Run, StartError>> {
    journal.takes(to_look, to_tell);
    let start = runtime.start("g", Value::Null).idempotency_key("key");
    let late = tokio::spawn(start.into_future());
    tokio::time::sleep(Duration::from_millis(1)).await;
    journal.takes(0, 0);
    late
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_while_another_start_of_its_key_looks_for_it_is_the_only_one() {
    let journal = Slow::new(0, 0);
    let runtime = process(Runtime::builder().journal(journal.clone()).keep_ended(0)).await;
    // The journal has no run of the key, and says so when one would have ended and be forgotten.
    let late = start_late(&runtime, &journal, (0, 100_000)).await;
    let run = runtime.start("g", Value::Null).idempotency_key("key").await.unwrap();
    let late = late.await.unwrap().unwrap();
    assert_eq!(late.id(), run.id());
    assert_eq!(run.await.status, RunStatus::Failed);
    assert_eq!(runtime.storage().unwrap().size().await.unwrap().runs, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_deleted_while_a_start_of_its_key_looks_for_it_is_started_anew() {
    let journal = Slow::new(0, 0);
    let runtime = process(Runtime::builder().journal(journal.clone()).keep_ended(0)).await;
    let run = runtime.start("g", Value::Null).idempotency_key("key").await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    let late = start_late(&runtime, &journal, (0, 1_000)).await;
    assert_eq!(runtime.storage().unwrap().delete([run.id()]).await, Ok(1));
    let anew = late.await.unwrap().unwrap();
    assert_ne!(anew.id(), run.id());
    assert_eq!(anew.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_once_more_while_a_start_of_its_key_looks_for_it_is_found() {
    let journal = Slow::new(0, 0);
    let runtime = process(Runtime::builder().journal(journal.clone()).keep_ended(0)).await;
    let run = runtime.start("g", Value::Null).idempotency_key("key").await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    // It is retried before the journal looks, and over and forgotten when that tells of it.
    let late = start_late(&runtime, &journal, (1_000, 100_000)).await;
    run.retry_failed("by hand").await.unwrap();
    let found = late.await.unwrap().unwrap();
    assert_eq!(found.id(), run.id());
    assert_eq!(found.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_the_journal_does_not_tell_of_is_retried_when_it_does() {
    let journal = Slow::new(0, 0);
    let runtime = process(Runtime::builder().journal(journal.clone())).await;
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    journal.is_away.store(true, Ordering::SeqCst);
    assert_eq!(run.retry_failed("by hand").await, Err(RetryError::Journal(away())));
    assert_eq!((run.outcome().await.status, runtime.live_runs()), (RunStatus::Failed, 0));
    journal.is_away.store(false, Ordering::SeqCst);
    run.retry_failed("by hand").await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
}
