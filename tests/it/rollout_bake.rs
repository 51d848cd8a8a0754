//! What a promotion that bakes proves, and what it can go back to meanwhile.

use std::time::Duration;

use hotgraph::{
    NotTaken, RollbackTarget, RolloutEnd, RolloutPhase, RolloutPlan, Runtime, VersionError,
};

use crate::rollouts::{active, begin, runtime};

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
