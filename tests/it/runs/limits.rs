//! What bounds a run in time and memory, and what a start brings along.

use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, EventKind, Handler, Lagged, NodeError, NodeSpec, RetryError,
    RetryPolicy, Run, RunStatus, Runtime, StateId, StateRetention, StateStatus, Timestamp, Value,
    VirtualClock,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Number, build, joined, runtime, single, start};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

/// Each attempt fails after two seconds, and the next one starts a second later.
async fn fails_late(total: Duration) -> Run {
    let late = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(2)).await;
        Err::<(), _>(NodeError::new("late"))
    };
    let runtime = build(Handler::one("late", late)).await;
    let retry = RetryPolicy::fixed(10, Duration::from_secs(1));
    start(&runtime, single(NodeSpec::new("late").total_timeout(total).retry(retry))).await
}

#[tokio::test(start_paused = true)]
async fn a_total_timeout_ends_the_attempt_under_way() {
    let began = Instant::now();
    let run = fails_late(Duration::from_secs(4)).await;
    let outcome = run.outcome().await;
    assert_eq!(began.elapsed().as_secs(), 4);
    assert_eq!(outcome.status, RunStatus::Failed);
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(failure.status, StateStatus::TimedOut);
    assert_eq!(run.status().of("late", StateStatus::TimedOut), 1);
}

