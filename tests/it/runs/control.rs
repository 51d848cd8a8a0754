//! What can be done with a run from outside: cancel, pause, retry, let go.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Context, Document, EventKind, GraphBuilder, Handler, NodeError, NodeSpec, Outcome, RetryError,
    RetryPolicy, Run, RunStatus, Runtime, StateId, StateStatus, Value, VersionNumber,
};

use super::{Number, build, joined, runtime, single, start};

/// How a run ends, if it does so in time.
pub(super) async fn end_of(run: &Run) -> Arc<Outcome> {
    let end = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
    end.unwrap_or_else(|_| panic!("the run hangs: {:?}", run.status()))
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_ever_ends_with_a_cancel() {
    let deaf = |_: ()| async move {
        tokio::task::spawn_blocking(|| ()).await?;
        std::future::pending::<()>().await;
        Ok(())
    };
    let runtime = build(Handler::one("deaf", deaf)).await;
    let run = start(&runtime, single(NodeSpec::new("deaf"))).await;
    run.cancel();
    assert_eq!(run.outcome().await.status, RunStatus::Cancelled);
}

/// One node after the other, a second each.
fn chain(name: &str) -> GraphBuilder {
    let node = |name| NodeSpec::new(name).handler("slow").input("n", 0);
    Document::builder(name).node(node("one").next("two")).node(node("two"))
}

/// A run of a graph whose only node is a child run of two steps, and the child run.
async fn family() -> (Runtime, Run, Run) {
    let runtime = runtime().build().await.unwrap();
    let mut events = runtime.events();
    runtime.publish_and_promote(chain("child").build()).await.unwrap();
    let parent = Document::builder("g").node(NodeSpec::new("sub").subgraph("child"));
    let run = start(&runtime, parent).await;
    let child = loop {
        let event = events.next().await.unwrap().unwrap();
        if let Some(run) = event.run.filter(|_| event.graph.name() == "child") {
            break runtime.run(run).unwrap();
        }
    };
    (runtime, run, child)
}

#[tokio::test(start_paused = true)]
async fn a_pause_reaches_the_child_run_and_so_does_a_resume() {
    let (_runtime, run, child) = family().await;
    run.pause();
    pass(30).await;
    let view = child.status();
    assert_eq!(view.status, RunStatus::Paused);
    assert_eq!(view.of("one", StateStatus::Success), 1, "what was under way goes on");
    assert_eq!(view.of("two", StateStatus::Queued) + view.of("two", StateStatus::Success), 0);
    assert!(!run.is_ended());
    run.resume();
    assert!(end_of(&run).await.is_success());
    assert!(end_of(&child).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_parent_is_announced_by_the_child() {
    let (_runtime, run, child) = family().await;
    let mut events = child.events();
    run.pause();
    pass(30).await;
    let mut kinds =
        std::iter::from_fn(|| events.try_next()).map(|event| event.unwrap().kind.clone());
    assert!(kinds.any(|kind| kind == EventKind::RunPaused));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_a_paused_run() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, chain("g")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    run.pause();
    pass(30).await;
    assert_eq!(run.status().status, RunStatus::Paused);
    run.cancel();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    assert_eq!(run.status().status, RunStatus::Cancelled);
    assert_eq!(run.status().of("two", StateStatus::Cancelled), 1);
    assert_eq!(runtime.live_runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_child_run_as_cancelled() {
    for pause in [false, true] {
        let (runtime, run, child) = family().await;
        if pause {
            run.pause();
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
        run.cancel();
        assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
        let outcome = end_of(&child).await;
        assert_eq!(runtime.live_runs(), 0);
        assert_eq!(child.status().of("two", StateStatus::Cancelled), 1);
        assert_eq!(outcome.status, RunStatus::Cancelled, "paused: {pause}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_announced_after_the_end() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, chain("g")).await;
    let mut events = run.events();
    run.pause();
    run.cancel();
    end_of(&run).await;
    run.resume();
    let last = std::iter::from_fn(|| events.try_next()).last().unwrap().unwrap();
    assert_eq!(last.kind, EventKind::RunEnded { status: "CANCELLED" });
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_states_that_wait_for_their_nodes_concurrency() {
    let begun = Arc::new(AtomicU64::new(0));
    let count = begun.clone();
    let counted = move |input: Number, ctx: Context| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            ctx.sleep(Duration::from_secs(2)).await;
            Ok(input)
        }
    };
    let runtime = build(Handler::one("counted", counted)).await;
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 4).next("counted"))
        .node(NodeSpec::new("counted").input("n", "${{list.outputs.n}}").concurrency(1));
    let run = start(&runtime, graph).await;
    pass(1).await;
    run.pause();
    pass(30).await;
    assert_eq!(begun.load(Ordering::SeqCst), 1, "handlers called");
    run.resume();
    assert!(end_of(&run).await.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_through_a_second_handle_is_not_lost() {
    let stuck = |_: ()| std::future::pending::<Result<(), NodeError>>();
    let runtime = build(Handler::one("stuck", stuck)).await;
    runtime.publish_and_promote(single(NodeSpec::new("stuck")).build()).await.unwrap();
    for attempt in 0..5000 {
        let start = runtime.start("g", Value::Null).idempotency_key(attempt.to_string());
        let first = tokio::spawn(start.into_future());
        let again = runtime.start("g", Value::Null).idempotency_key(attempt.to_string());
        let run = again.await.unwrap();
        run.cancel();
        let end = tokio::time::timeout(Duration::from_secs(1), run.outcome()).await;
        assert!(end.is_ok(), "start {attempt} was not cancelled: {:?}", run.status());
        first.await.unwrap().unwrap().cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_starts_at_once_with_one_key_give_one_run() {
    let runtime = runtime().build().await.unwrap();
    let node = NodeSpec::new("pass").input("n", 1);
    runtime.publish_and_promote(single(node).build()).await.unwrap();
    for attempt in 0..20_000 {
        let start = || runtime.start("g", Value::Null).idempotency_key(attempt.to_string());
        let first = tokio::spawn(start().into_future());
        let second = start().await.unwrap();
        assert_eq!(first.await.unwrap().unwrap().id(), second.id(), "start {attempt}");
    }
}

/// A graph whose only run has failed, and what became of it.
async fn failed(node: NodeSpec) -> (Runtime, Run) {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, single(node.retry(RetryPolicy::none()))).await;
    assert_eq!(end_of(&run).await.status, RunStatus::Failed);
    (runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_retry_on_a_retired_version_is_refused() {
    let (runtime, run) = failed(NodeSpec::new("odd_fails").input("n", 1)).await;
    let before = run.outcome().await;
    runtime.publish_and_promote(chain("g").build()).await.unwrap();
    runtime.versions("g").retire(1).await.unwrap();
    let gone = RetryError::VersionGone { graph: "g".into(), version: VersionNumber(1) };
    assert_eq!(run.retry_failed("again").await, Err(gone.clone()));
    assert_eq!(run.retry(before.failures[0].state, "again").await, Err(gone));
    assert!(run.is_ended(), "a refusal changes nothing");
    assert_eq!(end_of(&run).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_state_that_never_was_is_refused() {
    let (_runtime, run) = failed(NodeSpec::new("odd_fails").input("n", 1)).await;
    let unknown = StateId(99);
    assert_eq!(run.retry(unknown, "a").await, Err(RetryError::UnknownState(unknown)));
    assert!(run.is_ended(), "a refusal changes nothing");
    assert!(run.retry_failed("a").await.is_ok(), "a refused id is free");
}

/// The status that a state is refused with.
async fn refused_as(run: &Run, state: StateId) -> StateStatus {
    match run.retry(state, "refused").await {
        Err(RetryError::NotRetryable { state: named, status, .. }) if named == state => status,
        other => panic!("{state}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_what_was_skipped_or_retried_is_refused() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, joined("odd_fails", |merger| merger)).await;
    let outcome = end_of(&run).await;
    assert_eq!(refused_as(&run, outcome.skipped[0].state).await, StateStatus::Skipped);
    let failed = outcome.failures[0].state;
    run.retry(failed, "once").await.unwrap();
    end_of(&run).await;
    assert_eq!(refused_as(&run, failed).await, StateStatus::RetryCreated);
    let graph = Document::builder("g")
        .node(NodeSpec::new("pass").input("n", 1).next_when("slow", "${{pass.outputs.n}} > 1"))
        .node(NodeSpec::new("slow").input("n", 1));
    let run = start(&runtime, graph).await;
    let outcome = end_of(&run).await;
    assert_eq!(refused_as(&run, outcome.skipped[0].state).await, StateStatus::Skipped);
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_running_state_is_refused_and_so_is_one_of_a_run_that_stops() {
    let runtime = runtime().build().await.unwrap();
    let run = start(&runtime, chain("g")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let running = run.states()[0].id;
    assert_eq!(refused_as(&run, running).await, StateStatus::Queued);
    run.cancel();
    assert_eq!(run.retry(running, "late").await, Err(RetryError::Stopping));
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    run.retry(running, "late").await.unwrap();
    assert!(end_of(&run).await.is_success(), "what was cancelled can be retried after the end");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_cancels_a_retried_run_that_was_forgotten() {
    let stuck = |_: (), ctx: Context| async move {
        match ctx.state_id().0 {
            0 => Err(NodeError::permanent("first")),
            _ => std::future::pending::<Result<(), _>>().await,
        }
    };
    let builder = runtime().keep_ended(0).handler(Handler::one("stuck", stuck));
    let runtime = builder.build().await.unwrap();
    let run = start(&runtime, single(NodeSpec::new("stuck"))).await;
    end_of(&run).await;
    run.retry_failed("again").await.unwrap();
    let down = runtime.shutdown(Duration::from_secs(1));
    let report = tokio::time::timeout(Duration::from_secs(60), down).await;
    assert_eq!(report.expect("the shutdown hangs").cancelled, [run.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_without_its_handle() {
    let told = Arc::new(AtomicBool::new(false));
    let tell = told.clone();
    let tells = move |_: Number| {
        tell.store(true, Ordering::SeqCst);
        async { Ok(()) }
    };
    let runtime = build(Handler::one("tells", tells)).await;
    let graph = Document::builder("g")
        .node(NodeSpec::new("slow").input("n", 1).next("tells"))
        .node(NodeSpec::new("tells").input("n", "${{slow.outputs.n}}"));
    let run = start(&runtime, graph).await;
    let id = run.id();
    drop(run);
    pass(30).await;
    assert!(told.load(Ordering::SeqCst));
    assert_eq!(runtime.live_runs(), 0);
    assert!(end_of(&runtime.run(id).unwrap()).await.is_success());
}

/// Code that blocks its thread until it is let go, or five seconds at most.
#[derive(Clone, Default)]
struct Wall {
    reached: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    passed: Arc<AtomicBool>,
}

impl Wall {
    fn block(&self) {
        self.reached.store(true, Ordering::SeqCst);
        for _ in 0..1000 {
            if self.gone.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.passed.store(true, Ordering::SeqCst);
    }

    /// Needs no timer of tokio's, which a blocked worker may keep from firing.
    fn wait_for(flag: &AtomicBool) {
        while !flag.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Cancels a run that has reached the wall, and looks at how it ends.
    async fn cancel(self, runtime: &Runtime, run: &Run) -> Duration {
        Self::wait_for(&self.reached);
        let began = std::time::Instant::now();
        run.cancel();
        assert_eq!(end_of(run).await.status, RunStatus::Cancelled);
        let took = began.elapsed();
        assert!(!self.passed.load(Ordering::SeqCst), "the run waited for the handler: {took:?}");
        self.gone.store(true, Ordering::SeqCst);
        Self::wait_for(&self.passed);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(run.status().status, RunStatus::Cancelled);
        assert_eq!(run.status().of("wall", StateStatus::Success), 0, "its result is ignored");
        assert_eq!(runtime.live_runs(), 0);
        took
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_after_a_wait_is_left_behind_after_the_grace() {
    let wall = Wall::default();
    let blocks = wall.clone();
    let handler = Handler::one("wall", move |_: (), ctx: Context| {
        let blocks = blocks.clone();
        async move {
            ctx.sleep(Duration::from_millis(20)).await;
            blocks.block();
            Ok(())
        }
    });
    let grace = Duration::from_millis(100);
    let runtime = runtime().cancel_grace(grace).handler(handler).build().await.unwrap();
    let run = start(&runtime, single(NodeSpec::new("wall"))).await;
    let took = wall.cancel(&runtime, &run).await;
    assert!(took >= grace, "{took:?}");
    let states: Vec<_> = run.states().iter().map(|state| state.status).collect();
    assert_eq!(states, [StateStatus::Cancelled], "what its lane still had is on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_at_once_holds_its_cancelled_run_up_until_it_returns() {
    let handler = Handler::one("wall", |_: ()| async {
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let graph = Document::builder("g")
        .node(NodeSpec::new("wall").next("after"))
        .node(NodeSpec::new("after").handler("wall"));
    let runtime = runtime().cancel_grace(Duration::ZERO).handler(handler).build().await.unwrap();
    let run = start(&runtime, graph).await;
    let began = std::time::Instant::now();
    run.cancel();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    assert!(began.elapsed() < Duration::from_millis(900), "the second one blocked too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_code_is_left_behind_at_once() {
    let wall = Wall::default();
    let blocks = wall.clone();
    let handler = Handler::blocking("wall", move |(): (), _| {
        blocks.block();
        Ok(())
    });
    let runtime = runtime().cancel_grace(Duration::from_secs(9)).handler(handler);
    let runtime = runtime.build().await.unwrap();
    let run = start(&runtime, single(NodeSpec::new("wall"))).await;
    let took = wall.cancel(&runtime, &run).await;
    assert!(took < Duration::from_secs(9), "{took:?}");
}
