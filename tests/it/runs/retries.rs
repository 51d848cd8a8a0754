//! Retries by hand that come at an awkward moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::poll;
use hotgraph::{
    Arity, Context, Document, Emit, GraphBuilder, Handler, MemoryJournal, NodeError, NodeSpec,
    RetryError, RetryPolicy, Run, RunStatus, Runtime, Schema, StateStatus, Value,
};
use tokio::sync::oneshot;

use super::control::end_of;
use super::{runtime, single, start};

fn spec(name: &str) -> NodeSpec {
    NodeSpec::new(name).retry(RetryPolicy::none())
}

/// Three branches of three branches that sleep, and a merger for each list.
fn nested() -> GraphBuilder {
    Document::builder("g")
        .node(spec("outer").handler("list").next("inner"))
        .node(spec("inner").handler("list").next("sleep"))
        .node(spec("sleep").next("near"))
        .node(spec("near").handler("pass").unites("inner").next("far"))
        .node(spec("far").handler("pass").unites("outer"))
}

async fn sleeping(lanes: usize) -> Run {
    let sleep = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(5)).await;
        Ok(())
    };
    let list = |_: ()| async { Ok(Emit::each([(), (), ()])) };
    let builder = Runtime::builder().lanes(lanes).handler(Handler::many("list", list));
    let builder = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) }));
    let runtime = builder.handler(Handler::one("sleep", sleep)).build().await.unwrap();
    let run = start(&runtime, nested()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run
}

#[tokio::test(start_paused = true)]
async fn an_output_is_retried_while_its_merger_is_waited_for() {
    for lanes in [1, 4] {
        for (node, near, slept) in [("outer", 6, 18), ("inner", 3, 12)] {
            let run = sleeping(lanes).await;
            let output = run.states().into_iter().find(|state| &*state.node == node).unwrap();
            run.retry(output.id, "again").await.unwrap();
            let outcome = end_of(&run).await;
            assert_eq!(outcome.status, RunStatus::Success, "{node}, {lanes} lanes");
            let view = run.status();
            assert_eq!(view.of("sleep", StateStatus::Success), slept, "{node}, {lanes} lanes");
            assert_eq!(view.of("near", StateStatus::Success), near, "{node}, {lanes} lanes");
            assert_eq!(view.of("far", StateStatus::Success), 1, "{node}, {lanes} lanes");
        }
    }
}

