//! Four starters against one publisher: no stale start, and every version can be retired in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotgraph::{Runtime, Value, VersionError, VersionStatus};

use super::{builder, numbered};
use crate::fixtures::soak;

/// Starts until the time is up; how many.
async fn start(runtime: Runtime, promoted: Arc<AtomicU64>, until: Instant) -> u64 {
    let mut starts = 0;
    while Instant::now() < until {
        // What was promoted before the start is the least that it may get.
        let least = promoted.load(Ordering::SeqCst);
        let outcome = runtime.start("g", Value::Null).run().await.unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
        assert!(outcome.version.0 >= least, "a stale start: {} after {least}", outcome.version);
        starts += 1;
        if starts % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    starts
}

/// Publishes, promotes and retires until the time is up; the last version.
async fn publish(runtime: Runtime, promoted: Arc<AtomicU64>, until: Instant) -> u64 {
    let mut number = 1;
    while Instant::now() < until {
        number += 1;
        runtime.publish_and_promote(numbered(number)).await.unwrap();
        promoted.store(number, Ordering::SeqCst);
        match runtime.versions("g").retire(number - 1).await {
            Ok(_) => {}
            Err(VersionError::InUse { live, .. }) => assert!(live > 0),
            // Retention was faster.
            Err(VersionError::VersionGone { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_starts_and_publishes_leaves_nothing_behind() {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(numbered(1)).await.unwrap();
    let promoted = Arc::new(AtomicU64::new(1));
    let until =
        Instant::now() + if soak() { Duration::from_secs(10) } else { Duration::from_secs(1) };
    let publisher = tokio::spawn(publish(runtime.clone(), promoted.clone(), until));
    let starters: Vec<_> =
        (0..4).map(|_| tokio::spawn(start(runtime.clone(), promoted.clone(), until))).collect();
    let mut starts = 0;
    for starter in starters {
        starts += starter.await.unwrap();
    }
    let last = publisher.await.unwrap();
    println!("{starts} starts on {last} versions");
    assert!(starts > 1_000 && last > 100, "{starts} starts on {last} versions");
    let versions = runtime.versions("g");
    assert_eq!(runtime.live_runs(), 0);
    for version in versions.list() {
        assert_eq!(version.live, 0, "{version:?}");
        if version.number.0 != last {
            versions.retire(version.number).await.unwrap();
        }
    }
    let left: Vec<_> = versions.list().into_iter().map(|version| version.status).collect();
    assert_eq!(left, [VersionStatus::Active { labels: vec!["default".into()] }]);
}
