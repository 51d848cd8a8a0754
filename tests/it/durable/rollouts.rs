//! What a restart does with rollouts that were under way.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Handler, MemoryJournal, NodeSpec, Rollout, RolloutEnd, RolloutPlan, Runtime, Step,
    VersionNumber, Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

async fn process(journal: &Arc<MemoryJournal>) -> Runtime {
    let pass = Handler::one("pass", |input: Number| async move { Ok(input) });
    Runtime::builder().journal(journal.clone()).handler(pass).build().await.unwrap()
}

fn graph(constant: u64) -> Document {
    Document::builder("g").node(NodeSpec::new("pass").input("n", constant)).build()
}

/// Version 2 was promoted by a rollout, and waits to be confirmed.
async fn promoted(journal: &Arc<MemoryJournal>) -> (Runtime, Rollout) {
    let runtime = process(journal).await;
    runtime.publish_and_promote(graph(1)).await.unwrap();
    runtime.publish(graph(2)).await.unwrap();
    let plan = RolloutPlan::blue_green()
        .promote_after(Duration::ZERO)
        .bake(Duration::from_secs(600))
        .confirm_within(Duration::from_secs(600));
    let rollout = runtime.versions("g").rollout(2, plan).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(runtime.versions("g").active(), Some(VersionNumber(2)));
    (runtime, rollout)
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_was_confirmed_stays_although_its_rollout_had_not_ended() {
    let journal = Arc::new(MemoryJournal::new());
    let (first, rollout) = promoted(&journal).await;
    rollout.confirm().await.unwrap();
    drop((first, rollout));
    let second = process(&journal).await;
    assert_eq!(second.versions("g").active(), Some(VersionNumber(2)));
    assert!(second.versions("g").get(2).unwrap().marks.reverted.is_none());
    assert_eq!(second.routing(), second.fold_audit());
}

#[tokio::test(start_paused = true)]
async fn a_process_comes_up_although_no_version_is_left_to_go_back_to() {
    let journal = Arc::new(MemoryJournal::new());
    let (first, rollout) = promoted(&journal).await;
    first.versions("g").revoke(1).await.unwrap();
    drop((first, rollout));
    let second = process(&journal).await;
    assert_eq!(second.versions("g").active(), Some(VersionNumber(2)));
    drop(second);
    // What was left as it is stays so.
    let third = process(&journal).await;
    assert_eq!(third.versions("g").active(), Some(VersionNumber(2)));
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_nobody_confirmed_goes_back_after_a_shutdown_too() {
    let journal = Arc::new(MemoryJournal::new());
    let (first, rollout) = promoted(&journal).await;
    let _ = first.shutdown(Duration::ZERO).await;
    assert_eq!(rollout.ended().await, RolloutEnd::ShutDown);
    for _ in 0..2 {
        let next = process(&journal).await;
        assert_eq!(next.versions("g").active(), Some(VersionNumber(1)));
        assert!(next.versions("g").get(2).unwrap().marks.reverted.is_some());
        assert_eq!(next.routing(), next.fold_audit());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left_on_a_canary_that_nobody_watches_after_a_shutdown() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).await;
    first.publish_and_promote(graph(1)).await.unwrap();
    first.publish(graph(2)).await.unwrap();
    let plan = RolloutPlan::steps([Step::manual(Weight::percent(50))]);
    first.versions("g").rollout(2, plan).await.unwrap();
    let _ = first.shutdown(Duration::ZERO).await;
    let second = process(&journal).await;
    assert_eq!(second.versions("g").labels()[&"default".into()].canary, None);
}
