//! Starts and publishes at once: every state of a run belongs to the run's version.

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_state_carries_its_runs_version() {
    let rounds: u64 = if soak() { 1000 } else { 200 };
    let states = Arc::new(AtomicU64::new(0));
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
    let runtime = Runtime::builder()
        .handler(Handler::many("split", split))
        .handler(Handler::one("check", check))
        .build()
        .await
        .unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();

    let publisher = tokio::spawn({
        let runtime = runtime.clone();
        async move {
            for number in 2..=rounds {
                let published = runtime.publish_and_promote(graph(number)).await.unwrap();
                assert_eq!(published.version.0, number);
            }
        }
    });
    let starters: Vec<_> = (0..4)
        .map(|_| {
            let runtime = runtime.clone();
            tokio::spawn(async move {
                let mut last = 0;
                for _ in 0..rounds / 4 {
                    let run = runtime.start("g", Value::Null).await.unwrap();
                    // One starter never sees the active version go back.
                    assert!(run.version().0 >= last, "{} after v{last}", run.version());
                    last = run.version().0;
                    let outcome = run.await;
                    assert!(outcome.is_success(), "{outcome:?}");
                }
            })
        })
        .collect();
    publisher.await.unwrap();
    for starter in starters {
        starter.await.unwrap();
    }
    assert_eq!(states.load(Ordering::Relaxed), rounds / 4 * 4 * 4);
    let versions = runtime.versions("g");
    assert_eq!(versions.len() as u64, rounds);
    assert!(versions.iter().all(|version| version.live == 0));
    for version in &versions[..versions.len() - 1] {
        runtime.retire("g", version.number).await.unwrap();
    }
    assert_eq!(runtime.versions("g").len(), 1);
}
