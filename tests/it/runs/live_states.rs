//! What `states()` shows of a run that goes on, and what is left of it when it is ended by force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream;
use hotgraph::{
    Context, Document, Emit, GraphBuilder, Handler, NodeError, NodeSpec, RetryError, RetryPolicy,
    Run, RunStatus, StateId, StateStatus,
};

use super::control::end_of;
use super::{Number, runtime, single, start};

/// Code that blocks its thread once, until it is let go or five seconds are over.
#[derive(Clone, Default)]
struct Once {
    reached: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
}

impl Once {
    fn block(&self) {
        if self.reached.swap(true, Ordering::SeqCst) {
            return;
        }
        for _ in 0..1_000 {
            if self.gone.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// States with the names of their nodes.
fn shown(run: &Run) -> Vec<(u64, String, StateStatus)> {
    let state = |state: &hotgraph::StateView| (state.id.0, state.node.to_string(), state.status);
    run.states().iter().map(state).collect()
}

/// A run of one lane that was ended by force while its lane was blocked by `wall`.
async fn ended_by_force(graph: GraphBuilder, wall: Once) -> Run {
    let blocks = wall.clone();
    let blocked = Handler::one("wall", move |input: Number, ctx: Context| {
        let blocks = blocks.clone();
        async move {
            if input.n == 5 {
                blocks.block();
            }
            ctx.sleep(Duration::from_millis(50)).await;
            Ok(input)
        }
    });
    let wait = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_millis(100)).await;
        Ok(input)
    };
    let wide = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_millis(100)).await;
        Ok(Emit::each((0..8).map(|n| Number { n })))
    };
    let handlers = [blocked, Handler::one("wait", wait), Handler::many("wide", wide)];
    let builder = runtime().lanes(1).cancel_grace(Duration::from_millis(100));
    let runtime = handlers.into_iter().fold(builder, |builder, handler| builder.handler(handler));
    let run = start(&runtime.build().await.unwrap(), graph).await;
    while !wall.reached.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(2));
    }
    run.cancel();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    wall.gone.store(true, Ordering::SeqCst);
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_has_waited_is_on_record_when_the_run_is_ended_by_force_before_its_lane_reports() {
    let wall = Once::default();
    let graph = Document::builder("g")
        .node(NodeSpec::new("wait").input("n", 5).next("wall"))
        .node(NodeSpec::new("wall").input("n", "${{wait.outputs.n}}"));
    let run = ended_by_force(graph, wall).await;
    assert_eq!(shown(&run), [(0, "wait".to_owned(), StateStatus::Cancelled)]);
    assert_eq!(run.status().of("wait", StateStatus::Cancelled), 1);
    run.retry(StateId(0), "again").await.unwrap();
    assert!(end_of(&run).await.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_never_counted_is_not_on_record_after_an_end_by_force() {
    let wall = Once::default();
    let graph = Document::builder("g")
        .node(NodeSpec::new("wide").next("wall"))
        .node(NodeSpec::new("wall").input("n", "${{wide.outputs.n}}"));
    let run = ended_by_force(graph, wall).await;
    assert_eq!(shown(&run), [(0, "wide".to_owned(), StateStatus::Cancelled)]);
    run.retry(StateId(0), "again").await.unwrap();
    let outcome = end_of(&run).await;
    assert!(outcome.is_success());
    assert_eq!(run.status().of("wall", StateStatus::Success), 8);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_while_its_run_is_paused_is_shown() {
    let fails = |_: (), ctx: Context| async move {
        if ctx.attempt() == 0 { Err(NodeError::new("first")) } else { Ok(()) }
    };
    let retry = RetryPolicy::fixed(1, Duration::from_secs(2));
    let graph = single(NodeSpec::new("fails")).retry(retry);
    let runtime = runtime().handler(Handler::one("fails", fails)).build().await.unwrap();
    let run = start(&runtime, graph).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.pause();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let statuses: Vec<_> = shown(&run).into_iter().map(|(.., status)| status).collect();
    assert_eq!(statuses, [StateStatus::RetryCreated, StateStatus::Created]);
    let refused = run.retry(StateId(1), "again").await;
    assert!(matches!(refused, Err(RetryError::NotRetryable { .. })), "{refused:?}");
    run.resume();
    assert!(end_of(&run).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_fanout_whose_handler_waited_is_shown_before_its_first_output() {
    let many = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(10)).await;
        let first = async move {
            ctx.sleep(Duration::from_secs(20)).await;
            Ok(Number { n: 1 })
        };
        Ok(Emit::stream(stream::once(first)))
    };
    let runtime = runtime().handler(Handler::many("many", many)).build().await.unwrap();
    let run = start(&runtime, single(NodeSpec::new("many"))).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        let states: Vec<_> =
            shown(&run).into_iter().map(|(state, node, _)| (state, node)).collect();
        assert_eq!(states, [(0, "many".to_owned())]);
    }
    assert!(end_of(&run).await.is_success());
    assert_eq!(shown(&run), [(0, "many".to_owned(), StateStatus::Success)]);
}
