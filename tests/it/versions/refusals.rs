//! Every command, refused for each reason that all of them have in common.

use std::time::Duration;

use hotgraph::{
    AuditQuery, Command, Compatibility, LabelPolicy, NotTaken, PublishError, RollbackTarget,
    Runtime, VersionError, VersionNumber, Versions, Weight,
};

use super::{numbered, promoted, refused, runtime};

/// Every command about a version.
fn about(versions: &Versions, version: u64) -> Vec<Command> {
    vec![
        versions.promote(version),
        versions.set_canary(version, Weight::percent(5)),
        versions.retire(version),
        versions.revoke(version),
        versions.hold(version),
        versions.release_hold(version),
        versions.tag(version, "stable"),
        versions.untag(version, "stable"),
        versions.approve(version),
        versions.reject(version),
        versions.clear_reverted(version),
        versions.judge(version, version, Compatibility::Unknown),
    ]
}

/// Every command about a graph, but for publishes and rollbacks.
fn every(runtime: &Runtime, graph: &str) -> Vec<Command> {
    let versions = runtime.versions(graph);
    let mut commands = about(&versions, 1);
    commands.extend([
        versions.clear_canary(),
        versions.set_policy(LabelPolicy::default()),
        versions.label("beta").remove_label(),
        versions.collect(),
        runtime.release([(graph, "default", 1)]),
    ]);
    commands
}

async fn back(runtime: &Runtime, graph: &str) -> VersionError {
    let (before, rollback) = (runtime.routing(), RollbackTarget::Previous);
    let error = runtime.versions(graph).rollback(rollback).if_revision(9_999).await.unwrap_err();
    assert_eq!(runtime.routing(), before);
    error
}

#[tokio::test]
async fn no_command_is_for_a_graph_that_is_not_there() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    for command in every(&runtime, "other") {
        let error = refused(&runtime, command).await;
        assert_eq!(error, VersionError::UnknownGraph("other".into()));
    }
    let rollback = runtime.versions("other").rollback(RollbackTarget::Previous).await;
    assert_eq!(rollback, Err(VersionError::UnknownGraph("other".into())));
}

#[tokio::test]
async fn no_command_is_for_a_version_that_is_not_there() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    versions.retire(1).await.unwrap();
    for command in about(&versions, 9) {
        let (graph, version) = ("g".into(), VersionNumber(9));
        let expected = VersionError::UnknownVersion { graph, version };
        assert_eq!(refused(&runtime, command).await, expected);
    }
    // A verdict about a version that is gone still counts for what is compared with it.
    let mut commands = about(&versions, 1);
    commands.pop().unwrap().await.unwrap();
    commands.push(runtime.release([("g", "beta", 1)]));
    for command in commands {
        let (graph, version) = ("g".into(), VersionNumber(1));
        assert_eq!(refused(&runtime, command).await, VersionError::VersionGone { graph, version });
    }
}

#[tokio::test]
async fn no_command_is_carried_out_at_another_revision_than_it_is_for() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let is_conflict = |error: &VersionError| {
        matches!(error, VersionError::Conflict { expected: 9_999, found: 2, last: Some(_) })
    };
    for command in every(&runtime, "g") {
        let error = refused(&runtime, command.if_revision(9_999)).await;
        assert!(is_conflict(&error), "{error}");
    }
    assert!(is_conflict(&back(&runtime, "g").await));
    let publish = runtime.publish(numbered(3)).if_revision(9_999).await.unwrap_err();
    assert!(matches!(&publish, PublishError::Version(error) if is_conflict(error)), "{publish}");
}

#[tokio::test]
async fn no_command_is_carried_out_after_a_shutdown() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let records = runtime.audit(&AuditQuery::default()).len();
    assert!(runtime.shutdown(Duration::ZERO).await.cancelled.is_empty());
    for command in every(&runtime, "g") {
        assert_eq!(command.await.unwrap_err(), VersionError::Stopped);
    }
    assert_eq!(back(&runtime, "g").await, VersionError::Stopped);
    let publish = runtime.publish(numbered(3)).await.unwrap_err();
    assert!(matches!(publish, PublishError::Version(VersionError::Stopped)), "{publish}");
    assert_eq!(runtime.audit(&AuditQuery::default()).len(), records, "nobody writes it any more");
}

/// A command that says something about a version, or takes it back.
type Said = fn(&Versions) -> Command;

#[tokio::test]
async fn what_is_so_already_cannot_be_said_again() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 3).await;
    let said: [(&str, Said); 5] = [
        ("held", |versions| versions.hold(1)),
        ("tagged so", |versions| versions.tag(1, "stable")),
        ("approved", |versions| versions.approve(1)),
        ("rejected", |versions| versions.reject(1)),
        ("revoked", |versions| versions.revoke(2)),
    ];
    let unsaid: [(&str, Said); 3] = [
        ("not held", |versions| versions.release_hold(1)),
        ("not tagged so", |versions| versions.untag(1, "stable")),
        ("not reverted", |versions| versions.clear_reverted(1)),
    ];
    for (expected, command) in unsaid.into_iter().chain(said) {
        if !expected.starts_with("not") {
            command(&versions).await.unwrap();
        }
        let error = refused(&runtime, command(&versions)).await;
        let VersionError::IllegalTransition { state, .. } = &error else { panic!("{error}") };
        assert_eq!(*state, expected);
    }
}

#[tokio::test]
async fn a_version_that_was_rejected_revoked_or_reverted_takes_no_route() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    versions.reject(1).by("ann").await.unwrap();
    for n in 3..=4 {
        runtime.publish(numbered(n)).await.unwrap();
    }
    versions.revoke(3).by("ann").await.unwrap();
    versions.set_canary(4, Weight::percent(1)).await.unwrap();
    versions.rollback(RollbackTarget::Previous).by("ann").await.unwrap();
    let by_ann = |note: &hotgraph::Note| note.by.as_deref() == Some("ann");
    for version in [1, 3, 4] {
        for command in [
            versions.promote(version),
            versions.set_canary(version, Weight::percent(1)),
            versions.label("beta").promote(version),
            runtime.release([("g", "default", version)]),
        ] {
            let error = refused(&runtime, command).await;
            assert!(
                match &error {
                    VersionError::Rejected { note, version: VersionNumber(1), .. }
                    | VersionError::Revoked { note, version: VersionNumber(3), .. }
                    | VersionError::Reverted { note, version: VersionNumber(4), .. } =>
                        by_ann(note),
                    _ => false,
                },
                "{error}"
            );
        }
    }
    // A rollback asks for no approval, and for what can be started all the same.
    for version in [3, 4] {
        let target = RollbackTarget::Exact(VersionNumber(version));
        assert!(versions.rollback(target).await.is_err());
    }
    versions.rollback(RollbackTarget::Exact(VersionNumber(1))).await.unwrap();
}

#[tokio::test]
async fn a_rollback_passes_over_what_was_reverted() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    // What was active before is tried again beside 2, and taken back.
    versions.set_canary(1, Weight::percent(5)).await.unwrap();
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    let none = versions.rollback(RollbackTarget::Previous).await.unwrap_err();
    let VersionError::NoRollbackTarget { considered, .. } = &none else { panic!("{none}") };
    assert!(matches!(considered[0].why, NotTaken::Reverted(_)), "{none}");
    assert!(versions.rollback(RollbackTarget::Previous).force().await.is_err());
    versions.clear_reverted(1).await.unwrap();
    versions.rollback(RollbackTarget::Previous).await.unwrap();
}
