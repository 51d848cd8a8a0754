//! Runs in flight when a version is left or revoked, and the wait until it is drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Handler, InFlight, NodeSpec, PublishError, RetryError, RollbackTarget, Run,
    RunStatus, Runtime, StartError, Value, VersionError, VersionNumber, Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{active, builder, held, numbered, promoted, refused, runtime};

#[tokio::test(start_paused = true)]
async fn runs_of_a_version_that_is_left_finish_pause_or_are_cancelled() {
    let policies = [
        (InFlight::Finish, RunStatus::Running),
        (InFlight::Pause, RunStatus::Paused),
        (InFlight::Cancel, RunStatus::Cancelled),
    ];
    for (in_flight, expected) in policies {
        let runtime = runtime().await;
        promoted(&runtime, 2).await;
        let (left, other) = (held(&runtime, 2).await, held(&runtime, 1).await);
        let rollback = runtime.versions("g").rollback(RollbackTarget::Previous);
        rollback.in_flight(in_flight).await.unwrap();
        if in_flight == InFlight::Cancel {
            assert_eq!(left.outcome().await.status, expected);
        }
        assert_eq!(left.status().status, expected);
        assert_eq!(other.status().status, RunStatus::Running, "it is on another version");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_rollback_stops_no_run() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let rollback = || {
        let rollback = versions.rollback(RollbackTarget::Previous).request_id("r");
        rollback.in_flight(InFlight::Cancel)
    };
    let first = rollback().await.unwrap();
    versions.promote(2).await.unwrap();
    let run = held(&runtime, 2).await;
    assert_eq!(rollback().await.unwrap(), first);
    assert_eq!(run.status().status, RunStatus::Running);
}

#[tokio::test(start_paused = true)]
async fn runs_that_came_by_another_label_go_on() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let beta = versions.label("beta");
    beta.promote(1).await.unwrap();
    beta.promote(2).await.unwrap();
    let start = |label: &str| runtime.start("g", Value::Null).label(label).delay(super::FOREVER);
    let (own, other) = (start("beta").await.unwrap(), start("default").await.unwrap());
    let rollback = beta.rollback(RollbackTarget::Previous).in_flight(InFlight::Cancel);
    rollback.await.unwrap();
    assert_eq!(own.await.status, RunStatus::Cancelled);
    assert_eq!(other.status().status, RunStatus::Running);
    versions.revoke(2).await.unwrap();
    assert_eq!(other.await.status, RunStatus::Cancelled, "a revoke spares none");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_version_takes_no_start_and_its_runs_stop() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let run = held(&runtime, 2).await;
    versions.revoke(2).by("ann").await.unwrap();
    assert_eq!(run.await.status, RunStatus::Cancelled);
    let revoked = StartError::VersionRevoked { graph: "g".into(), version: VersionNumber(2) };
    assert_eq!(runtime.start("g", Value::Null).await.unwrap_err(), revoked);
    let named = runtime.start("g", Value::Null).version(VersionNumber(2));
    assert_eq!(named.await.unwrap_err(), revoked);
    let again = refused(&runtime, versions.revoke(2)).await;
    assert!(matches!(again, VersionError::IllegalTransition { .. }), "{again}");
    let again = runtime.publish_and_promote(numbered(2)).await.unwrap_err();
    assert!(matches!(again, PublishError::Version(VersionError::Revoked { .. })), "{again}");
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    assert_eq!(active(&runtime), 1);
    let back = refused(&runtime, versions.promote(2)).await;
    assert!(matches!(back, VersionError::Revoked { .. }), "{back}");
}

