//! A rollback between the moment at which a start is decided and that at which its run is known.

use std::time::Duration;

use crate::run::RunStatus;
use crate::{Document, Handler, InFlight, NodeSpec, RollbackTarget, Runtime, Value};

/// A runtime whose versions 1 and 2 were promoted.
async fn promoted() -> Runtime {
    let pass = |input: Value| async move { Ok(input) };
    let runtime = Runtime::builder().handler(Handler::one("pass", pass)).build().await.unwrap();
    for n in 1..=2 {
        let graph = Document::builder("g").node(NodeSpec::new("pass").input("n", n));
        runtime.publish_and_promote(graph.build()).await.unwrap();
    }
    runtime
}

/// The status of a run that becomes known when the rollback has looked at the runs already.
async fn late(label: &str, in_flight: InFlight) -> RunStatus {
    let runtime = promoted().await;
    let versions = runtime.versions("g");
    versions.label("beta").promote(2).await.unwrap();
    let start = runtime.start("g", Value::Null).label(label).delay(Duration::from_secs(3_600));
    let (run, pin) = start.prepare().unwrap();
    versions.rollback(RollbackTarget::Previous).in_flight(in_flight).await.unwrap();
    start.inner.admit(&run, &pin);
    run.spawn(pin);
    if in_flight == InFlight::Cancel && label == "default" {
        run.outcome().await;
    }
    run.status().status
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_rollback_could_not_see_yet_is_stopped_all_the_same() {
    assert_eq!(late("default", InFlight::Cancel).await, RunStatus::Cancelled);
    assert_eq!(late("default", InFlight::Pause).await, RunStatus::Paused);
    assert_eq!(late("default", InFlight::Finish).await, RunStatus::Running);
    assert_eq!(late("beta", InFlight::Cancel).await, RunStatus::Running, "its label stays");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_stops_no_run_that_is_decided_later() {
    let runtime = promoted().await;
    let versions = runtime.versions("g");
    let rollback = versions.rollback(RollbackTarget::Previous).in_flight(InFlight::Cancel);
    rollback.await.unwrap();
    let start = || runtime.start("g", Value::Null).delay(Duration::from_secs(3_600));
    let named = start().version(2).await.unwrap();
    versions.promote(2).await.unwrap();
    let routed = start().await.unwrap();
    for run in [named, routed] {
        assert_eq!(run.status().status, RunStatus::Running);
    }
}