/// A run that failed, and waits for ever when it is retried.
async fn failed_once() -> (Runtime, Run) {
    let calls = AtomicU64::new(0);
    let fails = move |_: ()| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                return Err(NodeError::permanent("first"));
            }
            std::future::pending::<()>().await;
            Ok(())
        }
    };
    let runtime = Runtime::builder().handler(Handler::one("fails", fails)).build().await.unwrap();
    let run = start(&runtime, single(spec("fails"))).await;
    assert_eq!(end_of(&run).await.status, RunStatus::Failed);
    (runtime, run)
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_heard_while_a_retry_opens_an_episode() {
    let (_runtime, run) = failed_once().await;
    let mut retry = Box::pin(run.retry_failed("again"));
    assert!(poll!(&mut retry).is_pending());
    assert!(!run.is_ended(), "the episode is about to begin");
    run.cancel();
    retry.await.unwrap();
    assert_eq!(end_of(&run).await.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_heard_while_a_retry_opens_an_episode() {
    let (runtime, run) = failed_once().await;
    let mut retry = Box::pin(run.retry_failed("again"));
    assert!(poll!(&mut retry).is_pending());
    let report = runtime.shutdown(Duration::ZERO).await;
    assert_eq!(report.cancelled, [run.id()]);
    assert!(run.is_ended());
}

#[tokio::test(start_paused = true)]
async fn a_walk_without_budget_is_handed_over_all_the_same() {
    let greedy = |_: (), ctx: Context| async move {
        // After so many of these tokio lets nothing be ready until the task has yielded.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1_000);
        (0..500).for_each(|n| sender.try_send(n).unwrap());
        for _ in 0..500 {
            receiver.recv().await;
        }
        ctx.sleep(Duration::from_millis(20)).await;
        Ok(())
    };
    let builder = Runtime::builder().handler(Handler::one("greedy", greedy));
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(single(spec("greedy")).build()).await.unwrap();
    let mut events = runtime.events();
    let mut run = Box::pin(runtime.start("g", Value::Null).run());
    assert!(poll!(&mut run).is_pending());
    drop(run);
    let started = events.next().await.unwrap().unwrap();
    let run = runtime.run(started.run.unwrap()).unwrap();
    assert_eq!(end_of(&run).await.status, RunStatus::Success, "it was accepted");
}

/// Starts a run from a task of a task, so that a worker leaves the walk to another one.
fn start_below(depth: u64, runtime: Runtime, run: oneshot::Sender<Run>) {
    tokio::spawn(async move {
        match depth {
            0 => run.send(runtime.start("g", Value::Null).await.unwrap()).unwrap(),
            _ => start_below(depth - 1, runtime, run),
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_episode_has_its_own_actor_however_late_the_first_one_was() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let fails = move |_: ()| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            tokio::task::yield_now().await;
            if is_first {
                return Err(NodeError::permanent("first"));
            }
            std::future::pending::<()>().await;
            Ok(())
        }
    };
    let never = |_: ()| async { Err::<(), _>(NodeError::permanent("never")) };
    let builder = Runtime::builder().handler(Handler::one("fails", fails));
    let builder = builder.handler(Handler::one("never", never));
    let runtime = builder.handler(Handler::one("pass", |_: ()| async { Ok(()) })).build();
    let runtime = runtime.await.unwrap();
    let graph = Document::builder("g").node(spec("pass").next("fails").next("never"));
    let graph = graph.node(spec("fails")).node(spec("never"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    for round in 0..2_000 {
        calls.store(0, Ordering::Relaxed);
        let (sender, run) = oneshot::channel();
        start_below(round % 5, runtime.clone(), sender);
        let run = run.await.unwrap();
        end_of(&run).await;
        run.retry_failed("one").await.unwrap();
        // One branch waits for ever: the live run answers.
        let again = async {
            while let Err(error) = run.retry_failed("two").await {
                assert_eq!(error, RetryError::NothingToRetry);
                tokio::task::yield_now().await;
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(30), again).await;
        answered.unwrap_or_else(|_| panic!("round {round}: {:?}", run.status()));
        run.cancel();
        end_of(&run).await;
    }
}

/// The first time it fails.
fn heals() -> Handler {
    Handler::one("heals", |_: (), ctx: Context| async move {
        match ctx.store().put("failed", true) {
            None => Err(NodeError::permanent("first")),
            Some(_) => Ok(()),
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_that_is_retried_as_it_is_to_be_forgotten_is_one_of_the_latest_again() {
    let wide = Document::builder("wide")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 4_500).next("work"))
        .node(NodeSpec::new("work").handler("odd_fails").input("n", "${{list.outputs.n}}"));
    let wide = wide.build();
    for round in 0..20 {
        let reached = Arc::new(AtomicBool::new(false));
        let reaches = reached.clone();
        let last = Handler::one("last", move |_: ()| {
            reaches.store(true, Ordering::SeqCst);
            async { Ok(()) }
        });
        let builder = runtime().keep_ended(2).handler(heals()).handler(last);
        let runtime = builder.build().await.unwrap();
        let old = start(&runtime, single(spec("heals"))).await;
        end_of(&old).await;
        runtime.publish_and_promote(wide.clone()).await.unwrap();
        end_of(&runtime.start("wide", Value::Null).await.unwrap()).await;
        let last = Document::builder("last").node(NodeSpec::new("last")).build();
        runtime.publish_and_promote(last).await.unwrap();
        // Its end has the wide run give up its records, which takes a while, and forgets the old one.
        let last = runtime.start("last", Value::Null).await.unwrap();
        while !reached.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(100 * (round + 1)));
        old.retry_failed("again").await.unwrap();
        assert!(end_of(&old).await.is_success());
        end_of(&last).await;
        assert!(runtime.run(old.id()).is_some(), "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_names_one_retry_of_each_node_or_of_all_that_failed() {
    let fails = |_: ()| async { Err::<(), _>(NodeError::new("ill")) };
    let twice = |_: ()| async { Ok(Emit::each([(), ()])) };
    let builder = Runtime::builder().handler(Handler::one("fails", fails));
    let runtime = builder.handler(Handler::many("twice", twice)).build().await.unwrap();
    let graph = Document::builder("g")
        .node(spec("twice").next("a").next("b"))
        .node(spec("a").handler("fails"))
        .node(spec("b").handler("fails"));
    let run = start(&runtime, graph).await;
    end_of(&run).await;
    let states = run.states();
    let of =
        |node: &str| states.iter().filter(|one| &*one.node == node).map(|one| one.id).collect();
    let (a, b): (Vec<_>, Vec<_>) = (of("a"), of("b"));
    let used = |id: &str| Err(RetryError::Duplicate(id.to_owned()));

    run.retry(a[0], "x").await.unwrap();
    run.retry(b[0], "x").await.unwrap();
    end_of(&run).await;
    assert_eq!(run.retry(a[1], "x").await, used("x"), "another state of the node");
    assert_eq!(run.retry(a[0], "x").await, used("x"), "which was taken back, too");
    assert_eq!(run.retry_failed("x").await.map(drop), used("x"));
    assert_eq!(run.retry_failed("all").await.map(|all| all.len()), Ok(4));
    end_of(&run).await;
    assert_eq!(run.retry(a[1], "all").await, used("all"));
    run.retry(a[1], "other").await.expect_err("it was taken back by the retry of all");
}

/// A list whose outputs lack a field when they are drawn first, how often its parts were called, and a run
/// of it that failed.
async fn lacking(journal: &Arc<MemoryJournal>) -> (Runtime, Run, [Arc<AtomicU64>; 3]) {
    let calls: [Arc<AtomicU64>; 3] = Default::default();
    let [lists, works, joins] = calls.clone();
    let list = move |_: ()| {
        let is_first = lists.fetch_add(1, Ordering::SeqCst) == 0;
        let lacks =
            |n: u64| if is_first { Value::empty_object() } else { Value::object([("n", n)]) };
        let outputs: Vec<_> = (0..4).map(lacks).collect();
        async move { Ok(Emit::each(outputs)) }
    };
    let work = move |input: Value| {
        works.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Emit::one(input)) }
    };
    let join = move |input: Value| {
        joins.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Emit::one(input)) }
    };
    let any = || (Schema::any(), Schema::any());
    let runtime = Runtime::builder()
        .journal(journal.clone())
        .handler(Handler::dynamic("list", any(), Arity::Many, move |_: Value| list(())))
        .handler(Handler::dynamic("work", any(), Arity::One, work))
        .handler(Handler::dynamic("join", any(), Arity::One, join))
        .build()
        .await
        .unwrap();
    let graph = Document::builder("g")
        .node(spec("list").next("work"))
        .node(spec("work").input("n", "${{list.outputs.n}}").next("join"))
        .node(spec("join").unites("list").input("n", "${{work.outputs.n}}"));
    let run = start(&runtime, graph).await;
    assert_eq!(end_of(&run).await.failures.len(), 4);
    (runtime, run, calls)
}

#[tokio::test(start_paused = true)]
async fn a_fanout_is_drawn_once_however_many_of_its_outputs_are_retried() {
    let numbers = Value::object([("n", [0, 1, 2, 3].map(Value::from).to_vec())]);
    for one_of_them in [false, true] {
        let journal = Arc::new(MemoryJournal::new());
        let (runtime, run, calls) = lacking(&journal).await;
        let failed: Vec<_> = end_of(&run).await.failures.iter().map(|one| one.state).collect();
        match one_of_them {
            true => run.retry(failed[2], "again").await.unwrap(),
            false => assert_eq!(run.retry_failed("again").await.unwrap(), failed),
        }
        let outcome = end_of(&run).await;
        assert_eq!((outcome.status, &outcome.outputs["join"]), (RunStatus::Success, &numbers));
        // The list once and once more.
        assert_eq!(calls.map(|calls| calls.load(Ordering::SeqCst)), [2, 4, 1]);
        assert_eq!(run.status().of("list", StateStatus::RetryCreated), 4);
        drop(runtime);
        let (next, _, _) = lacking(&journal).await;
        let read = next.storage().unwrap().load(run.id()).await.unwrap();
        assert_eq!((&*read.outcome().await, read.status()), (&*outcome, run.status()));
    }
}
