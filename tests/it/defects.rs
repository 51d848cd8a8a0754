//! Defects that other versioning systems have, each shown to be absent here.

use std::time::Duration;

use hotgraph::{
    Compatibility, LabelPolicy, RollbackTarget, RolloutEnd, RolloutError, RolloutPhase,
    RolloutPlan, RunGate, StartError, Value, Verdict, VersionNumber,
};

use crate::rollouts::{active, begin, is_reverted, load, runtime};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_failure_before_promotion_does_not_roll_back_one_version_too_far() {
    let runtime = runtime(&[0, 1, 100]).await;
    let versions = runtime.versions("g");
    versions.promote(2).await.unwrap();
    let plan = RolloutPlan::blue_green().probe("down", || async { Verdict::fail("down") });
    let rollout = versions.rollout(3, plan.check_every(SECOND)).await.unwrap();
    assert!(matches!(rollout.ended().await, RolloutEnd::Aborted(_)));
    assert_eq!(active(&runtime), 2, "the active version was never touched");
    assert!(is_reverted(&runtime, 3) && !is_reverted(&runtime, 2));
}

#[tokio::test(start_paused = true)]
async fn an_automatic_verdict_does_not_overwrite_that_of_an_operator() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    assert_ne!(versions.assess(1, 2).unwrap().callers, Compatibility::Breaking);
    versions.judge(1, 2, Compatibility::Breaking).by("ann").await.unwrap();
    versions.promote(2).await.unwrap();
    assert_eq!(versions.assess(1, 2).unwrap().callers, Compatibility::Breaking);
}

#[tokio::test(start_paused = true)]
async fn a_second_rollback_goes_further_back() {
    let runtime = runtime(&[0, 1, 2]).await;
    let versions = runtime.versions("g");
    versions.promote(2).await.unwrap();
    versions.promote(3).await.unwrap();
    for expected in [2, 1] {
        versions.rollback(RollbackTarget::Previous).await.unwrap();
        assert_eq!(active(&runtime), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn approving_empties_the_queue() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let policy = LabelPolicy::default().require_approval(Compatibility::Compatible);
    versions.set_policy(policy).await.unwrap();
    assert!(versions.promote(2).await.is_err());
    let waiting: Vec<_> = versions.pending().iter().map(|version| version.number.0).collect();
    assert_eq!(waiting, [2]);
    versions.approve(2).by("ann").await.unwrap();
    assert!(versions.pending().is_empty());
    versions.promote(2).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_during_verification_does_not_leave_the_new_version_live() {
    let runtime = runtime(&[0, 1]).await;
    let began = tokio::time::Instant::now();
    let plan = RolloutPlan::blue_green()
        .promote_after(Duration::ZERO)
        .deadline(120 * SECOND)
        .probe("hangs once it is live", move || async move {
            match began.elapsed() < 2 * SECOND {
                true => Verdict::Pass,
                false => std::future::pending().await,
            }
        });
    let rollout = begin(&runtime, plan).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    assert_eq!(active(&runtime), 2);
    assert!(matches!(rollout.ended().await, RolloutEnd::RolledBack(_)));
    assert!(active(&runtime) == 1 && is_reverted(&runtime, 2));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_was_superseded_can_be_activated_again() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    versions.promote(2).await.unwrap();
    versions.drained(1).await.unwrap();
    versions.promote(1).await.unwrap();
    assert_eq!(active(&runtime), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_promoted_by_itself_without_a_healthy_candidate() {
    let runtime = runtime(&[0, 1]).await;
    let plan = RolloutPlan::blue_green().gate(RunGate::failure_rate(0.05));
    let rollout = begin(&runtime, plan.promote_after(Duration::ZERO)).await;
    load(&runtime, 100).await;
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(active(&runtime), 1, "no data is not healthy");
    assert!(matches!(rollout.status().verdict, Verdict::Inconclusive(_)));
}

#[tokio::test(start_paused = true)]
async fn the_delay_before_a_promotion_is_neither_skipped_nor_forgotten() {
    let runtime = runtime(&[0, 1]).await;
    let began = tokio::time::Instant::now();
    let rollout = begin(&runtime, RolloutPlan::blue_green().promote_after(30 * SECOND)).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    let took = began.elapsed();
    assert!((30 * SECOND..32 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_uses_up_no_retries() {
    let runtime = runtime(&[0, 1]).await;
    let began = tokio::time::Instant::now();
    let plan = RolloutPlan::blue_green().probe("slow to start", move || async move {
        match began.elapsed() < 100_000 * SECOND {
            true => Verdict::error("no answer yet"),
            false => Verdict::Pass,
        }
    });
    let plan = plan.check_every(10 * SECOND);
    let rollout = runtime.versions("g").rollout(2, plan).await.unwrap();
    rollout.until(|status| status.phase == RolloutPhase::AwaitingPromotion).await;
    rollout.promote().await.unwrap();
    assert_eq!(active(&runtime), 2);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_by_hand_ends_the_rollout_and_the_next_may_begin() {
    let runtime = runtime(&[0, 1, 2]).await;
    let rollout = begin(&runtime, RolloutPlan::blue_green()).await;
    rollout.until(|status| status.phase == RolloutPhase::AwaitingPromotion).await;
    rollout.promote().await.unwrap();
    assert_eq!(rollout.ended().await, RolloutEnd::Completed);
    let again = rollout.promote().await;
    let end = RolloutEnd::Completed;
    assert!(matches!(&again, Err(RolloutError::Ended { end: is, .. }) if *is == end), "{again:?}");
    assert!(runtime.versions("g").rollout(3, RolloutPlan::blue_green()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_missing_version_is_never_the_latest() {
    let runtime = runtime(&[0, 1]).await;
    let missing = runtime.start("g", Value::Null).version(VersionNumber(7)).await.unwrap_err();
    assert!(matches!(missing, StartError::UnknownVersion { .. }), "{missing:?}");
    let versions = runtime.versions("g");
    versions.promote(2).await.unwrap();
    versions.retire(1).await.unwrap();
    let gone = runtime.start("g", Value::Null).version(VersionNumber(1)).await.unwrap_err();
    assert!(matches!(gone, StartError::VersionGone { .. }), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn no_data_does_not_count_as_healthy() {
    let runtime = runtime(&[0, 1]).await;
    let plan = RolloutPlan::blue_green().gate(RunGate::failure_rate(0.05));
    let rollout = begin(&runtime, plan).await;
    tokio::time::sleep(3_600 * SECOND).await;
    assert!(matches!(rollout.status().verdict, Verdict::Inconclusive(_)));
    let refused = rollout.promote().await;
    assert!(matches!(refused, Err(RolloutError::NotAwaitingPromotion { .. })), "{refused:?}");
    assert_eq!(active(&runtime), 1);
}
