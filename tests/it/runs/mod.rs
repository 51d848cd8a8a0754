//! What a run does in the cases that the behaviour cases do not reach.

mod anything;
mod control;
mod drops;
mod families;
mod folds;
mod handlers;
mod lanes;
mod large;
mod left_behind;
mod limits;
mod live_retries;
mod live_states;
mod retries;
mod retries_of_draws;
mod retries_of_waiting;
mod shutdown;
mod store;
mod streams;
mod waiting;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, GraphBuilder, Handler, NodeError, NodeSpec, RetryError, RetryPolicy,
    Run, RunStatus, Runtime, RuntimeBuilder, Signal, SkipReason, StartError, StateStatus, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

/// Handlers that the tests share.
fn runtime() -> RuntimeBuilder {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let odd_fails = |input: Number| async move {
        if input.n % 2 == 1 { Err(NodeError::new("odd")) } else { Ok(input) }
    };
    let odd_prunes = |input: Number| async move {
        if input.n % 2 == 1 { Err(Signal::Prune(Value::Null).into()) } else { Ok(input) }
    };
    let slow = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1 + (7 * input.n) % 5)).await;
        Ok(input)
    };
    let first_fails = |input: Number, ctx: Context| async move {
        if ctx.attempt() == 0 { Err(NodeError::new("first")) } else { Ok(input) }
    };
    Runtime::builder()
        .seed(1)
        .lanes(2)
        .handler(Handler::many("list", list))
        .handler(Handler::one("pass", |input: Number| async move { Ok(input) }))
        .handler(Handler::one("slow", slow))
        .handler(Handler::one("odd_fails", odd_fails))
        .handler(Handler::one("odd_prunes", odd_prunes))
        .handler(Handler::one("first_fails", first_fails))
        .handler(Handler::one("gather", |all: Numbers| async move { Ok(all) }))
}

/// `list` fans out to `handler`, and `gather` joins.
fn joined(handler: &str, merger: impl Fn(NodeSpec) -> NodeSpec) -> GraphBuilder {
    Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 4).next("work"))
        .node(
            NodeSpec::new("work").handler(handler).input("n", "${{list.outputs.n}}").next("gather"),
        )
        .node(merger(NodeSpec::new("gather").unites("list").input("n", "${{work.outputs.n}}")))
}

fn single(node: NodeSpec) -> GraphBuilder {
    Document::builder("g").node(node)
}

async fn build(handler: Handler) -> Runtime {
    runtime().handler(handler).build().await.unwrap()
}

async fn start(runtime: &Runtime, graph: GraphBuilder) -> Run {
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime.start("g", Value::Null).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_array_is_in_fanout_order_whatever_the_timing() {
    let runtime = runtime().build().await.unwrap();
    let outcome = start(&runtime, joined("slow", |m| m)).await.await;
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_below_all_success_skips_the_merger_and_names_it() {
    let runtime = runtime().build().await.unwrap();
    let outcome = start(&runtime, joined("odd_fails", |m| m)).await.await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert_eq!(outcome.failures.len(), 2);
    let [skip] = outcome.skipped.as_slice() else { panic!("{outcome:?}") };
    let SkipReason::Prevented { by } = &skip.reason else { panic!("{skip:?}") };
    assert_eq!((&*skip.node, &*by[0].0, by[0].2), ("gather", "work", StateStatus::Errored));
}

#[tokio::test(start_paused = true)]
async fn all_done_takes_what_succeeded_and_tolerate_handles_the_rest() {
    let runtime = runtime().build().await.unwrap();
    let outcome = start(&runtime, joined("odd_fails", NodeSpec::all_done)).await.await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [0, 2]);
    let tolerant = joined("odd_fails", |m| m.all_done().tolerate());
    let outcome = start(&runtime, tolerant).await.await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert!(outcome.failures.iter().all(|failure| failure.tolerated));
}

#[tokio::test(start_paused = true)]
async fn pruned_branches_leave_the_run_successful() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, joined("odd_prunes", |m| m)).await;
    assert_eq!(run.outcome().await.status, RunStatus::Success);
    assert_eq!(run.status().of("gather", StateStatus::Skipped), 1);
    assert_eq!(run.status().of("work", StateStatus::Pruned), 2);
}

