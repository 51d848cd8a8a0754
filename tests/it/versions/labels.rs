//! Labels beside the default one, and releases of several labels at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hotgraph::{
    RollbackTarget, StartError, Value, VersionError, VersionNumber, VersionStatus, Weight,
};

use super::{graph, numbered, promoted, refused, runtime, status};

#[tokio::test]
async fn a_label_leads_to_a_version_of_its_own() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    let beta = versions.label("beta");
    promoted(&runtime, 2).await;
    beta.promote(1).await.unwrap();
    let run = runtime.start("g", Value::Null).label("beta").await.unwrap();
    assert_eq!(run.version(), VersionNumber(1));
    assert_eq!(runtime.start("g", Value::Null).await.unwrap().version(), VersionNumber(2));
    assert_eq!(status(&runtime, 1), VersionStatus::Active { labels: vec!["beta".into()] });
    beta.promote(2).await.unwrap();
    let both = vec!["default".into(), "beta".into()];
    assert_eq!(status(&runtime, 2), VersionStatus::Active { labels: both });
    assert_eq!(beta.rollback(RollbackTarget::Previous).await.unwrap().version, VersionNumber(1));
    assert_eq!(versions.active(), Some(VersionNumber(2)));
}

#[tokio::test]
async fn a_label_can_be_removed_and_the_default_one_stays() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let unknown = refused(&runtime, versions.label("beta").remove_label()).await;
    assert!(matches!(unknown, VersionError::UnknownLabel { .. }), "{unknown}");
    versions.label("beta").promote(1).await.unwrap();
    versions.label("beta").remove_label().await.unwrap();
    assert!(matches!(status(&runtime, 1), VersionStatus::Drained { .. }));
    let gone = runtime.start("g", Value::Null).label("beta").await.unwrap_err();
    assert_eq!(gone, StartError::UnknownLabel { graph: "g".into(), label: "beta".into() });
    let kept = refused(&runtime, versions.remove_label()).await;
    assert!(matches!(kept, VersionError::DefaultLabel { .. }), "{kept}");
    let blank = refused(&runtime, versions.label(" ").promote(1)).await;
    assert!(matches!(blank, VersionError::BlankLabel { .. }), "{blank}");
}

#[tokio::test]
async fn a_canary_belongs_to_its_label() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let beta = runtime.versions("g").label("beta");
    beta.promote(2).await.unwrap();
    beta.set_canary(1, Weight::percent(100)).await.unwrap();
    let run = runtime.start("g", Value::Null).label("beta").await.unwrap();
    assert_eq!(run.version(), VersionNumber(1));
    assert_eq!(runtime.start("g", Value::Null).await.unwrap().version(), VersionNumber(2));
}

#[tokio::test]
async fn a_release_is_all_or_nothing() {
    let runtime = runtime().await;
    for (name, n) in [("a", 1), ("b", 1), ("a", 2), ("b", 2)] {
        runtime.publish(graph(name, n).build()).await.unwrap();
    }
    let bad = runtime.release([("a", "default", 1), ("b", "default", 9)]);
    let unknown = refused(&runtime, bad).await;
    assert!(matches!(unknown, VersionError::UnknownVersion { .. }), "{unknown}");
    let before = runtime.routing().revision;
    let release = runtime.release([("a", "default", 1), ("b", "default", 1), ("b", "beta", 2)]);
    assert_eq!(release.await.unwrap().revision, before + 1);
    let led = |name: &str, label: &str| runtime.versions(name).label(label).active().unwrap().0;
    assert_eq!([led("a", "default"), led("b", "default"), led("b", "beta")], [1, 1, 2]);
    let empty: [(&str, &str, u64); 0] = [];
    assert_eq!(refused(&runtime, runtime.release(empty)).await, VersionError::EmptyRelease);
}

#[tokio::test]
async fn a_release_names_a_label_once() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let twice = [("g", "beta", 1), ("g", "default", 1), ("g", "beta", 2)];
    let error = refused(&runtime, runtime.release(twice)).await;
    assert_eq!(error, VersionError::LabelTwice { graph: "g".into(), label: "beta".into() });
    assert_eq!(error.to_string(), "label `beta` of graph `default/g` is twice in the release");
}

#[tokio::test]
async fn a_release_takes_what_is_active_already_as_done() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let before = runtime.versions("g").labels()[&"default".into()].clone();
    let both = || runtime.release([("g", "default", 2), ("g", "beta", 1)]);
    both().await.unwrap();
    let labels = runtime.versions("g").labels();
    assert_eq!(labels[&"default".into()], before);
    assert_eq!(labels[&"beta".into()].active, Some(VersionNumber(1)));
    let all = refused(&runtime, both()).await;
    assert!(matches!(all, VersionError::AlreadyActive { .. }), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sees_half_a_release() {
    let runtime = runtime().await;
    for (name, n) in [("a", 1), ("b", 1), ("a", 2), ("b", 2)] {
        runtime.publish(graph(name, n).build()).await.unwrap();
    }
    runtime.release([("a", "default", 1), ("b", "default", 1)]).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let readers = (0..3).map(|_| {
        let (runtime, over) = (runtime.clone(), over.clone());
        std::thread::spawn(move || {
            let mut seen = 0_u64;
            while !over.load(Ordering::SeqCst) {
                let routing = runtime.routing();
                let active = |name: &str| {
                    let graph = &routing.graphs[&name.into()];
                    graph.labels[&"default".into()].active
                };
                assert_eq!(active("a"), active("b"));
                seen += 1;
            }
            seen
        })
    });
    let readers: Vec<_> = readers.collect();
    for round in 0..400_u64 {
        let version = 2 - round % 2;
        runtime.release([("a", "default", version), ("b", "default", version)]).await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
}

#[tokio::test]
async fn a_version_that_was_published_is_not_promoted_on_any_label() {
    let runtime = runtime().await;
    runtime.publish(numbered(1)).await.unwrap();
    let none = runtime.start("g", Value::Null).await.unwrap_err();
    assert_eq!(none, StartError::NoActiveVersion("g".into()));
}

#[tokio::test]
async fn a_version_that_one_label_takes_back_stays_on_another_that_has_it_and_goes_to_no_third() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let (versions, beta) = (runtime.versions("g"), runtime.versions("g").label("beta"));
    beta.promote(1).await.unwrap();
    beta.set_canary(2, Weight::percent(10)).await.unwrap();
    beta.rollback(RollbackTarget::LastProven).by("ann").await.unwrap();
    let taken_back = versions.get(2).unwrap();
    assert_eq!(taken_back.marks.reverted.unwrap().by.as_deref(), Some("ann"));
    let labels = vec!["default".into()];
    assert_eq!(taken_back.status, VersionStatus::Active { labels }, "both are to be seen");
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.version().0, 2, "its starts go on");
    for label in ["beta", "third"] {
        let refused = versions.label(label).promote(2).await.unwrap_err();
        assert!(matches!(refused, VersionError::Reverted { .. }), "{refused}");
    }
    versions.promote(1).await.unwrap();
    let refused = versions.promote(2).await.unwrap_err();
    assert!(matches!(refused, VersionError::Reverted { .. }), "it was given up: {refused}");
    versions.clear_reverted(2).await.unwrap();
    versions.promote(2).await.unwrap();
}
