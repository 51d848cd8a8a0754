//! A run in which one execution waits and nothing else is left, which its own actor waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, GraphBuilder, Handler, NodeError, NodeSpec, RetryPolicy, Run, RunStatus, Runtime,
    Signal, StateStatus, Value,
};

use tokio::runtime::Handle;

use super::control::end_of;
use super::{runtime, single, start};

/// After `pass` one branch fails at once, and the other waits for a second, again and again.
fn beside() -> GraphBuilder {
    let slow = |name: &str| NodeSpec::new(name).handler("slow").input("n", 0);
    Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("pass").input("n", 1).next("fails").next("slow"))
        .node(NodeSpec::new("fails"))
        .node(slow("slow").next("slower"))
        .node(slow("slower").next("slowest"))
        .node(slow("slowest"))
}

async fn failing() -> Runtime {
    let fails = |_: ()| async { Err::<(), _>(NodeError::new("never")) };
    runtime().handler(Handler::one("fails", fails)).build().await.unwrap()
}

async fn waiting() -> Run {
    let run = start(&failing().await, beside()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(run.status().of("slow", StateStatus::Queued), 1);
    run
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_goes_on_to_its_end() {
    let run = waiting().await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    assert_eq!(run.status().of("slowest", StateStatus::Success), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_takes_a_retry() {
    let run = waiting().await;
    assert_eq!(run.retry_failed("again").await.unwrap().len(), 1);
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    let view = run.status();
    assert_eq!(view.of("fails", StateStatus::RetryCreated), 1);
    assert_eq!(view.of("fails", StateStatus::Errored), 1);
    assert_eq!(view.of("slowest", StateStatus::Success), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_heard_that_came_before_the_runs_actor() {
    let run = start(&failing().await, beside()).await;
    assert!(run.states().is_empty(), "its walk has not begun");
    assert_eq!(run.retry_failed("again").await.unwrap().len(), 1);
    assert_eq!(run.status().of("slow", StateStatus::Queued), 1, "it did not wait for the end");
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_heard_that_came_before_a_run_without_an_actor() {
    let retries = NodeSpec::new("fails").retry(RetryPolicy::none());
    let run = start(&failing().await, single(retries)).await;
    assert!(run.states().is_empty(), "its walk has not begun");
    assert_eq!(run.retry_failed("again").await.unwrap().len(), 1);
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    assert_eq!(run.status().of("fails", StateStatus::RetryCreated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_paused_and_goes_on() {
    let run = waiting().await;
    run.pause();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let view = run.status();
    assert_eq!(view.status, RunStatus::Paused);
    assert_eq!(view.of("slower", StateStatus::Created), 1);
    run.resume();
    run.outcome().await;
    assert_eq!(run.status().of("slowest", StateStatus::Success), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_cancelled_at_once() {
    let run = waiting().await;
    let before = tokio::time::Instant::now();
    run.cancel();
    assert_eq!(run.outcome().await.status, RunStatus::Cancelled);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(run.status().of("slow", StateStatus::Cancelled), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_has_no_task_but_its_actor() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let runtime = runtime().build().await.unwrap();
    let before = tasks();
    let run = start(&runtime, single(NodeSpec::new("slow").input("n", 0))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(tasks() - before, 1);
    assert!(run.await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_asks_again_and_again_lets_others_go_on() {
    let (ready, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (is_ready, called) = (ready.clone(), calls.clone());
    let ask = move |_: ()| {
        let (is_ready, call) = (is_ready.clone(), called.fetch_add(1, Ordering::SeqCst));
        async move {
            assert!(call < 1_000_000, "nobody else could run");
            match is_ready.load(Ordering::SeqCst) {
                true => Ok(()),
                false => Err(Signal::RequeueAfter(Duration::ZERO).into()),
            }
        }
    };
    let graph = Document::builder("asks").retry(RetryPolicy::none()).node(NodeSpec::new("ask"));
    let runtime = Runtime::builder().handler(Handler::one("ask", ask)).build().await.unwrap();
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("asks", Value::Null).await.unwrap();
    tokio::spawn(async move { ready.store(true, Ordering::SeqCst) });
    assert!(end_of(&run).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_run_counts_from_its_start_also_if_the_walk_begins_later() {
    let runtime = runtime().build().await.unwrap();
    // It takes five seconds.
    let slow = NodeSpec::new("slow").input("n", 2);
    let run = start(&runtime, single(slow).timeout(Duration::from_secs(10))).await;
    // Before the task that walks the run has its turn.
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(end_of(&run).await.status, RunStatus::TimedOut);
}
