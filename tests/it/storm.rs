//! Starts and publishes at once: every state of a run belongs to the run's version.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hotgraph::{Context, Document, Emit, Handler, NodeError, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fixtures::soak;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Seen {
    /// The version whose document the state was made by.
    published: u64,
}

/// Every state says which document it was made by; its run says which version it is on.
fn graph(number: u64) -> Document {
    Document::builder("g")
        .node(NodeSpec::new("split").input("published", number).next("check"))
        .node(NodeSpec::new("check").input("published", number).next("join"))
        .node(NodeSpec::new("join").handler("check").unites("split").input("published", number))
        .build()
}

/// A runtime whose handler `check` counts its calls, and fails in a run of another version.
async fn runtime(states: &Arc<AtomicU64>) -> Runtime {
    let counted = states.clone();
    let check = move |seen: Seen, ctx: Context| {
        let counted = counted.clone();
        async move {
            tokio::task::yield_now().await;
            counted.fetch_add(1, Ordering::Relaxed);
            match ctx.version().0 == seen.published {
                true => Ok(seen),
                false => Err(NodeError::permanent(format_args!("{seen:?} on {}", ctx.version()))),
            }
        }
    };
    let split = |seen: Seen| async move {
        Ok(Emit::each((0..3).map(move |_| Seen { published: seen.published })))
    };
    Runtime::builder()
        .handler(Handler::many("split", split))
        .handler(Handler::one("check", check))
        .build()
        .await
        .unwrap()
}

async fn publish_versions(runtime: Runtime, numbers: RangeInclusive<u64>) {
    for number in numbers {
        let published = runtime.publish_and_promote(graph(number)).await.unwrap();
        assert_eq!(published.version.0, number);
    }
}

async fn start_runs(runtime: Runtime, runs: u64) {
    let mut last = 0;
    for _ in 0..runs {
        let run = runtime.start("g", Value::Null).await.unwrap();
        // One starter never sees the active version go back.
        assert!(run.version().0 >= last, "{} after v{last}", run.version());
        last = run.version().0;
        let outcome = run.await;
        assert!(outcome.is_success(), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_state_carries_its_runs_version() {
    let rounds: u64 = if soak() { 1000 } else { 200 };
    let states = Arc::new(AtomicU64::new(0));
    let runtime = runtime(&states).await;
    publish_versions(runtime.clone(), 1..=1).await;

    let publisher = tokio::spawn(publish_versions(runtime.clone(), 2..=rounds));
    let starters: Vec<_> =
        (0..4).map(|_| tokio::spawn(start_runs(runtime.clone(), rounds / 4))).collect();
    publisher.await.unwrap();
    for starter in starters {
        starter.await.unwrap();
    }

    // Three branches and a merger in each run of each of the four starters.
    assert_eq!(states.load(Ordering::Relaxed), 4 * (rounds / 4) * 4);
    let versions = runtime.versions("g").list();
    // Beyond 200, retention gives up versions that no run is on.
    assert!((rounds.min(200)..210).contains(&(versions.len() as u64)), "{}", versions.len());
    assert!(versions.iter().all(|version| version.live == 0));
    for version in &versions[..versions.len() - 1] {
        runtime.versions("g").retire(version.number).await.unwrap();
    }
    assert_eq!(runtime.versions("g").list().len(), 1);
}
