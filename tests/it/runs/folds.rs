//! Folds, when states on the way to them are retried by hand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    Arity, Context, Document, Emit, Handler, NodeError, NodeSpec, Outcome, RetryPolicy, Run,
    RunStatus, Schema, Signal, StateStatus, Value,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Number, Numbers, joined, runtime, start};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Maybe {
    n: Option<u64>,
}

/// A fold that lists what it takes.
fn listing() -> Handler {
    let init = || Numbers { n: Vec::new() };
    let step = |all: &mut Numbers, one: Number| {
        all.n.push(one.n);
        Ok(())
    };
    Handler::fold("listing", init, step, Ok::<Numbers, _>)
}

/// The run of a fanout whose second branch fails once, so that its fold waits for a retry by hand.
async fn skipped(handler: Handler) -> Run {
    let has_failed = AtomicBool::new(false);
    let second_fails_once = move |number: Number| {
        let fails = number.n == 1 && !has_failed.swap(true, Ordering::Relaxed);
        async move { if fails { Err(NodeError::new("once")) } else { Ok(number) } }
    };
    let work = Handler::one("second_fails_once", second_fails_once);
    let runtime = runtime().handler(handler).handler(work).build().await.unwrap();
    let graph = joined("second_fails_once", |merger: NodeSpec| merger.handler("listing"));
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    run
}

/// Retries the first branch, which had succeeded, and then the one that failed.
async fn retry_a_success(run: &Run) -> Outcome {
    let states = run.states();
    let is_success = |status| status == StateStatus::Success;
    let first = states.iter().find(|state| &*state.node == "work" && is_success(state.status));
    run.retry(first.unwrap().id, "first").await.unwrap();
    run.outcome().await;
    run.retry_failed("failed").await.unwrap();
    (*run.outcome().await).clone()
}

