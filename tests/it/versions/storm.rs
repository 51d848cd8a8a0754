//! Four starters against one publisher: no stale start, and every version can be retired in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotgraph::{Runtime, Value, VersionError, VersionStatus};

use super::{builder, numbered};
use crate::fixtures::soak;

/// What the starters know of the publisher.
#[derive(Default)]
struct Published {
    /// The version that was promoted last.
    promoted: AtomicU64,
    is_over: AtomicBool,
}

/// Starts until the publisher is done; how many.
async fn start(runtime: Runtime, published: Arc<Published>) -> u64 {
    let mut starts = 0;
    while !published.is_over.load(Ordering::Relaxed) {
        // What was promoted before the start is the least that it may get.
        let least = published.promoted.load(Ordering::SeqCst);
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

/// Publishes, promotes and retires until the time is up, a hundred times at least; the last version.
async fn publish(runtime: Runtime, published: Arc<Published>, time: Duration) -> u64 {
    let (mut number, began) = (1, Instant::now());
    while number <= 100 || began.elapsed() < time {
        number += 1;
        runtime.publish_and_promote(numbered(number)).await.unwrap();
        published.promoted.store(number, Ordering::SeqCst);
        match runtime.versions("g").retire(number - 1).await {
            Ok(_) => {}
            Err(VersionError::InUse { live, .. }) => assert!(live > 0),
            // Retention was faster.
            Err(VersionError::VersionGone { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    published.is_over.store(true, Ordering::Relaxed);
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_starts_and_publishes_leaves_nothing_behind() {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(numbered(1)).await.unwrap();
    let published = Arc::new(Published::default());
    let time = Duration::from_secs(if soak() { 10 } else { 1 });
    let publisher = tokio::spawn(publish(runtime.clone(), published.clone(), time));
    let starters: Vec<_> =
        (0..4).map(|_| tokio::spawn(start(runtime.clone(), published.clone()))).collect();
    let last = publisher.await.unwrap();
    let mut starts = 0;
    for starter in starters {
        starts += starter.await.unwrap();
    }
    println!("{starts} starts on {last} versions");
    assert!(starts > 1_000, "{starts} starts on {last} versions");
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
