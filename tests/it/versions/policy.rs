//! What a label asks of a version: nothing breaking, an approval.

use hotgraph::{
    Compatibility, Document, GraphBuilder, LabelPolicy, NodeSpec, PublishError, RollbackTarget,
    Runtime, VersionError, Weight,
};

use super::{active, numbered, promoted, refused, runtime};

/// Breaks callers of `numbered`: its output has another name.
fn breaking() -> GraphBuilder {
    Document::builder("g").node(NodeSpec::new("renamed").handler("pass").input("n", 0))
}

async fn with_policy(policy: LabelPolicy) -> Runtime {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.versions("g").set_policy(policy).await.unwrap();
    runtime
}

fn pending(runtime: &Runtime) -> Vec<u64> {
    runtime.versions("g").pending().iter().map(|version| version.number.0).collect()
}

#[tokio::test]
async fn a_label_can_refuse_what_is_breaking() {
    let runtime = with_policy(LabelPolicy::default().reject_breaking()).await;
    let versions = runtime.versions("g");
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    runtime.publish(breaking().build()).await.unwrap();
    for command in [versions.promote(3), versions.set_canary(3, Weight::percent(1))] {
        let error = refused(&runtime, command).await;
        let VersionError::BreakingRejected { report, .. } = &error else { panic!("{error}") };
        assert_eq!(report.callers, Compatibility::Breaking);
    }
    let routing = runtime.routing();
    let other = breaking().result("renamed").build();
    let error = runtime.publish_and_promote(other).await.unwrap_err();
    assert!(
        matches!(error, PublishError::Version(VersionError::BreakingRejected { .. })),
        "{error}"
    );
    assert_eq!(runtime.routing(), routing, "it was not published either");
    // Another label asks for nothing; and a verdict is what the policy goes by.
    versions.label("next").promote(3).await.unwrap();
    versions.judge(2, 3, Compatibility::Compatible).by("ann").await.unwrap();
    versions.promote(3).await.unwrap();
}

#[tokio::test]
async fn a_version_waits_in_the_queue_until_it_is_approved() {
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    let runtime = with_policy(policy).await;
    let versions = runtime.versions("g");
    runtime.publish(numbered(2)).await.unwrap();
    assert!(pending(&runtime).is_empty(), "it breaks nothing");
    runtime.publish(breaking().build()).await.unwrap();
    assert_eq!(pending(&runtime), [3]);
    let asked = refused(&runtime, versions.promote(3)).await;
    assert!(matches!(asked, VersionError::ApprovalRequired { .. }), "{asked}");
    assert_eq!(pending(&runtime), [3]);
    let unmade = runtime.publish_and_promote(breaking().result("renamed").build()).await;
    let unmade = unmade.unwrap_err();
    let PublishError::Version(VersionError::ApprovalRequired { version: None, .. }) = &unmade
    else {
        panic!("there is no version to approve: {unmade:?}")
    };
    let text = "asks for an approval (it is not published; publish it without promoting it)";
    assert!(unmade.to_string().contains(text), "{unmade}");
    let made = runtime.publish_and_promote(breaking().build()).await.unwrap_err();
    let PublishError::Version(VersionError::ApprovalRequired { version, .. }) = &made else {
        panic!("{made:?}")
    };
    assert_eq!(*version, Some(3.into()));
    versions.approve(3).by("ann").reason("callers were told").await.unwrap();
    assert!(pending(&runtime).is_empty(), "approving empties the queue");
    versions.promote(3).await.unwrap();
    assert_eq!(active(&runtime), 3);
    let twice = refused(&runtime, versions.approve(3)).await;
    assert!(matches!(twice, VersionError::IllegalTransition { state: "approved", .. }), "{twice}");
}

