//! A run that was forgotten, and whose key or handle is used: there is one run of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Handler, MemoryJournal, NodeError, NodeSpec, RetryError, RetryPolicy,
    RunStatus, Runtime, RuntimeBuilder, Value,
};

/// A runtime that forgets each run as it ends; the first attempt of each fails.
async fn forgetful(builder: RuntimeBuilder) -> Runtime {
    let has_failed = Arc::new(AtomicBool::new(false));
    let slow = move |_: (), ctx: Context| {
        let is_first = !has_failed.swap(true, Ordering::SeqCst);
        async move {
            ctx.sleep(Duration::from_secs(60)).await;
            if is_first { Err(NodeError::permanent("the first time")) } else { Ok(()) }
        }
    };
    let runtime = builder.handler(Handler::one("slow", slow)).keep_ended(0).build().await.unwrap();
    let graph = Document::builder("g").retry(RetryPolicy::none()).node(NodeSpec::new("slow"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_forgotten_and_is_retried_is_found_by_its_key() {
    let journal = Arc::new(MemoryJournal::new());
    for builder in [Runtime::builder(), Runtime::builder().journal(journal)] {
        let runtime = forgetful(builder).await;
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
    let runtime = forgetful(Runtime::builder().journal(journal)).await;
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