#[tokio::test(start_paused = true)]
async fn a_total_timeout_ends_the_wait_for_the_next_attempt() {
    let began = Instant::now();
    let run = fails_late(Duration::from_millis(2500)).await;
    let outcome = run.outcome().await;
    assert_eq!(began.elapsed().as_millis() / 100, 25);
    assert_eq!(outcome.failures[0].status, StateStatus::TimedOut);
    assert_eq!(run.status().of("late", StateStatus::RetryCreated), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_had_no_time_left_is_not_counted() {
    let outcome = fails_late(Duration::from_millis(2500)).await.await;
    assert_eq!(outcome.failures[0].attempts, 1, "the handler was called once");
}

#[tokio::test(start_paused = true)]
async fn a_manual_retry_has_the_whole_time_again() {
    let run = fails_late(Duration::from_secs(4)).await;
    run.outcome().await;
    let began = Instant::now();
    run.retry_failed("again").await.unwrap();
    assert_eq!(run.outcome().await.failures[0].status, StateStatus::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_told_what_it_lost_and_goes_on() {
    let chatty = |_: (), ctx: Context| async move {
        (0..6000_u64).for_each(|n| ctx.progress(n));
        Ok(())
    };
    let runtime = build(Handler::one("chatty", chatty)).await;
    let mut events = runtime.events();
    start(&runtime, single(NodeSpec::new("chatty"))).await.await;
    let Some(Err(Lagged(lost))) = events.try_next() else { panic!("nothing was lost") };
    let rest: Vec<_> = std::iter::from_fn(|| events.try_next()).map(Result::unwrap).collect();
    // The first two were of the version, and are numbered apart.
    assert!(rest.iter().zip(lost - 2..).all(|(event, number)| event.sequence == number));
    assert_eq!(rest.last().unwrap().kind, EventKind::RunEnded { status: "SUCCESS" });
    let run = start(&runtime, single(NodeSpec::new("pass").input("n", 1))).await;
    let mut next = events.next().await.unwrap().unwrap();
    while next.run.is_none() {
        next = events.next().await.unwrap().unwrap();
    }
    assert_eq!(next.run, Some(run.id()));
}

async fn ended_with(retention: StateRetention) -> Run {
    let runtime = runtime().state_retention(retention).build().await.unwrap();
    let run = start(&runtime, joined("odd_fails", NodeSpec::all_done)).await;
    assert_eq!(run.outcome().await.failures.len(), 2);
    run
}

#[tokio::test(start_paused = true)]
async fn the_records_of_ended_states_are_kept_as_the_retention_says() {
    let kept = [(StateRetention::All, 9), (StateRetention::Failures, 2), (StateRetention::None, 0)];
    for (retention, count) in kept {
        let run = ended_with(retention).await;
        assert_eq!(run.states().len(), count, "{retention:?}");
        assert_eq!(run.status().of("work", StateStatus::Success), 2, "{retention:?}");
        assert_eq!(run.status().of("work", StateStatus::Errored), 2, "{retention:?}");
    }
    let failures = ended_with(StateRetention::Failures).await.states();
    assert!(failures.iter().all(|state| state.status == StateStatus::Errored), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_kept_cannot_be_retried() {
    let run = ended_with(StateRetention::Failures).await;
    assert_eq!(run.retry_failed("again").await.unwrap().len(), 2);
    let run = ended_with(StateRetention::None).await;
    let failed = run.outcome().await.failures[0].state;
    assert_eq!(run.retry(failed, "one").await, Err(RetryError::UnknownState(failed)));
    assert_eq!(run.retry_failed("all").await, Err(RetryError::NothingToRetry));
}

#[tokio::test(start_paused = true)]
async fn live_states_are_listed_unless_nothing_is_kept() {
    for (retention, live) in [(StateRetention::Failures, 4), (StateRetention::None, 0)] {
        let runtime = runtime().state_retention(retention).build().await.unwrap();
        let run = start(&runtime, joined("slow", |m| m)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(run.states().len(), live, "{retention:?}");
        assert_eq!(run.status().of("work", StateStatus::Queued), 4, "{retention:?}");
        run.outcome().await;
        assert!(run.states().is_empty(), "{retention:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_ten_thousand_states_only_failures_are_kept_unless_told() {
    let runtime = runtime().build().await.unwrap();
    let graph = Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("list").input("n", 5_200).next("odd_fails"))
        .node(NodeSpec::new("odd_fails").input("n", "${{list.outputs.n}}"));
    let run = start(&runtime, graph).await;
    run.outcome().await;
    let states = run.states();
    let (first, later): (Vec<_>, Vec<_>) = states.iter().partition(|state| state.id.0 < 10_000);
    // Each of two lanes may have numbers left that no state got.
    assert!((10_000 - 2 * 64..=10_000).contains(&first.len()), "{}", first.len());
    assert!(!later.is_empty());
    assert!(later.iter().all(|state| state.status == StateStatus::Errored));
}

/// A runtime that keeps so many ended runs, and a graph whose runs fail.
async fn forgetful(runs: usize) -> Runtime {
    let runtime = runtime().keep_ended(runs).build().await.unwrap();
    let node = NodeSpec::new("odd_fails").input("n", 1).retry(RetryPolicy::none());
    runtime.publish_and_promote(single(node).build()).await.unwrap();
    runtime
}

async fn ended(runtime: &Runtime, n: u64) -> Run {
    let run = runtime.start("g", Value::object([("n", n)])).await.unwrap();
    run.outcome().await;
    run
}

#[tokio::test(start_paused = true)]
async fn the_oldest_ended_runs_are_forgotten() {
    let runtime = forgetful(1).await;
    let keyed = || async { runtime.start("g", Value::Null).idempotency_key("k").await.unwrap() };
    let one = keyed().await;
    one.outcome().await;
    assert!(runtime.run(one.id()).is_some());
    let two = ended(&runtime, 2).await;
    assert!(runtime.run(one.id()).is_none());
    assert!(runtime.run(two.id()).is_some());
    assert!(!one.states().is_empty(), "its handle can still read it");
    assert_ne!(keyed().await.id(), one.id(), "its key is free");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_twice_is_kept_once() {
    let runtime = forgetful(2).await;
    let one = ended(&runtime, 1).await;
    one.retry_failed("again").await.unwrap();
    one.outcome().await;
    let two = ended(&runtime, 2).await;
    assert!(runtime.run(two.id()).is_some());
    assert!(runtime.run(one.id()).is_some(), "only two runs have ended");
}

#[tokio::test(start_paused = true)]
async fn a_start_delay_holds_the_first_state_back() {
    let runtime = runtime().build().await.unwrap();
    runtime.publish_and_promote(joined("pass", |m| m).build()).await.unwrap();
    let began = Instant::now();
    let run = runtime.start("g", Value::Null).delay(Duration::from_secs(10)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0, "the start itself waits for nothing");
    assert!(run.await.is_success());
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_run_counts_from_the_end_of_its_delay() {
    let runtime = runtime().build().await.unwrap();
    let node = NodeSpec::new("pass").input("n", 1);
    let graph = single(node).timeout(Duration::from_secs(5));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let run = runtime.start("g", Value::Null).delay(Duration::from_secs(10)).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_start_delay_follows_the_runtimes_clock() {
    let clock = VirtualClock::new(Timestamp(0));
    let runtime = runtime().clock(clock.clone()).build().await.unwrap();
    let node = NodeSpec::new("pass").input("n", 1);
    runtime.publish_and_promote(single(node).build()).await.unwrap();
    let run = runtime.start("g", Value::Null).delay(Duration::from_secs(10)).await.unwrap();
    clock.advance(Duration::from_secs(9));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!run.is_ended());
    assert_eq!(run.status().of("pass", StateStatus::Created), 1);
    clock.advance(Duration::from_secs(1));
    assert!(run.await.is_success());
}

#[tokio::test(start_paused = true)]
async fn ended_runs_whose_outcomes_are_long_are_forgotten_sooner() {
    let runtime = runtime().build().await.unwrap();
    let wide = Document::builder("wide")
        .node(NodeSpec::new("list").input("n", 60_000).next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{list.outputs.n}}"));
    runtime.publish_and_promote(wide.build()).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..5 {
        let run = runtime.start("wide", Value::Null).await.unwrap();
        assert!(run.outcome().await.is_success());
        runs.push(run.id());
    }
    let known: Vec<_> = runs.iter().map(|run| runtime.run(*run).is_some()).collect();
    assert_eq!(known, [false, false, true, true, true]);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_ended_runs_keep_of_their_states_only_what_went_wrong() {
    let runtime = runtime().build().await.unwrap();
    let oldest = start(&runtime, joined("odd_fails", |m| m)).await;
    assert_eq!(oldest.outcome().await.status, RunStatus::Failed);
    let wide = Document::builder("wide")
        .node(NodeSpec::new("list").input("n", 4_000).next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{list.outputs.n}}"));
    runtime.publish_and_promote(wide.build()).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = runtime.start("wide", Value::Null).await.unwrap();
        assert!(run.outcome().await.is_success());
        runs.push(run);
    }
    assert!(runs[0].states().is_empty() && runs[0].outcome().await.is_success());
    assert_eq!(runs[0].status().of("pass", StateStatus::Success), 4_000);
    assert_eq!(runs[2].states().len(), 8_000, "the latest keeps its own");
    let refused = runs[0].retry(StateId(0), "again").await;
    assert_eq!(refused, Err(RetryError::UnknownState(StateId(0))));
    let kept = oldest.states();
    assert!(kept.iter().all(|state| state.status == StateStatus::Errored), "{kept:?}");
    assert_eq!(oldest.retry_failed("again").await.unwrap().len(), 2);
    assert_eq!(oldest.outcome().await.failures.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lacks_a_single_state_fails() {
    let runtime = runtime().build().await.unwrap();
    // Four of the list, four of its branches, and the merger's.
    for limit in 1..=8 {
        let run = start(&runtime, joined("pass", |m| m).max_states(limit)).await;
        let outcome = run.outcome().await;
        assert_eq!(outcome.status, RunStatus::Failed, "{limit}");
        let exceeds = format!("limit of {limit} states exceeded");
        assert!(outcome.failures.iter().any(|f| *f.error == *exceeds), "{outcome:?}");
    }
    let run = start(&runtime, joined("pass", |m| m).max_states(9)).await;
    assert_eq!(run.outcome().await.status, RunStatus::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_state_stands_for_all_outputs_that_can_have_none() {
    let list = |_: ()| async { Ok(Emit::each((0..20_000).map(|n| Number { n }))) };
    let runtime = build(Handler::many("list", list)).await;
    for _ in 0..10 {
        let run = start(&runtime, single(NodeSpec::new("list")).max_states(10_000)).await;
        let outcome = run.outcome().await;
        let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
        assert_eq!(*failure.error, *"limit of 10000 states exceeded");
        // A lane may have put numbers aside that it did not use.
        let had_one = run.status().of("list", StateStatus::Success);
        assert!((9_000..=10_000).contains(&had_one), "{had_one}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manual_retry_that_can_have_no_state_fails() {
    let fails = |_: ()| async { Err::<(), _>(NodeError::permanent("always")) };
    let runtime = build(Handler::one("fails", fails)).await;
    let run = start(&runtime, single(NodeSpec::new("fails")).max_states(1)).await;
    assert_eq!(*run.outcome().await.failures[0].error, *"always");
    run.retry_failed("again").await.unwrap();
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&*failure.error, failure.attempts), ("limit of 1 states exceeded", 0));
}

#[tokio::test(start_paused = true)]
async fn a_fanout_that_waited_leaves_no_record_that_is_not_to_be_kept() {
    let late = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1)).await;
        Ok(Emit::each((0..3).map(|n| Number { n })))
    };
    let builder = runtime().state_retention(StateRetention::Failures);
    let runtime = builder.handler(Handler::many("late", late)).build().await.unwrap();
    let pass = NodeSpec::new("pass").input("n", "${{late.outputs.n}}");
    let graph = Document::builder("g").node(NodeSpec::new("late").next("pass")).node(pass);
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.status, RunStatus::Success);
    assert_eq!(run.states(), []);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_given_goes_into_a_field_as_one_of_the_document_does() {
    let tell = |input: Text| async move { Ok(input) };
    let runtime = build(Handler::one("tell", tell)).await;
    let graph = single(NodeSpec::new("tell").input("text", 5)).build();
    runtime.publish_and_promote(graph).await.unwrap();
    for (inputs, text) in [(Value::Null, "5"), (Value::object([("text", 7)]), "7")] {
        let outcome = runtime.start("g", inputs).run().await.unwrap();
        assert_eq!(outcome.output::<Text>().unwrap().text, text);
    }
}
