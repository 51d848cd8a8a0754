//! What a promotion that bakes proves, and what it can go back to meanwhile.

use std::time::Duration;

use hotgraph::{
    Blocking, NotTaken, PublishError, Retention, RollbackTarget, RolloutEnd, RolloutPhase,
    RolloutPlan, Runtime, VersionError, VersionStatus,
};

use crate::rollouts::{active, begin, graph, runtime, runtime_of};

const SECOND: Duration = Duration::from_secs(1);

fn is_proven(runtime: &Runtime, version: u64) -> bool {
    runtime.versions("g").get(version).unwrap().is_proven
}

fn at_once() -> RolloutPlan {
    RolloutPlan::blue_green().promote_after(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_completed_bake_makes_a_version_proven() {
    let runtime = runtime(&[0, 1, 2]).await;
    let versions = runtime.versions("g");
    let rollout = begin(&runtime, at_once().bake(5 * SECOND)).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    assert!(!is_proven(&runtime, 2));
    assert_eq!(rollout.ended().await, RolloutEnd::Completed);
    assert!(is_proven(&runtime, 2), "although no run was on it for a minute");
    versions.promote(3).await.unwrap();
    versions.rollback(RollbackTarget::LastProven).await.unwrap();
    assert_eq!(active(&runtime), 2);
    assert_eq!(runtime.fold_audit(), runtime.routing());
}

#[tokio::test(start_paused = true)]
async fn a_confirm_makes_a_version_proven() {
    let runtime = runtime(&[0, 1]).await;
    let rollout = begin(&runtime, at_once().confirm_within(60 * SECOND)).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    assert!(!is_proven(&runtime, 2));
    rollout.confirm().by("ann").await.unwrap();
    let marks = runtime.versions("g").get(2).unwrap().marks;
    assert_eq!(marks.proven.unwrap().by.as_deref(), Some("ann"));
    assert!(is_proven(&runtime, 2));
    assert_eq!(runtime.fold_audit(), runtime.routing());
}

#[tokio::test(start_paused = true)]
async fn a_bake_that_does_not_complete_proves_nothing() {
    let runtime = runtime(&[0, 1, 2]).await;
    let versions = runtime.versions("g");
    let rollout = begin(&runtime, at_once()).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    versions.promote(3).await.unwrap();
    assert!(rollout.confirm().await.is_err(), "the label leads elsewhere");
    assert!(matches!(rollout.ended().await, RolloutEnd::Superseded(_)));
    assert!(!is_proven(&runtime, 2));
    let none = versions.rollback(RollbackTarget::LastProven).await.unwrap_err();
    let VersionError::NoRollbackTarget { considered, .. } = none else { panic!("{none:?}") };
    assert!(considered.iter().all(|one| one.why == NotTaken::NotProven), "{considered:?}");
}

/// A runtime that gives up whatever it may; version 2 bakes, and would go back to version 1.
async fn sparing(limit: usize) -> (Runtime, hotgraph::Rollout) {
    let retention = Retention::default().keep_last(1).keep_proven(0).min_age(Duration::ZERO);
    let builder = Runtime::builder().version_retention(retention.hard_limit(limit));
    let runtime = runtime_of(builder, &[0, 1]).await;
    let rollout = begin(&runtime, at_once().bake(60 * SECOND)).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    (runtime, rollout)
}

#[tokio::test(start_paused = true)]
async fn retention_keeps_what_a_rollout_that_bakes_would_go_back_to() {
    for goes_back in [true, false] {
        let (runtime, rollout) = sparing(256).await;
        let versions = runtime.versions("g");
        runtime.publish(graph(7)).await.unwrap();
        versions.collect().await.unwrap();
        let first = versions.get(1).unwrap();
        assert!(matches!(first.status, VersionStatus::Drained { .. }), "{:?}", first.status);
        assert!(first.marks.held.is_none(), "nobody holds it");
        if goes_back {
            rollout.abort().await.unwrap();
            assert_eq!(active(&runtime), 1);
        } else {
            assert_eq!(rollout.ended().await, RolloutEnd::Completed);
            versions.collect().await.unwrap();
            assert_eq!(versions.get(1).unwrap().status, VersionStatus::Retired);
        }
        assert_eq!(runtime.fold_audit(), runtime.routing());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_lets_go_keeps_nothing_for_itself() {
    let (runtime, rollout) = sparing(256).await;
    let versions = runtime.versions("g");
    runtime.publish(graph(7)).await.unwrap();
    versions.set_canary(3, hotgraph::Weight::percent(1)).await.unwrap();
    assert!(matches!(rollout.ended().await, RolloutEnd::Superseded(_)));
    versions.collect().await.unwrap();
    assert_eq!(versions.get(1).unwrap().status, VersionStatus::Retired);
    assert_eq!(runtime.fold_audit(), runtime.routing());
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_is_full_says_which_version_a_rollout_would_go_back_to() {
    let (runtime, _rollout) = sparing(2).await;
    let full = runtime.publish(graph(7)).await.unwrap_err();
    let PublishError::Version(VersionError::TooManyVersions { blocked, .. }) = full else {
        panic!("{full:?}")
    };
    assert_eq!(blocked[0].why, Blocking::Fallback("default".into()));
}
