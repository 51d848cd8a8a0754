//! What is remembered of rollouts follows the labels that are there, up to a bound.

use std::time::Duration;

use hotgraph::{Rollout, RolloutPlan, Runtime, Step, Versions, Weight};

use crate::rollouts::runtime;

const REMEMBERED: usize = 1_000;

fn label(runtime: &Runtime, at: usize) -> Versions {
    runtime.versions("g").label(format!("l{at}"))
}

/// Begins a rollout of a new label.
async fn begun(runtime: &Runtime, at: usize) -> Rollout {
    let versions = label(runtime, at);
    versions.promote(1).await.unwrap();
    let plan = RolloutPlan::steps([Step::manual(Weight::percent(1))]);
    versions.rollout(2, plan.check_every(Duration::from_secs(3_600))).await.unwrap()
}

async fn over(runtime: &Runtime, at: usize) {
    begun(runtime, at).await.abort().await.unwrap();
    runtime.versions("g").clear_reverted(2).await.unwrap();
}

fn remembered(runtime: &Runtime, labels: usize) -> Vec<usize> {
    (0..labels).filter(|at| label(runtime, *at).latest_rollout().is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn ended_rollouts_beyond_a_bound_are_forgotten_and_those_under_way_are_not() {
    let runtime = runtime(&[0, 1]).await;
    let live = begun(&runtime, 0).await;
    for at in 1..REMEMBERED + 10 {
        over(&runtime, at).await;
    }
    // Of one label however often, only the latest counts.
    for _ in 0..20 {
        label(&runtime, 500).remove_label().await.unwrap();
        over(&runtime, 500).await;
    }
    let kept = remembered(&runtime, REMEMBERED + 10);
    assert_eq!(kept.len(), REMEMBERED + 1);
    assert_eq!(kept[..2], [0, 10], "the first nine to end are forgotten");
    assert!(live.status().end().is_none());
    label(&runtime, 5).remove_label().await.unwrap();
    over(&runtime, 5).await;
    assert_eq!(remembered(&runtime, REMEMBERED + 10).len(), REMEMBERED + 1);
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_removed_takes_its_rollouts_with_it() {
    let runtime = runtime(&[0, 1]).await;
    over(&runtime, 0).await;
    let live = begun(&runtime, 1).await;
    for at in [0, 1] {
        label(&runtime, at).remove_label().await.unwrap();
    }
    assert_eq!(remembered(&runtime, 2), [1], "it has yet to see it");
    live.ended().await;
    assert!(remembered(&runtime, 2).is_empty());
}