#[tokio::test(start_paused = true)]
async fn a_fold_takes_nothing_twice_when_what_it_took_is_retried_by_hand() {
    let run = skipped(listing()).await;
    let outcome = retry_a_success(&run).await;
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&*failure.node, failure.status), ("gather", StateStatus::Errored));
    assert!(failure.error.contains("retried by hand"), "{}", failure.error);
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_keeps_its_elements_takes_those_of_the_retry() {
    let run = skipped(listing().ordered()).await;
    let outcome = retry_a_success(&run).await;
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_fold_goes_on_when_what_failed_is_retried_by_hand() {
    let run = skipped(listing()).await;
    run.retry_failed("failed").await.unwrap();
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [0, 2, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_fold_is_requeued_only_if_its_elements_are_kept() {
    for is_kept in [false, true] {
        let has_finished = AtomicBool::new(false);
        let step = |sum: &mut u64, one: Number| {
            *sum += one.n;
            Ok(())
        };
        let finish = move |sum| match has_finished.swap(true, Ordering::Relaxed) {
            true => Ok(Number { n: sum }),
            false => Err(Signal::RequeueAfter(Duration::from_secs(60)).into()),
        };
        let sum = Handler::fold("sum", || 0, step, finish);
        let sum = if is_kept { sum.ordered() } else { sum };
        let runtime = runtime().handler(sum).build().await.unwrap();
        let run = start(&runtime, joined("pass", |merger| merger.handler("sum"))).await;
        let outcome = run.outcome().await;
        if is_kept {
            assert_eq!(outcome.output::<Number>().unwrap().n, 6);
        } else {
            let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
            assert!(failure.error.contains("cannot be requeued"), "{}", failure.error);
        }
    }
}

/// A branch that succeeds at once and fails when it is tried again, beside one that takes its time.
async fn with_a_success_that_fails_again(merger: &str) -> Run {
    let calls = AtomicU64::new(0);
    let work = move |number: Number, ctx: Context| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.sleep(Duration::from_secs(60 * number.n)).await;
            if call == 4 { Err(NodeError::new("again")) } else { Ok(number) }
        }
    };
    let builder = runtime().handler(Handler::one("work", work));
    let runtime = builder.handler(listing().ordered()).build().await.unwrap();
    let run = start(&runtime, joined("work", |it| it.handler(merger).all_done())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_by_hand_takes_back_is_no_element_of_the_merger() {
    for merger in ["gather", "listing"] {
        let run = with_a_success_that_fails_again(merger).await;
        let states = run.states();
        let first = states.iter().find(|state| &*state.node == "work");
        assert_eq!(first.unwrap().status, StateStatus::Success);
        run.retry(first.unwrap().id, "again").await.unwrap();
        let outcome = run.outcome().await;
        assert_eq!(outcome.failures.len(), 1, "{outcome:?}");
        assert_eq!(outcome.output::<Numbers>().unwrap().n, [1, 2, 3], "{merger}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_a_retry_by_hand_takes_back_is_not_one_of_the_run() {
    let has_worked = AtomicBool::new(false);
    let work = move |_: ()| {
        let has_worked = has_worked.swap(true, Ordering::Relaxed);
        async move { if has_worked { Err(NodeError::new("again")) } else { Ok(Number { n: 1 }) } }
    };
    let runtime = runtime().handler(Handler::one("work", work)).build().await.unwrap();
    let graph = Document::builder("g").retry(RetryPolicy::none()).node(NodeSpec::new("work"));
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.output::<Number>().unwrap().n, 1);
    run.retry(run.states()[0].id, "again").await.unwrap();
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert!(outcome.outputs.is_empty(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_element_that_could_not_be_made_is_forgotten_with_the_state_that_is_retried_by_hand() {
    let calls = AtomicU64::new(0);
    let work = move |number: Number, ctx: Context| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            ctx.sleep(Duration::from_secs(60 * number.n)).await;
            Ok(Maybe { n: (!is_first).then_some(number.n) })
        }
    };
    let builder = runtime().handler(Handler::one("work", work));
    let runtime = builder.handler(listing().ordered()).build().await.unwrap();
    let run = start(&runtime, joined("work", |merger| merger.handler("listing"))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = run.states().into_iter().find(|state| &*state.node == "work");
    run.retry(first.unwrap().id, "again").await.unwrap();
    let outcome = run.outcome().await;
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [0, 1, 2, 3], "{outcome:?}");
}

/// Two lists in a list; the first time the second output of the first list cannot have its work.
async fn with_an_output_that_fails(merger: &str) -> Run {
    let calls = AtomicU64::new(0);
    let rows = move |number: Number| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        let second = (!is_first).then_some(2 * number.n + 1);
        async move { Ok(Emit::each([Some(2 * number.n), second].map(|n| Maybe { n }))) }
    };
    let builder = runtime().handler(Handler::many("rows", rows)).handler(listing());
    let runtime = builder.build().await.unwrap();
    let reads = |name: &str, from: &str| {
        NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
    };
    let graph = Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 2).next("rows"))
        .node(reads("rows", "list").next("pass"))
        .node(reads("pass", "rows").next("all"))
        .node(reads("all", "pass").handler(merger).unites("list"));
    start(&runtime, graph).await
}

#[tokio::test(start_paused = true)]
async fn a_fold_takes_nothing_twice_when_a_fanout_is_drawn_again_for_an_output_that_failed() {
    let run = with_an_output_that_fails("listing").await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    run.retry_failed("again").await.unwrap();
    let outcome = run.outcome().await;
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&*failure.node, failure.status), ("all", StateStatus::Errored));
    assert!(failure.error.contains("retried by hand"), "{}", failure.error);
    run.retry_failed("once more").await.unwrap();
    assert_eq!(run.outcome().await.failures[0].error, failure.error);
}

#[tokio::test(start_paused = true)]
async fn a_fanout_that_is_drawn_again_gives_a_merger_above_it_each_output_once() {
    let run = with_an_output_that_fails("gather").await;
    assert_eq!(run.outcome().await.status, RunStatus::Failed);
    run.retry_failed("again").await.unwrap();
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_merger_without_its_input_is_not_called_when_it_is_retried_by_hand() {
    let work = |_: Number| async move { Ok(Maybe { n: None }) };
    let join = |_: Value, _: Context| async move { Ok(Emit::one(Value::empty_object())) };
    let join = Handler::dynamic("join", (Schema::any(), Schema::any()), Arity::One, join);
    let runtime =
        runtime().handler(Handler::one("work", work)).handler(join).build().await.unwrap();
    let run = start(&runtime, joined("work", |merger| merger.handler("join"))).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.failures.len(), 1, "{outcome:?}");
    run.retry_failed("again").await.unwrap();
    let again = run.outcome().await;
    assert_eq!(again.status, RunStatus::Failed, "{again:?}");
    assert_eq!(again.failures[0].error, outcome.failures[0].error);
}
