//! Which versions a graph gives up, and when it takes no more.

use std::time::Duration;

use hotgraph::{EventKind, PublishError, Retention, Runtime, Value, VersionError, VirtualClock};

use super::{builder, graph, numbered, promoted};

async fn keeping(retention: Retention) -> (Runtime, VirtualClock) {
    let clock = VirtualClock::default();
    let builder = builder().clock(clock.clone()).version_retention(retention);
    (builder.build().await.unwrap(), clock)
}

fn numbers(runtime: &Runtime) -> Vec<u64> {
    runtime.versions("g").list().iter().map(|version| version.number.0).collect()
}

#[tokio::test]
async fn old_versions_are_given_up_when_one_is_published() {
    let day = Duration::from_secs(24 * 60 * 60);
    let (runtime, clock) = keeping(Retention::default().keep_last(2)).await;
    promoted(&runtime, 4).await;
    clock.advance(day - Duration::from_micros(1));
    runtime.publish(numbered(5)).await.unwrap();
    assert_eq!(numbers(&runtime), [1, 2, 3, 4, 5], "they are not old yet");
    clock.advance(Duration::from_micros(1));
    runtime.publish(numbered(6)).await.unwrap();
    assert_eq!(numbers(&runtime), [4, 5, 6], "4 is active, the others are the latest");
    clock.advance(day);
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(numbers(&runtime), [4, 5, 6]);
    runtime.versions("g").promote(6).await.unwrap();
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(numbers(&runtime), [4, 5, 6], "4 was active a moment ago");
    clock.advance(day);
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(numbers(&runtime), [5, 6]);
}

#[tokio::test]
async fn what_is_proven_held_used_or_depended_on_is_kept() {
    let retention = Retention::default().keep_last(1).keep_proven(1).min_age(Duration::ZERO);
    let (runtime, clock) = keeping(retention).await;
    for n in 1..=2 {
        runtime.publish_and_promote(numbered(n)).await.unwrap();
        runtime.start("g", Value::Null).run().await.unwrap();
        clock.advance(Duration::from_secs(60));
    }
    runtime.publish_and_promote(numbered(3)).await.unwrap();
    runtime.versions("g").hold(3).await.unwrap();
    runtime.publish_and_promote(numbered(4)).await.unwrap();
    let run = super::held(&runtime, 4).await;
    runtime.publish_and_promote(numbered(5)).await.unwrap();
    let child = hotgraph::NodeSpec::new("child").subgraph("g").input("n", 1);
    let parent = hotgraph::Document::builder("parent").node(child).build();
    runtime.publish(parent).await.unwrap();
    runtime.publish_and_promote(numbered(6)).await.unwrap();
    runtime.publish_and_promote(numbered(7)).await.unwrap();
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(numbers(&runtime), [2, 3, 4, 5, 7]);
    run.cancel();
    run.await;
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(numbers(&runtime), [2, 3, 5, 7]);
}

#[tokio::test]
async fn a_version_that_was_just_left_is_not_given_up_with_the_same_command() {
    let retention = Retention::default().keep_last(1).min_age(Duration::ZERO);
    let (runtime, _clock) = keeping(retention).await;
    promoted(&runtime, 2).await;
    assert_eq!(numbers(&runtime), [1, 2]);
    promoted_from(&runtime, 3).await;
    assert_eq!(numbers(&runtime), [2, 3]);
}

async fn promoted_from(runtime: &Runtime, n: u64) {
    runtime.publish_and_promote(numbered(n)).await.unwrap();
}

#[tokio::test]
async fn above_the_soft_limit_age_does_not_count_and_the_hard_one_refuses() {
    let retention = Retention::default().keep_last(1).soft_limit(2).hard_limit(3);
    let (runtime, _clock) = keeping(retention).await;
    promoted(&runtime, 3).await;
    assert_eq!(numbers(&runtime), [2, 3], "1 was given up for want of room");
    runtime.versions("g").hold(2).await.unwrap();
    runtime.publish_and_promote(numbered(4)).await.unwrap();
    runtime.versions("g").hold(3).await.unwrap();
    let before = runtime.routing();
    let full = runtime.publish_and_promote(numbered(5)).await.unwrap_err();
    let PublishError::Version(VersionError::TooManyVersions { limit: 3, blocked, .. }) = &full
    else {
        panic!("{full}")
    };
    let why: Vec<_> = blocked.iter().map(|blocker| format!("{blocker:?}")).collect();
    let text = "; v2: it is held; v3: it is held; v4: a label leads to it";
    assert!(full.to_string().ends_with(text), "{full}");
    assert!(why[0].contains("v2, why: Held") && why[2].contains("v4, why: Routed"), "{why:?}");
    assert_eq!(runtime.routing(), before);
    // What is there already is no new version, and other graphs have room.
    assert!(!runtime.publish(numbered(4)).await.unwrap().created);
    runtime.publish(graph("other", 1).build()).await.unwrap();
}

#[tokio::test]
async fn a_version_that_has_drained_is_given_up_without_a_publish() {
    let retention = Retention::default().keep_last(1).keep_proven(0).min_age(Duration::ZERO);
    let (runtime, _clock) = keeping(retention).await;
    promoted(&runtime, 1).await;
    let run = super::held(&runtime, 1).await;
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    assert_eq!(numbers(&runtime), [1, 2], "a run is pinned to it");
    let mut records = runtime.audit_events();
    run.cancel();
    run.await;
    let record = records.next().await.unwrap().unwrap();
    assert_eq!(
        (record.command.as_str(), record.note.by.as_deref()),
        ("collect default/g", Some("retention"))
    );
    assert_eq!(numbers(&runtime), [2]);
    assert_eq!(runtime.fold_audit(), runtime.routing());
}

#[tokio::test]
async fn above_the_soft_limit_each_publish_warns() {
    let (runtime, _clock) = keeping(Retention::default().soft_limit(2)).await;
    let mut events = runtime.version_events();
    promoted(&runtime, 4).await;
    let mut warned = Vec::new();
    while warned.len() < 2 {
        if let EventKind::ManyVersions { versions, soft_limit: 2 } =
            events.next().await.unwrap().unwrap().kind
        {
            warned.push(versions);
        }
    }
    assert_eq!(warned, [3, 4]);
}
