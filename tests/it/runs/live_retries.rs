//! Retries by hand that come as soon as a failure can be seen, while the rest of the run goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, Handler, NodeError, NodeSpec, RetryError, RetryPolicy, RunStatus,
    Runtime, StateStatus, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Number;
use super::control::end_of;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Maybe {
    n: Option<u64>,
}

/// What the handlers of one round share.
#[derive(Clone)]
struct Round {
    /// Whether the next one who asks is to fail.
    is_ill: Arc<AtomicBool>,
    /// Work waits for one of these.
    permits: Arc<Semaphore>,
}

impl Round {
    fn new() -> Self {
        Self { is_ill: Arc::default(), permits: Arc::new(Semaphore::new(0)) }
    }

    fn fails(&self) -> bool {
        self.is_ill.swap(false, Ordering::SeqCst)
    }

    async fn work(&self) {
        self.permits.acquire().await.unwrap().forget();
    }

    /// Two branches; the first of them fails once.
    async fn with_failing_work(self, lanes: usize) -> Runtime {
        let work = move |input: Number| {
            let round = self.clone();
            async move {
                tokio::task::yield_now().await;
                match input.n {
                    0 if round.fails() => return Err(NodeError::permanent("first")),
                    0 => {}
                    _ => round.work().await,
                }
                Ok(input)
            }
        };
        let list = |_: ()| async { Ok(Emit::each([0, 1].map(|n| Number { n }))) };
        Self::build(lanes, Handler::many("list", list), Handler::one("work", work)).await
    }

    /// Two branches; once the first of them has nothing for its work.
    async fn with_failing_list(self, lanes: usize) -> Runtime {
        let round = self.clone();
        let list = move |_: ()| {
            let first = (!round.fails()).then_some(0);
            async move { Ok(Emit::each([first, Some(1)].map(|n| Maybe { n }))) }
        };
        let work = move |input: Number| {
            let round = self.clone();
            async move {
                round.work().await;
                Ok(input)
            }
        };
        Self::build(lanes, Handler::many("list", list), Handler::one("work", work)).await
    }

    async fn build(lanes: usize, list: Handler, work: Handler) -> Runtime {
        let builder = Runtime::builder().lanes(lanes).handler(list).handler(work);
        let join = Handler::one("join", |_: ()| async { Ok(()) });
        // A lane tells of what follows: a run that has not waited is walked without one.
        let begin = Handler::one("begin", |_: (), ctx: Context| async move {
            ctx.sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        let runtime = builder.handler(begin).handler(join).build().await.unwrap();
        let graph = Document::builder("g")
            .retry(RetryPolicy::none())
            .node(NodeSpec::new("begin").next("list"))
            .node(NodeSpec::new("list").next("work"))
            .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("join"))
            .node(NodeSpec::new("join").unites("list"));
        runtime.publish_and_promote(graph.build()).await.unwrap();
        runtime
    }

    /// Retries what fails as soon as that can be seen, then lets the work go on.
    async fn check_one(&self, runtime: &Runtime) {
        self.is_ill.store(true, Ordering::SeqCst);
        let run = runtime.start("g", Value::Null).await.unwrap();
        while let Err(error) = run.retry_failed("again").await {
            assert_eq!(error, RetryError::NothingToRetry);
            tokio::task::yield_now().await;
        }
        // More than all that waits for one.
        self.permits.add_permits(8);
        let (outcome, view) = (end_of(&run).await, run.status());
        self.permits.forget_permits(8);
        assert_eq!(outcome.status, RunStatus::Success, "{outcome:?}");
        assert_eq!(outcome.skipped, [], "{view:?}");
        assert_eq!(view.of("join", StateStatus::Success), 1, "{view:?}");
    }
}

/// Retries in several tasks, which hold each other up.
async fn check(runtime: impl AsyncFn(Round, usize) -> Runtime) {
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let round = Round::new();
        let runtime = runtime(round.clone(), 1 + task % 2).await;
        tasks.spawn(async move {
            for _ in 0..rounds() {
                round.check_one(&runtime).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Reports and retries that meet at the worst moment are few: a soak finds one within a minute.
fn rounds() -> u64 {
    if std::env::var_os("HOTGRAPH_SOAK").is_some() { 8_000 } else { 100 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retried_failure_skips_no_merger_however_early_the_retry_comes() {
    check(Round::with_failing_work).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retried_output_has_one_merger_however_early_the_retry_comes() {
    check(Round::with_failing_list).await;
}

/// Each list of `low` is joined by `deep`, which waits for `high` that joins the list of `top`.
fn joined_from_above() -> Document {
    let node = |name: &str, handler: &str| NodeSpec::new(name).handler(handler);
    Document::builder("g")
        .retry(RetryPolicy::none())
        .node(node("top", "top").next("slow"))
        .node(node("slow", "slow").input("n", "${{top.outputs.n}}").next("low"))
        .node(node("low", "low").next("leaf"))
        .node(node("leaf", "pass").next("high"))
        .node(node("high", "pass").unites("top").all_done().next("deep"))
        .node(node("deep", "pass").unites("low").all_done())
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_opened_later_does_not_wait_for_one_that_was_given_up() {
    let round = Round::new();
    round.is_ill.store(true, Ordering::SeqCst);
    let top = move |_: ()| {
        let first = (!round.fails()).then_some(0);
        async move { Ok(Emit::each([first, Some(1)].map(|n| Maybe { n }))) }
    };
    let slow = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(5)).await;
        Ok(input)
    };
    let low = |_: ()| async { Ok(Emit::each([(), ()])) };
    let builder = Runtime::builder().handler(Handler::many("top", top));
    let builder = builder.handler(Handler::one("slow", slow)).handler(Handler::many("low", low));
    let builder = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) }));
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(joined_from_above()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.retry_failed("again").await.unwrap();
    assert_eq!(end_of(&run).await.status, RunStatus::Success);
    let view = run.status();
    assert_eq!(view.of("high", StateStatus::Success), 1, "that of the outputs before is given up");
    assert_eq!(view.of("deep", StateStatus::Success), 3, "{view:?}");
}