/// Starts runs of `g` until its version is revoked, and gives them.
async fn start_until_it_is_revoked(runtime: Runtime) -> Vec<Run> {
    let mut runs = Vec::new();
    loop {
        match runtime.start("g", Value::Null).delay(super::FOREVER).await {
            Ok(run) => runs.push(run),
            Err(StartError::VersionRevoked { .. }) => return runs,
            Err(StartError::Overloaded { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_run_that_started_beside_a_revoke_goes_on() {
    for _ in 0..20 {
        let runtime = builder().max_runs(500).build().await.unwrap();
        let versions = runtime.versions("g");
        promoted(&runtime, 2).await;
        let starters = (0..3).map(|_| tokio::spawn(start_until_it_is_revoked(runtime.clone())));
        let starters: Vec<_> = starters.collect();
        while runtime.live_runs() < 10 {
            tokio::task::yield_now().await;
        }
        versions.revoke(2).await.unwrap();
        for starter in starters {
            for run in starter.await.unwrap() {
                let end = tokio::time::timeout(Duration::from_secs(10), run.outcome()).await;
                let outcome = end.unwrap_or_else(|_| panic!("{run:?} goes on: {:?}", run.status()));
                assert_eq!(outcome.status, RunStatus::Cancelled);
            }
        }
        assert_eq!(versions.get(2).unwrap().live, 0);
    }
}

/// Starts runs of `g` until it is told to stop, and gives them.
async fn start_until(over: Arc<AtomicBool>, runtime: Runtime) -> Vec<Run> {
    let mut runs = Vec::new();
    while !over.load(Ordering::SeqCst) {
        match runtime.start("g", Value::Null).delay(super::FOREVER).await {
            Ok(run) => runs.push(run),
            Err(StartError::Overloaded { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_run_that_started_beside_a_rollback_that_cancels_goes_on() {
    let runtime = builder().max_runs(300).keep_ended(0).build().await.unwrap();
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let over = Arc::new(AtomicBool::new(false));
    let starters = (0..4).map(|_| tokio::spawn(start_until(over.clone(), runtime.clone())));
    let starters: Vec<_> = starters.collect();
    let mut left = Vec::new();
    for round in 0..200 {
        let target = RollbackTarget::Exact(VersionNumber(1 + round % 2));
        while runtime.live_runs() < 5 {
            tokio::task::yield_now().await;
        }
        let back = versions.rollback(target).in_flight(InFlight::Cancel).await.unwrap();
        left.push((back.left.unwrap(), back.revision));
    }
    over.store(true, Ordering::SeqCst);
    let mut stopped = 0;
    for starter in starters {
        for run in starter.await.unwrap() {
            let is_left = |one: &&(VersionNumber, u64)| {
                one.0 == run.version() && run.decision().revision < one.1
            };
            if left.iter().any(|one| is_left(&one)) {
                let end = tokio::time::timeout(Duration::from_secs(10), run.outcome()).await;
                let outcome = end.unwrap_or_else(|_| panic!("{run:?} goes on: {:?}", run.status()));
                assert_eq!(outcome.status, RunStatus::Cancelled);
                stopped += 1;
            }
        }
    }
    assert!(stopped > 200, "{stopped}");
}

#[tokio::test]
async fn a_revoked_canary_is_one_no_longer() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    versions.set_canary(2, Weight::percent(100)).await.unwrap();
    let next = || versions.explain(None).unwrap().version.0;
    assert_eq!(next(), 2);
    versions.revoke(2).await.unwrap();
    assert_eq!(next(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_version_takes_no_manual_retry() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    let run = runtime.start("g", Value::Null).await.unwrap();
    run.outcome().await;
    runtime.versions("g").revoke(1).await.unwrap();
    let state = run.states()[0].id;
    let revoked = RetryError::VersionRevoked { graph: "g".into(), version: VersionNumber(1) };
    assert_eq!(run.retry(state, "again").await, Err(revoked));
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_awaited_and_says_which_runs_are_in_the_way() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    let run = held(&runtime, 1).await;
    let waiting = versions.clone();
    let drained = tokio::spawn(async move { waiting.drained(1).await });
    tokio::task::yield_now().await;
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    assert_eq!(versions.runs(1).iter().map(hotgraph::Run::id).collect::<Vec<_>>(), [run.id()]);
    assert!(!drained.is_finished());
    run.cancel();
    drained.await.unwrap().unwrap();
    assert!(versions.runs(1).is_empty());
    // A version that was never routed drains too.
    runtime.publish(numbered(3)).await.unwrap();
    let run = held(&runtime, 3).await;
    run.cancel();
    versions.drained(3).await.unwrap();
    versions.retire(3).await.unwrap();
    let gone = versions.drained(3).await.unwrap_err();
    assert!(matches!(gone, VersionError::VersionGone { .. }), "{gone}");
    let unknown = versions.drained(9).await.unwrap_err();
    assert!(matches!(unknown, VersionError::UnknownVersion { .. }), "{unknown}");
}

/// A user's type whose schema cannot be had.
#[derive(Debug, Deserialize, Serialize)]
struct Panicking {
    n: u64,
}

impl JsonSchema for Panicking {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Panicking".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        panic!("this type has no schema")
    }
}

/// A user's value that cannot be written down.
struct Unwritable;

impl From<Unwritable> for Value {
    fn from(_: Unwritable) -> Self {
        panic!("this value cannot be written")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_panics_makes_no_start_fail_or_wait() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    let publisher = |which: usize| {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            let node = match which % 2 {
                0 => {
                    let handler = Handler::one("bad", |input: Panicking| async move { Ok(input) });
                    runtime.register(handler).unwrap();
                    NodeSpec::new("bad").input("n", 1)
                }
                _ => NodeSpec::new("pass").input("n", Unwritable),
            };
            runtime.publish_and_promote(Document::builder("g").node(node).build()).await
        })
    };
    for which in 0..20 {
        let publisher = publisher(which);
        for _ in 0..20 {
            let started = tokio::time::timeout(
                Duration::from_secs(60),
                runtime.start("g", Value::Null).run(),
            );
            let ended = started.await.expect("no start waits").unwrap();
            assert_eq!(ended.status, RunStatus::Success);
        }
        assert!(publisher.await.unwrap_err().is_panic());
    }
    assert_eq!(active(&runtime), 1, "nothing was published");
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    assert_eq!(active(&runtime), 2, "others publish as before");
}