#[tokio::test(start_paused = true)]
async fn an_empty_group_fires_with_empty_arrays() {
    let runtime = runtime().build().await.unwrap();
    runtime.publish_and_promote(joined("pass", |m| m).build()).await.unwrap();
    let run = runtime.start("g", Value::object([("n", 0)])).await.unwrap();
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn retries_wait_as_the_policy_says() {
    let runtime = runtime().build().await.unwrap();
    let began = tokio::time::Instant::now();
    let node = NodeSpec::new("first_fails").input("n", 1).retry(RetryPolicy::default());
    let run = start(&runtime, single(node)).await;
    assert!(run.outcome().await.is_success());
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(run.status().count(StateStatus::RetryCreated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_attempt_is_retried_and_the_last_is_timed_out() {
    let runtime = runtime().build().await.unwrap();
    let node = NodeSpec::new("slow").input("n", 1).timeout(Duration::from_millis(500));
    let node = node.retry(RetryPolicy::fixed(1, Duration::from_millis(10)));
    let run = start(&runtime, single(node)).await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    assert_eq!(run.status().of("slow", StateStatus::RetryCreated), 1);
    assert_eq!(run.status().of("slow", StateStatus::TimedOut), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_timed_out() {
    let runtime = runtime().build().await.unwrap();
    let graph = single(NodeSpec::new("slow").input("n", 1)).timeout(Duration::from_millis(500));
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.status, RunStatus::TimedOut);
    assert_eq!(run.status().of("slow", StateStatus::Cancelled), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_of_its_state() {
    let after_an_await = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_millis(1)).await;
        if ctx.attempt() == 0 {
            panic!("boom {}", ctx.node())
        }
        Ok(())
    };
    let builder = runtime().handler(Handler::one("panics", after_an_await));
    let runtime = builder.build().await.unwrap();
    let node = NodeSpec::new("panics").retry(RetryPolicy::none());
    let outcome = start(&runtime, single(node)).await.await;
    assert_eq!(&*outcome.failures[0].error, "panicked: boom panics");
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_every_state_and_pause_holds_new_ones() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, joined("slow", |m| m)).await;
    run.pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(run.status().status, RunStatus::Paused);
    assert!(!run.is_ended());
    run.cancel();
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Cancelled);
    let live = [StateStatus::Created, StateStatus::Queued, StateStatus::Executed];
    assert!(live.iter().all(|status| run.status().count(*status) == 0));
}

#[tokio::test(start_paused = true)]
async fn a_manual_retry_opens_the_next_episode() {
    let healed = Arc::new(AtomicU64::new(0));
    let flag = healed.clone();
    let heals = move |input: Number| {
        let flag = flag.clone();
        async move {
            let is_well = flag.load(Ordering::SeqCst) == 1 || input.n != 2;
            if is_well { Ok(input) } else { Err(NodeError::new("ill")) }
        }
    };
    let runtime = runtime().handler(Handler::one("heals", heals)).build().await.unwrap();
    let run = start(&runtime, joined("heals", |m| m)).await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    healed.store(1, Ordering::SeqCst);
    let retried = run.retry_failed("again").await.unwrap();
    assert_eq!(retried.len(), 1);
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [0, 1, 2, 3]);
    assert!(outcome.skipped.is_empty());
    assert_eq!(run.retry_failed("again").await, Err(RetryError::Duplicate("again".into())));
    assert_eq!(run.retry_failed("more").await, Err(RetryError::NothingToRetry));
    assert!(runtime.versions("g").list().iter().all(|version| version.live == 0));
}

#[tokio::test(start_paused = true)]
async fn conditions_skip_nodes_and_mergers() {
    let runtime = runtime().build().await.unwrap();
    let graph = |limit: u64| {
        Document::builder("g")
            .node(
                NodeSpec::new("list")
                    .input("n", 4)
                    .next_when("work", format!("${{{{list.outputs.n}}}} < {limit}")),
            )
            .node(
                NodeSpec::new("work")
                    .handler("pass")
                    .input("n", "${{list.outputs.n}}")
                    .next("gather"),
            )
            .node(NodeSpec::new("gather").unites("list").input("n", "${{work.outputs.n}}"))
    };
    let run = start(&runtime, graph(2)).await;
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [0, 1]);
    assert_eq!(run.status().of("work", StateStatus::Skipped), 2);
    let run = start(&runtime, graph(0)).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert!(outcome.skipped.iter().any(|skip| skip.reason == SkipReason::NoWay));
}

#[tokio::test(start_paused = true)]
async fn fail_fast_stops_the_rest() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, joined("odd_fails", |m| m).fail_fast()).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert!(outcome.stopped.is_some());
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_never_exceeded() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    static MOST: AtomicU64 = AtomicU64::new(0);
    let counted = |input: Number, ctx: Context| async move {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        ctx.sleep(Duration::from_millis(10)).await;
        NOW.fetch_sub(1, Ordering::SeqCst);
        Ok(input)
    };
    let runtime = runtime().handler(Handler::one("counted", counted)).build().await.unwrap();
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 50).next("counted"))
        .node(NodeSpec::new("counted").input("n", "${{list.outputs.n}}").concurrency(3));
    assert!(start(&runtime, graph).await.await.is_success());
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn limits_bound_a_bad_handler() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, joined("pass", |m| m).max_fanout(2)).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert!(outcome.failures[0].error.contains("limit of 2 outputs"), "{outcome:?}");
    assert_eq!(run.status().of("work", StateStatus::Success), 2);
    let run = start(&runtime, joined("pass", |m| m).max_states(3)).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert!(outcome.failures.iter().any(|f| f.error.contains("states exceeded")), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_is_refused_with_its_reason() {
    let runtime = runtime().max_runs(1).build().await.unwrap();
    let unknown = runtime.start("nothing", Value::Null).await.unwrap_err();
    assert_eq!(unknown, StartError::UnknownGraph("nothing".into()));
    let run = start(&runtime, joined("slow", |m| m)).await;
    let refused = runtime.start("g", Value::Null).await.unwrap_err();
    assert_eq!(refused, StartError::Overloaded { limit: 1 });
    run.await;
    let refused = runtime.start("g", Value::object([("n", "four")])).await.unwrap_err();
    assert!(matches!(refused, StartError::InvalidInput { .. }), "{refused}");
    let run = runtime.start("g", Value::object([("m", 1)])).await.unwrap();
    assert_eq!(run.await.warnings.len(), 1);
    let report = runtime.shutdown(Duration::from_secs(1)).await;
    assert!(report.cancelled.is_empty());
    let refused = runtime.start("g", Value::Null).await.unwrap_err();
    assert_eq!(refused, StartError::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn the_same_idempotency_key_gives_the_same_run() {
    let runtime = runtime().build().await.unwrap();
    runtime.publish_and_promote(joined("slow", |m| m).build()).await.unwrap();
    let one = runtime.start("g", Value::Null).idempotency_key("k").await.unwrap();
    let two = runtime.start("g", Value::Null).idempotency_key("k").await.unwrap();
    assert_eq!(one.id(), two.id());
    one.await;
    let three = runtime.start("g", Value::Null).idempotency_key("k").await.unwrap();
    assert_eq!(two.id(), three.id());
}

#[tokio::test(start_paused = true)]
async fn a_child_run_follows_its_parent() {
    let runtime = runtime().build().await.unwrap();
    let child = Document::builder("child").node(NodeSpec::new("slow").input("n", 1));
    runtime.publish_and_promote(child.build()).await.unwrap();
    let parent = Document::builder("g").node(NodeSpec::new("sub").subgraph("child").input("n", 2));
    let run = start(&runtime, parent).await;
    assert_eq!(run.outcome().await.output::<Number>().unwrap().n, 2);
    let run = runtime.start("g", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(runtime.live_runs(), 2);
    run.cancel();
    run.await;
    while runtime.live_runs() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(runtime.versions("child").list().iter().all(|version| version.live == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks() {
    let handle = tokio::runtime::Handle::current();
    let before = handle.metrics().num_alive_tasks();
    let runtime = runtime().build().await.unwrap();
    for handler in ["pass", "odd_fails", "odd_prunes"] {
        runtime.publish_and_promote(joined(handler, |m| m).build()).await.unwrap();
        let runs: Vec<_> = futures_util::future::join_all(
            (0..50).map(|_| async { runtime.start("g", Value::Null).await.unwrap() }),
        )
        .await;
        for run in runs {
            run.await;
        }
    }
    assert!(runtime.versions("g").list().iter().all(|version| version.live == 0));
    assert_eq!(runtime.live_runs(), 0);
    let _ = runtime.shutdown(Duration::from_secs(5)).await;
    let quiet = async {
        while handle.metrics().num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    let end = tokio::time::timeout(Duration::from_secs(10), quiet).await;
    let left = handle.metrics().num_alive_tasks();
    assert!(end.is_ok(), "{left} tasks are left, {before} were there");
}

#[tokio::test(start_paused = true)]
async fn a_branch_status_is_that_of_what_lies_below() {
    let run =
        start(&runtime().build().await.unwrap(), joined("odd_fails", NodeSpec::all_done)).await;
    run.outcome().await;
    let states = run.states();
    let lists: Vec<_> = states.iter().filter(|state| &*state.node == "list").collect();
    assert!(lists.iter().all(|state| state.status == StateStatus::Success));
    let ill = lists.iter().filter(|state| state.branch_status == StateStatus::Errored);
    assert_eq!((lists.len(), ill.count()), (4, 2));
}
