//! Every move from one status to another, and what stands against the end of a version.

use std::time::Duration;

use hotgraph::{
    Blocking, Command, Document, NodeSpec, PublishError, Retention, RollbackTarget, Runtime,
    VersionError, VersionNumber, VersionStatus, Weight,
};

use super::{builder, held, numbered, promoted, runtime, status};

/// The name of the status of version 2.
fn stands(runtime: &Runtime) -> &'static str {
    match status(runtime, 2) {
        VersionStatus::Staged => "staged",
        VersionStatus::Canary { .. } => "canary",
        VersionStatus::Active { .. } => "active",
        VersionStatus::Draining { .. } => "draining",
        VersionStatus::Drained { .. } => "drained",
        VersionStatus::Retired => "retired",
        other => panic!("{other:?}"),
    }
}

async fn then(runtime: &Runtime, command: Command, expected: &str) {
    command.await.unwrap();
    assert_eq!(stands(runtime), expected);
}

#[tokio::test(start_paused = true)]
async fn a_version_makes_every_move_that_there_is() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    let half = Weight::percent(50);
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    assert_eq!(stands(&runtime), "staged");
    then(&runtime, versions.set_canary(2, Weight::percent(0)), "canary").await;
    then(&runtime, versions.clear_canary(), "drained").await;
    then(&runtime, versions.set_canary(2, half), "canary").await;
    let run = held(&runtime, 2).await;
    then(&runtime, versions.clear_canary(), "draining").await;
    then(&runtime, versions.set_canary(2, half), "canary").await;
    then(&runtime, versions.promote(2), "active").await;
    then(&runtime, versions.set_canary(1, half), "active").await;
    then(&runtime, versions.promote(1), "draining").await;
    then(&runtime, versions.promote(2), "active").await;
    then(&runtime, versions.promote(1), "draining").await;
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    assert_eq!(stands(&runtime), "active", "a rollback ends a drain");
    then(&runtime, versions.label("beta").promote(2), "active").await;
    then(&runtime, versions.promote(1), "active").await;
    then(&runtime, versions.label("beta").remove_label(), "draining").await;
    run.cancel();
    run.await;
    assert_eq!(stands(&runtime), "drained");
    let run = held(&runtime, 2).await;
    assert_eq!(stands(&runtime), "draining", "a start can name it");
    let kept = versions.retire(2).await.unwrap_err();
    assert!(matches!(kept, VersionError::InUse { live: 1, .. }), "{kept}");
    run.cancel();
    run.await;
    versions.rollback(RollbackTarget::Exact(VersionNumber(2))).await.unwrap();
    then(&runtime, versions.revoke(2), "active").await;
    then(&runtime, versions.promote(1), "drained").await;
    then(&runtime, versions.retire(2), "retired").await;
}

#[tokio::test(start_paused = true)]
async fn a_candidate_is_drained_when_it_is_taken_back_or_revoked() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    versions.set_canary(2, Weight::percent(50)).await.unwrap();
    versions.rollback(RollbackTarget::LastProven).await.unwrap();
    assert_eq!(stands(&runtime), "drained");
    versions.clear_reverted(2).await.unwrap();
    then(&runtime, versions.set_canary(2, Weight::percent(50)), "canary").await;
    then(&runtime, versions.revoke(2), "drained").await;
    then(&runtime, versions.retire(2), "retired").await;
}

#[tokio::test]
async fn a_version_that_nobody_started_on_can_retire() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    then(&runtime, runtime.versions("g").retire(2), "retired").await;
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_is_full_says_why_each_version_stays() {
    let retention = Retention::default().keep_last(1).hard_limit(5).min_age(Duration::MAX);
    let runtime = builder().version_retention(retention).build().await.unwrap();
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let run = held(&runtime, 1).await;
    let child = NodeSpec::new("child").subgraph("g").input("n", 1);
    runtime.publish(Document::builder("parent").node(child).build()).await.unwrap();
    for n in 3..=5 {
        runtime.publish_and_promote(numbered(n)).await.unwrap();
    }
    versions.hold(3).await.unwrap();
    let full = runtime.publish(numbered(6)).await.unwrap_err();
    let PublishError::Version(VersionError::TooManyVersions { blocked, .. }) = full else {
        panic!("{full}")
    };
    let why: Vec<_> = blocked.into_iter().map(|blocker| blocker.why).collect();
    let expected = [
        Blocking::Live(1),
        Blocking::ReferencedBy("parent".into(), VersionNumber(1)),
        Blocking::Held,
        Blocking::Kept,
        Blocking::Routed,
    ];
    assert_eq!(why, expected);
    run.cancel();
}
