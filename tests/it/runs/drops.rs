//! Values of handlers that panic when they are dropped: no run hangs or breaks by it.

use std::time::Duration;

use hotgraph::{
    Arity, Context, Document, Emit, Graph, GraphBuilder, Handler, Node, NodeError, NodeSpec,
    RetryPolicy, Run, RunStatus, Runtime, StateStatus, Value,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::sleep;

use super::control::end_of;
use super::{Number, build, joined, runtime, single, start};

/// Panics when it is dropped.
#[derive(Default)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // A second panic would abort the process.
        if !std::thread::panicking() {
            panic!("bomb");
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Mined {
    n: u64,
    #[serde(skip)]
    _bomb: Bomb,
}

impl Mined {
    fn of(n: u64) -> Self {
        Self { n, _bomb: Bomb }
    }
}

/// A node whose future never ends, and panics when it is dropped.
fn stuck() -> Handler {
    Handler::one("stuck", |_: ()| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn an_output_that_panics_fails_its_state() {
    let runtime = build(Handler::one("mined", |_: ()| async { Ok(Mined::of(1)) })).await;
    let node = NodeSpec::new("mined").retry(RetryPolicy::none());
    let outcome = end_of(&start(&runtime, single(node)).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert_eq!(&*outcome.failures[0].error, "panicked: bomb");
}

#[tokio::test(start_paused = true)]
async fn a_fanout_whose_outputs_panic_fails_its_state() {
    let mined = |_: ()| async { Ok(Emit::each((0..3).map(Mined::of))) };
    let runtime = build(Handler::many("mined", mined)).await;
    let graph = Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("mined").next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{mined.outputs.n}}"));
    let outcome = end_of(&start(&runtime, graph).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert_eq!(&*outcome.failures[0].error, "panicked: bomb");
}

#[tokio::test(start_paused = true)]
async fn a_fanout_that_panics_at_its_end_keeps_what_it_gave() {
    let mined = |_: ()| async {
        let bomb = Bomb;
        Ok(Emit::each((0..3).map(move |n| {
            let _held = &bomb;
            Number { n }
        })))
    };
    let runtime = build(Handler::many("mined", mined)).await;
    let graph = Document::builder("g")
        .node(NodeSpec::new("mined").next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{mined.outputs.n}}"));
    let run = start(&runtime, graph).await;
    assert!(end_of(&run).await.is_success());
    assert_eq!(run.status().of("pass", StateStatus::Success), 3);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_panics_at_its_timeout_is_timed_out() {
    let runtime = build(stuck()).await;
    let node = NodeSpec::new("stuck").timeout(Duration::from_secs(1)).retry(RetryPolicy::none());
    let outcome = end_of(&start(&runtime, single(node)).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert_eq!(outcome.failures[0].status, StateStatus::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn futures_that_panic_at_a_cancel_are_cancelled() {
    let runtime = build(stuck()).await;
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 3).next("stuck"))
        .node(NodeSpec::new("stuck"));
    let run = start(&runtime, graph).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.cancel();
    let outcome = end_of(&run).await;
    assert_eq!(outcome.status, RunStatus::Cancelled);
    assert_eq!(run.status().of("stuck", StateStatus::Cancelled), 3);
    assert_eq!(runtime.live_runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_panic_brings_may_panic_when_it_is_dropped() {
    struct Thrower;
    impl Drop for Thrower {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb);
        }
    }
    let stuck = Handler::one("stuck", |_: ()| async {
        let _thrower = Thrower;
        std::future::pending::<()>().await;
        Ok(())
    });
    let runtime = build(stuck).await;
    let node = NodeSpec::new("stuck").timeout(Duration::from_secs(1)).retry(RetryPolicy::none());
    let outcome = end_of(&start(&runtime, single(node)).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert_eq!(outcome.failures[0].status, StateStatus::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn refused_outputs_that_panic_fail_their_state() {
    struct Liar;
    impl Node for Liar {
        type Input = ();
        type Output = Mined;
        const ARITY: Arity = Arity::One;

        async fn run(&self, (): (), _ctx: Context) -> Result<Emit<Mined>, NodeError> {
            Ok(Emit::each([1, 2].map(Mined::of)))
        }
    }
    let runtime = build(Handler::node("liar", Liar)).await;
    let outcome = end_of(&start(&runtime, single(NodeSpec::new("liar"))).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert!(outcome.failures[0].error.contains("returned several"), "{outcome:?}");
}

/// A merger that holds a bomb while it takes elements.
fn mined_fold() -> Handler {
    let step = |_: &mut Bomb, one: Number| match one.n {
        2 => Err(NodeError::new("no twos")),
        _ => Ok(()),
    };
    let finish = |bomb: Bomb| {
        std::mem::forget(bomb);
        Ok(Number { n: 0 })
    };
    Handler::fold("fold", Bomb::default, step, finish)
}

/// A run of two branches whose merger is mined: they take one second and three.
async fn mined(graph: impl Fn(GraphBuilder) -> GraphBuilder) -> (Runtime, Run) {
    let runtime = runtime().keep_ended(1).handler(mined_fold()).build().await.unwrap();
    let graph = graph(joined("slow", |merger| merger.handler("fold")));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::object([("n", 2)])).await.unwrap();
    (runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_as_it_is_given_up_fails_its_state() {
    let runtime = build(mined_fold()).await;
    let graph = joined("pass", |merger| merger.handler("fold"));
    let outcome = end_of(&start(&runtime, graph).await).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert_eq!(&*outcome.failures[0].error, "no twos");
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_as_its_run_is_forgotten_harms_no_other_run() {
    let (runtime, run) = mined(|graph| graph).await;
    sleep(Duration::from_secs(2)).await;
    run.cancel();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    drop(run);
    // One ended run is kept: the end of this one forgets the other.
    let next = runtime.start("g", Value::object([("n", 0)])).await.unwrap();
    assert!(end_of(&next).await.is_success());
    assert_eq!(runtime.live_runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_as_its_group_is_replaced_breaks_no_retry() {
    let (_runtime, run) = mined(|graph| graph).await;
    sleep(Duration::from_secs(2)).await;
    run.cancel();
    end_of(&run).await;
    run.retry(run.states()[0].id, "again").await.unwrap();
    let outcome = end_of(&run).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Success, &None));
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_because_there_is_no_state_for_it_breaks_no_run() {
    // Two outputs and two branches.
    let (_runtime, run) = mined(|graph| graph.max_states(4)).await;
    let outcome = end_of(&run).await;
    assert_eq!((outcome.status, &outcome.stopped), (RunStatus::Failed, &None));
    assert!(outcome.failures[0].error.contains("states exceeded"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_before_its_merger_begins_is_cancelled() {
    let (runtime, run) = mined(|graph| graph).await;
    sleep(Duration::from_secs(2)).await;
    run.pause();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(run.status().of("gather", StateStatus::Created), 1);
    run.cancel();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
    assert_eq!(run.status().of("gather", StateStatus::Cancelled), 1);
    assert_eq!(runtime.live_runs(), 0);
}

/// A handler whose code panics when it is dropped.
fn mined_code() -> Handler {
    let bomb = Bomb;
    Handler::one("pass", move |input: Number| {
        let _held = &bomb;
        async move { Ok(input) }
    })
}

#[tokio::test(start_paused = true)]
async fn code_that_panics_as_its_version_goes_breaks_no_run_and_no_command() {
    let runtime = runtime().keep_ended(1).build().await.unwrap();
    let graph = || Graph::from(single(NodeSpec::new("pass").input("n", 1)).build());
    let ends_well = async || {
        let run = runtime.start("g", Value::Null).await.unwrap();
        assert!(end_of(&run).await.is_success());
    };
    runtime.publish_and_promote(graph().bind("pass", mined_code())).await.unwrap();
    ends_well().await;
    runtime.publish_and_promote(graph()).await.unwrap();
    runtime.versions("g").retire(1).await.unwrap();
    // One ended run is kept: the end of this one forgets the last one that had the version.
    ends_well().await;
    // Nothing but the registry has this version.
    runtime.publish(graph().bind("pass", mined_code())).await.unwrap();
    runtime.versions("g").retire(3).await.unwrap();
    runtime.versions("g").tag(2, "good").await.unwrap();
    ends_well().await;
}
