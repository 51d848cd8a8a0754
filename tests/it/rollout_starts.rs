//! Starts that a version refuses count against it, like runs that fail.

use std::time::Duration;

use hotgraph::{
    Document, Handler, NodeSpec, Rollout, RolloutEnd, RolloutPhase, RolloutPlan, RunGate, Runtime,
    RuntimeBuilder, StartError, Step, Value, Verdict, Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Old {
    item: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct New {
    item: bool,
}

fn builder() -> RuntimeBuilder {
    Runtime::builder()
        .handler(Handler::one("old", |input: Old| async move { Ok(input) }))
        .handler(Handler::one("new", |input: New| async move { Ok(input) }))
}

/// Version 1 takes numbers, and half of the starts go to version 2.
async fn canary(builder: RuntimeBuilder, second: Document) -> (Runtime, Rollout) {
    let runtime = builder.seed(1).build().await.unwrap();
    let first = Document::builder("g").node(NodeSpec::new("old").input("item", 0));
    runtime.publish_and_promote(first.build()).await.unwrap();
    runtime.publish(second).await.unwrap();
    let plan = RolloutPlan::steps([Step::manual(Weight::percent(50))])
        .gate(RunGate::failures_in_a_row(3))
        .check_every(SECOND);
    let rollout = runtime.versions("g").rollout(2, plan).await.unwrap();
    (runtime, rollout)
}

async fn start(runtime: &Runtime) -> Result<(), StartError> {
    runtime.start("g", Value::object([("item", 1)])).run().await.map(drop)
}

/// The canary takes what half of the starts bring for no input of its own: it is taken back.
async fn is_taken_back(second: Document, is_expected: fn(&StartError) -> bool) {
    let (runtime, rollout) = canary(builder(), second).await;
    let mut refusals = 0;
    for _ in 0..20 {
        if let Err(refusal) = start(&runtime).await {
            assert!(is_expected(&refusal), "{refusal}");
            refusals += 1;
        }
    }
    assert!(refusals >= 3, "{refusals} starts were refused");
    let end = rollout.ended().await;
    let RolloutEnd::Aborted(why) = &end else { panic!("{end:?}") };
    assert_eq!(&**why, "failures in a row: 10 runs failed in a row");
    start(&runtime).await.unwrap();
    start(&runtime).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_refuses_the_inputs_of_starts_is_taken_back() {
    let second = Document::builder("g").node(NodeSpec::new("new").input("item", false));
    is_taken_back(second.build(), |refusal| matches!(refusal, StartError::InvalidInput { .. }))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_misses_store_keys_is_taken_back() {
    let second = Document::builder("g").node(NodeSpec::new("old").input("item", 0));
    let second = second.store_required("tenant").build();
    is_taken_back(second, |refusal| matches!(refusal, StartError::MissingStoreKeys { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_every_version_would_refuse_counts_against_none() {
    let second = Document::builder("g").node(NodeSpec::new("old").input("item", 7));
    let (runtime, rollout) = canary(builder(), second.build()).await;
    for _ in 0..20 {
        let refusal = runtime.start("g", "no object").await.unwrap_err();
        assert!(matches!(refusal, StartError::InvalidInput { .. }), "{refusal}");
    }
    is_at_its_first_step(&rollout).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_no_version_refused_counts_against_none() {
    let second = Document::builder("g").node(NodeSpec::new("old").input("item", 7));
    let (runtime, rollout) = canary(builder().max_runs(0), second.build()).await;
    for _ in 0..20 {
        let refusal = start(&runtime).await.unwrap_err();
        assert!(matches!(refusal, StartError::Overloaded { .. }), "{refusal}");
    }
    is_at_its_first_step(&rollout).await;
}

async fn is_at_its_first_step(rollout: &Rollout) {
    tokio::time::sleep(10 * SECOND).await;
    let status = rollout.status();
    assert_eq!(status.phase, RolloutPhase::Step(0));
    assert!(matches!(status.verdict, Verdict::Inconclusive(_)), "{status:?}");
}
