//! Which version a rollback goes back to.

use std::time::Duration;

use hotgraph::{
    Document, NodeSpec, NotTaken, RollbackTarget, Runtime, Value, VersionError, VersionNumber,
    Weight,
};

use super::{active, numbered, promoted, runtime, timed};

const MINUTE: Duration = Duration::from_secs(60);

async fn roll_back(runtime: &Runtime, target: RollbackTarget) -> Result<u64, VersionError> {
    let done = runtime.versions("g").rollback(target).await;
    done.map(|done| done.version.0)
}

fn why_not(error: VersionError) -> Vec<(u64, NotTaken)> {
    let VersionError::NoRollbackTarget { considered, .. } = error else { panic!("{error}") };
    considered.into_iter().map(|one| (one.version.0, one.why)).collect()
}

#[tokio::test]
async fn a_second_rollback_goes_further_back() {
    let runtime = runtime().await;
    promoted(&runtime, 3).await;
    assert_eq!(roll_back(&runtime, RollbackTarget::Previous).await, Ok(2));
    assert_eq!(roll_back(&runtime, RollbackTarget::Previous).await, Ok(1));
    let none = roll_back(&runtime, RollbackTarget::Previous).await.unwrap_err();
    assert_eq!(why_not(none), [(2, NotTaken::LeftByRollback), (3, NotTaken::LeftByRollback)]);
    // Promoted on purpose, it is a target again.
    runtime.versions("g").promote(3).await.unwrap();
    runtime.versions("g").promote(2).await.unwrap();
    assert_eq!(roll_back(&runtime, RollbackTarget::Previous).await, Ok(3));
}

#[tokio::test]
async fn a_failure_before_promotion_takes_back_the_candidate_and_nothing_else() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    runtime.publish(numbered(3)).await.unwrap();
    versions.set_canary(3, Weight::percent(10)).await.unwrap();
    let rollback = versions.rollback(RollbackTarget::LastProven).by("ann").reason("5xx");
    let done = rollback.await.unwrap();
    assert_eq!((done.version, done.left), (VersionNumber(2), Some(VersionNumber(3))));
    assert_eq!(active(&runtime), 2);
    let reverted = versions.promote(3).await.unwrap_err();
    assert!(reverted.to_string().ends_with("reverted by ann, because: 5xx"), "{reverted}");
    versions.clear_reverted(3).await.unwrap();
    versions.promote(3).await.unwrap();
}

#[tokio::test]
async fn a_candidate_that_no_start_was_given_does_not_stand_in_for_the_active_version() {
    for target in [RollbackTarget::Previous, RollbackTarget::LastProven] {
        let (runtime, clock) = timed().await;
        let versions = runtime.versions("g");
        promoted(&runtime, 1).await;
        runtime.start("g", Value::Null).run().await.unwrap();
        clock.advance(MINUTE);
        runtime.publish_and_promote(numbered(2)).await.unwrap();
        runtime.publish(numbered(3)).await.unwrap();
        versions.set_canary(3, Weight::percent(0)).await.unwrap();
        let done = versions.rollback(target).await.unwrap();
        assert_eq!((done.version, done.left), (VersionNumber(1), Some(VersionNumber(2))));
        assert!(versions.get(3).unwrap().marks.reverted.is_none(), "nobody was given it");
        let label = versions.labels().remove(&"default".into()).unwrap();
        assert_eq!((label.active, label.canary), (Some(VersionNumber(1)), None));
    }
}

#[tokio::test]
async fn the_default_target_is_proven_by_time_and_by_a_run() {
    let (runtime, clock) = timed().await;
    promoted(&runtime, 1).await;
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());
    clock.advance(MINUTE);
    assert!(runtime.versions("g").get(1).unwrap().is_proven);
    // Active for a minute without a run; then a run, and less than a minute.
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    clock.advance(MINUTE);
    runtime.publish_and_promote(numbered(3)).await.unwrap();
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());
    clock.advance(MINUTE - Duration::from_micros(1));
    runtime.publish_and_promote(numbered(4)).await.unwrap();
    assert_eq!(roll_back(&runtime, RollbackTarget::LastProven).await, Ok(1));
    let none = roll_back(&runtime, RollbackTarget::LastProven).await.unwrap_err();
    let expected =
        [(4, NotTaken::LeftByRollback), (3, NotTaken::NotProven), (2, NotTaken::NotProven)];
    assert_eq!(why_not(none), expected);
    let forced = runtime.versions("g").rollback(RollbackTarget::LastProven).force();
    assert_eq!(forced.await.unwrap().version, VersionNumber(2), "the oldest there is");
}

#[tokio::test]
async fn the_default_target_does_not_lie_behind_a_breaking_version() {
    let (runtime, clock) = timed().await;
    let broken =
        Document::builder("g").node(NodeSpec::new("renamed").handler("pass").input("n", 0));
    promoted(&runtime, 1).await;
    runtime.start("g", Value::Null).run().await.unwrap();
    clock.advance(MINUTE);
    runtime.publish_and_promote(broken.build()).await.unwrap();
    let none = roll_back(&runtime, RollbackTarget::LastProven).await.unwrap_err();
    let behind = NotTaken::BehindBreaking { version: VersionNumber(2) };
    assert_eq!(why_not(none), [(1, behind)]);
    assert_eq!(roll_back(&runtime, RollbackTarget::Previous).await, Ok(1));
}

#[tokio::test]
async fn levels_compose_along_the_lineage() {
    let (runtime, clock) = timed().await;
    let broken =
        Document::builder("g").node(NodeSpec::new("renamed").handler("pass").input("n", 0));
    promoted(&runtime, 1).await;
    runtime.start("g", Value::Null).run().await.unwrap();
    clock.advance(MINUTE);
    // v2 breaks v1 and v3 mends it: v3 and v1 are alike, and the step between them still counts.
    runtime.publish_and_promote(broken.build()).await.unwrap();
    runtime.publish_and_promote(numbered(3)).await.unwrap();
    let none = roll_back(&runtime, RollbackTarget::LastProven).await.unwrap_err();
    let behind = NotTaken::BehindBreaking { version: VersionNumber(3) };
    assert_eq!(why_not(none), [(2, NotTaken::NotProven), (1, behind)]);
}

#[tokio::test]
async fn a_target_can_have_a_tag_or_a_number() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 4).await;
    versions.tag(1, "stable").await.unwrap();
    let stable = || RollbackTarget::Tagged("stable".into());
    assert_eq!(roll_back(&runtime, stable()).await, Ok(1));
    let none = roll_back(&runtime, stable()).await.unwrap_err();
    let left = (4, NotTaken::LeftByRollback);
    assert_eq!(why_not(none), [left, (3, NotTaken::NotTagged), (2, NotTaken::NotTagged)]);
    assert_eq!(roll_back(&runtime, RollbackTarget::Exact(VersionNumber(3))).await, Ok(3));
    let same = roll_back(&runtime, RollbackTarget::Exact(VersionNumber(3))).await.unwrap_err();
    assert!(matches!(same, VersionError::AlreadyActive { .. }), "{same}");
}

#[tokio::test]
async fn a_target_that_is_gone_or_revoked_is_passed_over() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 4).await;
    versions.retire(3).await.unwrap();
    versions.revoke(2).await.unwrap();
    assert_eq!(roll_back(&runtime, RollbackTarget::Previous).await, Ok(1));
    let none = roll_back(&runtime, RollbackTarget::Previous).await.unwrap_err();
    let why = why_not(none);
    assert_eq!(why[1], (3, NotTaken::Retired));
    assert!(matches!(why[2], (2, NotTaken::Revoked(_))), "{why:?}");
}
