//! What holds when a shutdown has returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, EventKind, Handler, NodeError, NodeSpec, RetryPolicy, Run, RunStatus, Value,
};

use super::{Number, build, joined, runtime, single, start};

/// Longer than any shutdown takes here.
const WAIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_has_told_its_end() {
    for round in 0..2_000 {
        // Also of runs that are forgotten when they end.
        let runtime = runtime().keep_ended(round % 2).build().await.unwrap();
        let mut runs = vec![start(&runtime, single(NodeSpec::new("pass").input("n", 1))).await];
        for _ in 0..3 {
            runs.push(runtime.start("g", Value::Null).await.unwrap());
        }
        let report = runtime.shutdown(Duration::from_secs(60)).await;
        assert!(report.cancelled.is_empty(), "round {round}");
        assert!(runs.iter().all(Run::is_ended), "round {round}");
    }
}

fn sub(name: &str, child: &str) -> NodeSpec {
    NodeSpec::new(name).subgraph(child).retry(RetryPolicy::none())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_comes_to_its_child_in_the_grace_goes_on_as_long_as_it_may() {
    for (grace, status) in [(60, RunStatus::Success), (2, RunStatus::Cancelled)] {
        let runtime = runtime().build().await.unwrap();
        let child = Document::builder("child").node(NodeSpec::new("slow").input("n", 1));
        runtime.publish_and_promote(child.build()).await.unwrap();
        let first = NodeSpec::new("slow").input("n", 0).next("sub");
        let graph = Document::builder("g").node(first).node(sub("sub", "child"));
        let run = start(&runtime, graph).await;
        let report = runtime.shutdown(Duration::from_secs(grace)).await;
        let outcome = run.outcome().await;
        assert_eq!(outcome.status, status, "a grace of {grace} s: {:?}", outcome.failures);
        // The child is one of those that were cut off.
        assert_eq!(report.cancelled.len(), if outcome.is_success() { 0 } else { 2 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_fails_because_its_child_was_cancelled_before_it() {
    for round in 0..20 {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = begun.clone();
        let held = move |_: ()| {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), NodeError>>()
        };
        let runtime = build(Handler::one("held", held)).await;
        let child = Document::builder("child").node(NodeSpec::new("held"));
        runtime.publish_and_promote(child.build()).await.unwrap();
        let middle = Document::builder("middle").node(sub("sub", "child"));
        runtime.publish_and_promote(middle.build()).await.unwrap();
        let mut events = runtime.events();
        let mut runs = vec![start(&runtime, single(sub("sub", "middle"))).await];
        for _ in 1..100 {
            runs.push(runtime.start("g", Value::Null).await.unwrap());
        }
        while begun.load(Ordering::SeqCst) < runs.len() {
            tokio::task::yield_now().await;
        }
        let report = runtime.shutdown(Duration::ZERO).await;
        while let Some(event) = events.try_next() {
            let event = event.unwrap();
            if let EventKind::RunEnded { status } = event.kind {
                assert_eq!(status, "CANCELLED", "round {round}: {}", event.graph);
            }
        }
        assert_eq!(report.cancelled.len(), 3 * runs.len());
    }
}

/// What runs until it is stopped.
fn forever() -> Handler {
    Handler::one("forever", |_: ()| std::future::pending::<Result<(), NodeError>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_that_is_about_to_start_when_the_grace_ends_is_stopped_too() {
    for round in 0..300 {
        let runtime = build(forever()).await;
        let mut runs = vec![start(&runtime, single(NodeSpec::new("forever"))).await];
        let starting = runtime.clone();
        let starts = tokio::spawn(async move {
            let mut runs = Vec::new();
            while let Ok(run) = starting.start("g", Value::Null).await {
                runs.push(run);
            }
            runs
        });
        for _ in 0..round % 20 {
            tokio::task::yield_now().await;
        }
        let shutdown = tokio::time::timeout(WAIT, runtime.shutdown(Duration::ZERO));
        let report = shutdown.await.unwrap_or_else(|_| panic!("round {round} hangs"));
        runs.extend(starts.await.unwrap());
        let mut stopped: Vec<_> = runs.iter().map(Run::id).collect();
        stopped.sort_unstable();
        assert_eq!(report.cancelled, stopped, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_that_is_about_to_be_retried_when_the_grace_ends_is_stopped_too() {
    for round in 0..300 {
        let count = AtomicUsize::new(0);
        let again = move |_: ()| {
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                match is_first {
                    true => Err::<(), _>(NodeError::new("once")),
                    false => std::future::pending().await,
                }
            }
        };
        let runtime = build(Handler::one("again", again)).await;
        let run = start(&runtime, single(NodeSpec::new("again").retry(RetryPolicy::none()))).await;
        assert_eq!(run.outcome().await.status, RunStatus::Failed);
        let retried = run.clone();
        let retry = tokio::spawn(async move { retried.retry_failed("again").await.is_ok() });
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        let shutdown = tokio::time::timeout(WAIT, runtime.shutdown(Duration::ZERO));
        let report = shutdown.await.unwrap_or_else(|_| panic!("round {round} hangs"));
        let is_stopped = report.cancelled == [run.id()];
        assert!(is_stopped || report.cancelled.is_empty(), "round {round}");
        if retry.await.unwrap() {
            assert!(is_stopped, "round {round}: {:?}", run.outcome().await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_is_dropped_leaves_nothing_once_its_runs_have_ended() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let held = Arc::new(());
    let holds = held.clone();
    let holds = move |input: Number| {
        let _held = holds.clone();
        async move { Ok(input) }
    };
    let runtime = build(Handler::one("holds", holds)).await;
    let run = start(&runtime, joined("slow", |m| m)).await;
    drop(runtime);
    assert!(run.outcome().await.is_success());
    drop(run);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((tasks(), Arc::strong_count(&held)), (0, 1));
}
