//! What is called beside other calls, after a shutdown, or dropped: what callers are told, and when.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalFuture, MemoryJournal, NodeError, NodeSpec,
    RetryError, Run, RunQuery, RunRow, RunStatus, Runtime, RuntimeBuilder, StartError, Value,
    Write,
};

use super::before::{Before, Hook};

async fn failed(builder: RuntimeBuilder) -> (Runtime, Run) {
    let fails = Handler::one("fails", |_: ()| async { Err::<(), _>(NodeError::permanent("no")) });
    let runtime = builder.handler(fails).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("fails"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    (runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_a_shutdown_says_so_with_a_journal_too() {
    for builder in [Runtime::builder(), Runtime::builder().journal(Arc::new(MemoryJournal::new()))]
    {
        let (runtime, run) = failed(builder).await;
        let _ = runtime.shutdown(Duration::ZERO).await;
        assert_eq!(run.retry_failed("late").await, Err(RetryError::ShuttingDown));
    }
}

fn held() -> Handler {
    Handler::one("held", |_: ()| std::future::pending::<Result<(), NodeError>>())
}

#[tokio::test(start_paused = true)]
async fn a_start_after_a_shutdown_says_so_whatever_its_key_names() {
    let journal = Arc::new(MemoryJournal::new());
    let builder = Runtime::builder().journal(journal).keep_ended(0).handler(held());
    let runtime = builder.build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("held"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    drop(runtime.start("g", Value::Null).idempotency_key("key").await.unwrap());
    let _ = runtime.shutdown(Duration::ZERO).await;
    let start = runtime.start("g", Value::Null).idempotency_key("other").await;
    assert_eq!(start.unwrap_err(), StartError::ShuttingDown);
    let start = runtime.start("g", Value::Null).idempotency_key("key").await;
    assert_eq!(start.unwrap_err(), StartError::ShuttingDown);
}

/// A journal that takes its time to look for runs.
#[derive(Debug)]
struct Far(Arc<MemoryJournal>);

impl Hook for Far {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.0.runs(query).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn retries_of_different_runs_do_not_wait_for_each_other() {
    let journal = Arc::new(Before(Far(Arc::new(MemoryJournal::new()))));
    let (runtime, first) = failed(Runtime::builder().journal(journal)).await;
    let mut runs = vec![first];
    for _ in 0..63 {
        let run = runtime.start("g", Value::Null).await.unwrap();
        run.outcome().await;
        runs.push(run);
    }
    let began = tokio::time::Instant::now();
    let retries = runs
        .into_iter()
        .map(|run| tokio::spawn(async move { run.retry_failed("again").await.map(drop) }));
    for retry in retries.collect::<Vec<_>>() {
        retry.await.unwrap().unwrap();
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A journal that answers later.
#[derive(Debug)]
struct Later(Arc<MemoryJournal>);

impl Hook for Later {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.runs(query).await
        })
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.commit(epoch, writes).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_or_a_start_that_is_dropped_after_any_poll_is_done_or_not() {
    for keep in [0, 10] {
        for times in 0..40 {
            let journal = Arc::new(Before(Later(Arc::default())));
            let (runtime, run) =
                failed(Runtime::builder().journal(journal.clone()).keep_ended(keep)).await;
            let mut future = Box::pin(run.retry_failed("again"));
            let mut over = false;
            for _ in 0..times {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                if std::future::Future::poll(future.as_mut(), &mut cx).is_ready() {
                    over = true;
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(future);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let out = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
            assert!(out.is_ok(), "retry hangs {times}");
            let _ = tokio::time::timeout(Duration::from_secs(60), run.retry_failed("again"))
                .await
                .expect("hangs");
            let _ = run.outcome().await;
            run.retry_failed("once more").await.unwrap();
            let out =
                tokio::time::timeout(Duration::from_secs(60), run.outcome()).await.expect("hangs");
            assert_eq!((out.status, runtime.live_runs()), (RunStatus::Failed, 0), "{times} {over}");

            let mut future =
                Box::pin(runtime.start("g", Value::Null).idempotency_key("k").into_future());
            for _ in 0..times {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                if std::future::Future::poll(future.as_mut(), &mut cx).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(future);
            let run = tokio::time::timeout(
                Duration::from_secs(60),
                runtime.start("g", Value::Null).idempotency_key("k").into_future(),
            )
            .await
            .expect("start hangs")
            .unwrap();
            let out =
                tokio::time::timeout(Duration::from_secs(60), run.outcome()).await.expect("hangs");
            assert_eq!((out.status, runtime.live_runs()), (RunStatus::Failed, 0), "{times} {over}");
            assert_eq!(journal.0.0.runs(&RunQuery::default()).await.unwrap().len(), 2);
        }
    }
}
