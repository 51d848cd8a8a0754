//! A share of the starts goes to a canary: exactly, and always the same keys.

use std::collections::BTreeSet;

use hotgraph::{Runtime, StartRule, Value, VersionError, VersionNumber, VersionStatus, Weight};

use super::{numbered, promoted, refused, runtime, status};

/// A runtime whose version 1 is active and whose version 2 gets a share.
async fn shared(weight: Weight) -> Runtime {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    runtime.versions("g").set_canary(2, weight).await.unwrap();
    runtime
}

async fn start(runtime: &Runtime) -> u64 {
    runtime.start("g", Value::Null).run().await.unwrap().version.0
}

/// The keys, of many, that get the canary.
fn keys(runtime: &Runtime) -> BTreeSet<u32> {
    let versions = runtime.versions("g");
    let gets_canary = |key: &u32| {
        versions.explain(Some(&format!("customer-{key}"))).unwrap().version == VersionNumber(2)
    };
    (0..10_000).filter(gets_canary).collect()
}

#[tokio::test]
async fn of_starts_without_a_key_the_share_is_exact() {
    for (basis_points, starts) in [(0, 200), (1, 300), (3_333, 1_000), (9_999, 300), (10_000, 200)]
    {
        let runtime = shared(Weight::basis_points(basis_points)).await;
        let mut canary = 0_u64;
        for done in 1..=starts {
            canary += u64::from(start(&runtime).await == 2);
            let exact = done * u64::from(basis_points);
            assert!((canary * 10_000).abs_diff(exact) < 10_000, "{canary} of {done}");
        }
    }
}

#[tokio::test]
async fn what_is_explained_is_what_the_next_start_gets() {
    let runtime = shared(Weight::percent(30)).await;
    for _ in 0..20 {
        let explained = runtime.versions("g").explain(None).unwrap();
        let run = runtime.start("g", Value::Null).await.unwrap();
        assert_eq!(*run.decision(), explained);
    }
}

#[tokio::test]
async fn the_active_version_is_not_the_canary() {
    let runtime = shared(Weight::percent(100)).await;
    let versions = runtime.versions("g");
    assert_eq!(versions.explain(None).unwrap().version, VersionNumber(2));
    assert_eq!(versions.active(), Some(VersionNumber(1)));
    assert_eq!(versions.label("beta").active(), None);
    assert_eq!(runtime.versions("h").active(), None);
}

#[tokio::test]
async fn a_key_that_has_the_canary_keeps_it_while_the_share_grows() {
    let runtime = shared(Weight::percent(0)).await;
    let versions = runtime.versions("g");
    let mut before = keys(&runtime);
    assert!(before.is_empty());
    for percent in [1, 5, 20, 50, 99, 100] {
        versions.set_canary(2, Weight::percent(percent)).await.unwrap();
        let now = keys(&runtime);
        assert!(now.is_superset(&before), "at {percent} %");
        let expected = u32::from(percent) * 100;
        assert!(expected.abs_diff(u32::try_from(now.len()).unwrap()) < 200, "{}", now.len());
        before = now;
    }
    assert_eq!(before.len(), 10_000);
    let run = runtime.start("g", Value::Null).key("customer-1").await.unwrap();
    let StartRule::Canary { bucket: Some(bucket), weight, .. } = &run.decision().rule else {
        panic!("{:?}", run.decision())
    };
    assert!(*bucket < weight.get());
}

#[tokio::test]
async fn another_canary_finds_other_keys() {
    let runtime = shared(Weight::percent(50)).await;
    let versions = runtime.versions("g");
    let first = keys(&runtime);
    runtime.publish(numbered(3)).await.unwrap();
    versions.set_canary(3, Weight::percent(50)).await.unwrap();
    let second: BTreeSet<_> = (0..10_000).filter(|key| !keys_of_active(&runtime, *key)).collect();
    let common = first.intersection(&second).count();
    assert!((2_000..3_000).contains(&common), "{common}");
}

fn keys_of_active(runtime: &Runtime, key: u32) -> bool {
    let explained = runtime.versions("g").explain(Some(&format!("customer-{key}"))).unwrap();
    explained.version == VersionNumber(1)
}

#[tokio::test]
async fn a_canary_has_a_status_and_an_end() {
    let runtime = shared(Weight::percent(10)).await;
    let versions = runtime.versions("g");
    let canary = VersionStatus::Canary { label: "default".into(), weight: Weight::percent(10) };
    assert_eq!(status(&runtime, 2), canary);
    let kept = refused(&runtime, versions.retire(2)).await;
    assert!(matches!(kept, VersionError::StillRouted { .. }), "{kept}");
    versions.clear_canary().await.unwrap();
    assert!(matches!(status(&runtime, 2), VersionStatus::Drained { .. }));
    let none = refused(&runtime, versions.clear_canary()).await;
    assert!(matches!(none, VersionError::NoCanary { .. }), "{none}");
    versions.set_canary(2, Weight::percent(10)).await.unwrap();
    versions.promote(2).await.unwrap();
    assert_eq!(versions.labels()[&"default".into()].canary, None);
    assert!(matches!(status(&runtime, 1), VersionStatus::Drained { .. }));
    let same = refused(&runtime, versions.set_canary(2, Weight::percent(10))).await;
    assert!(matches!(same, VersionError::AlreadyActive { .. }), "{same}");
}

#[tokio::test]
async fn a_canary_needs_an_active_version_beside_it() {
    let runtime = runtime().await;
    runtime.publish(numbered(1)).await.unwrap();
    let alone = refused(&runtime, runtime.versions("g").set_canary(1, Weight::percent(1))).await;
    assert!(matches!(alone, VersionError::NoActiveVersion { .. }), "{alone}");
}