#[tokio::test]
async fn a_version_that_is_rejected_takes_no_label() {
    let policy = LabelPolicy::default().require_approval(Compatibility::Compatible);
    let runtime = with_policy(policy).await;
    let versions = runtime.versions("g");
    runtime.publish(numbered(2)).await.unwrap();
    assert_eq!(pending(&runtime), [2]);
    versions.reject(2).by("ann").reason("not now").await.unwrap();
    assert!(pending(&runtime).is_empty(), "rejecting empties the queue");
    for command in [versions.promote(2), versions.label("beta").promote(2)] {
        let error = refused(&runtime, command).await;
        assert!(error.to_string().ends_with("rejected by ann, because: not now"), "{error}");
    }
    let twice = refused(&runtime, versions.reject(2)).await;
    assert!(matches!(twice, VersionError::IllegalTransition { state: "rejected", .. }), "{twice}");
    versions.approve(2).await.unwrap();
    versions.promote(2).await.unwrap();
}

#[tokio::test]
async fn a_rollback_asks_for_no_approval() {
    let runtime = with_policy(LabelPolicy::default()).await;
    let versions = runtime.versions("g");
    runtime.publish_and_promote(breaking().build()).await.unwrap();
    let policy = LabelPolicy::default().require_approval(Compatibility::Compatible);
    versions.set_policy(policy.reject_breaking()).await.unwrap();
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    assert_eq!(active(&runtime), 1);
    assert_eq!(versions.labels()[&"default".into()].policy, policy.reject_breaking());
}

#[tokio::test]
async fn a_version_waits_from_when_its_approval_is_asked_for() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    runtime.publish(numbered(3)).await.unwrap();
    runtime.publish(breaking().build()).await.unwrap();
    versions.approve(4).by("ann").await.unwrap();
    runtime.publish(breaking().result("renamed").build()).await.unwrap();
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    versions.set_policy(policy).await.unwrap();
    assert_eq!(pending(&runtime), [5], "3 breaks nothing, and 4 is approved");
    let policy = policy.require_approval(Compatibility::Compatible);
    versions.set_policy(policy).await.unwrap();
    assert_eq!(pending(&runtime), [3, 5], "the label has led to 1 and 2");
    let asked = refused(&runtime, versions.promote(3)).await;
    assert!(matches!(asked, VersionError::ApprovalRequired { .. }), "{asked}");
    versions.approve(3).await.unwrap();
    versions.promote(3).await.unwrap();
    assert_eq!(pending(&runtime), [5]);
}

#[tokio::test]
async fn a_version_waits_from_when_another_promotion_makes_it_breaking() {
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    let runtime = with_policy(policy).await;
    let versions = runtime.versions("g");
    runtime.publish(numbered(2)).await.unwrap();
    runtime.publish(breaking().build()).await.unwrap();
    versions.approve(3).await.unwrap();
    assert!(pending(&runtime).is_empty(), "2 breaks nothing");
    versions.promote(3).await.unwrap();
    assert_eq!(pending(&runtime), [2], "1 was let through before");
    let asked = refused(&runtime, versions.promote(2)).await;
    assert!(matches!(asked, VersionError::ApprovalRequired { .. }), "{asked}");
    versions.approve(2).by("ann").await.unwrap();
    assert!(pending(&runtime).is_empty());
    versions.promote(2).await.unwrap();
}

#[tokio::test]
async fn a_version_waits_from_when_a_person_judges_it_to_be_breaking() {
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    let runtime = with_policy(policy).await;
    let versions = runtime.versions("g");
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    runtime.publish(numbered(3)).await.unwrap();
    assert!(pending(&runtime).is_empty());
    // A version that the label has led to waits too, as it was a person who said so.
    for version in [1, 3] {
        versions.judge(2, version, Compatibility::Breaking).by("ann").await.unwrap();
        assert_eq!(pending(&runtime), [version]);
        let asked = refused(&runtime, versions.promote(version)).await;
        assert!(matches!(asked, VersionError::ApprovalRequired { .. }), "{asked}");
        versions.approve(version).await.unwrap();
        assert!(pending(&runtime).is_empty());
    }
    versions.promote(3).await.unwrap();
}
