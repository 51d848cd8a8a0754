//! Versions that runs of the journal are pinned to, and what ends them.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Handler, InFlight, MemoryJournal, NodeSpec, Retention, RunId, RunQuery, RunStatus,
    Runtime, RuntimeBuilder, StrandedReason, Value, VersionError, VersionStatus,
};

fn slow() -> Handler {
    Handler::one("slow", |_: Value, ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(Value::empty_object())
    })
}

fn fast() -> Handler {
    Handler::one("fast", |_: Value| async move { Ok(Value::empty_object()) })
}

fn process(journal: &Arc<MemoryJournal>) -> RuntimeBuilder {
    let retention = Retention::default().keep_last(1).keep_proven(0).min_age(Duration::ZERO);
    Runtime::builder().journal(journal.clone()).handler(fast()).version_retention(retention)
}

fn graph(handler: &str, n: u64) -> Document {
    Document::builder("g").node(NodeSpec::new("only").handler(handler).input("n", n)).build()
}

#[tokio::test(start_paused = true)]
async fn a_version_is_not_given_up_because_its_last_run_was_parked() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).build().await.unwrap();
    first.publish_and_promote(graph("slow", 1)).await.unwrap();
    let id = first.start("g", Value::Null).await.unwrap().id();
    first.publish_and_promote(graph("fast", 2)).await.unwrap();
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [id]);

    let second = process(&journal).handler(slow()).build().await.unwrap();
    assert_eq!(second.stranded(), []);
    assert_eq!(second.run(id).unwrap().await.status, RunStatus::Success);
    // Now nobody needs it any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    second.versions("g").collect().await.unwrap();
    assert_eq!(second.versions("g").get(1).unwrap().status, VersionStatus::Retired);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_version_that_was_revoked_is_cancelled_after_a_restart() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).build().await.unwrap();
    first.publish_and_promote(graph("slow", 1)).await.unwrap();
    let id = first.start("g", Value::Null).await.unwrap().id();
    first.publish_and_promote(graph("fast", 2)).await.unwrap();
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [id]);

    // Without the handler: the run is stranded.
    let second = process(&journal).build().await.unwrap();
    second.versions("g").revoke(1).await.unwrap();
    drop(second);
    let third = process(&journal).handler(slow()).build().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let row = third.storage().unwrap().runs(&RunQuery::default().run(id)).await.unwrap();
    assert_eq!((&*row[0].status, third.stranded()), ("CANCELLED", vec![]));
}

/// A process that lacks the handler of a run that was parked.
async fn stranded() -> (Runtime, RunId) {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).build().await.unwrap();
    first.publish_and_promote(graph("slow", 1)).await.unwrap();
    let id = first.start("g", Value::Null).await.unwrap().id();
    first.publish_and_promote(graph("fast", 2)).await.unwrap();
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [id]);
    let second = process(&journal).build().await.unwrap();
    assert_eq!(second.stranded().len(), 1);
    (second, id)
}

#[tokio::test(start_paused = true)]
async fn a_version_is_not_given_up_when_its_handler_comes_before_its_stranded_run_goes_on() {
    let (runtime, id) = stranded().await;
    runtime.register(slow()).unwrap();
    assert_eq!(runtime.required_versions(), []);
    runtime.publish_and_promote(graph("fast", 3)).await.unwrap();
    assert_eq!(runtime.stranded(), []);
    assert_eq!(runtime.run(id).unwrap().await.status, RunStatus::Success);
    // Now nobody needs it any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(runtime.versions("g").get(1).unwrap().status, VersionStatus::Retired);
}

/// Checks that a version does not retire, because of a run.
async fn is_kept_for(runtime: &Runtime, id: RunId) {
    let refused = runtime.versions("g").retire(1).await.unwrap_err();
    let VersionError::InUse { live, blockers, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((live, blockers), (1, vec![id]));
}

/// Tries to go on with a run whose handler is not there.
async fn stays_stranded(runtime: &Runtime, id: RunId) {
    let reason = runtime.resume(id).await.unwrap_err();
    assert!(matches!(reason, StrandedReason::NoVersion { .. }), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_revoked_retires_beside_a_stranded_run() {
    let (runtime, id) = stranded().await;
    is_kept_for(&runtime, id).await;
    runtime.versions("g").revoke(1).await.unwrap();
    stays_stranded(&runtime, id).await;
    runtime.versions("g").retire(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_runs_are_cancelled_retires_beside_a_stranded_run_that_nobody_resumes() {
    let (runtime, id) = stranded().await;
    is_kept_for(&runtime, id).await;
    let cancel = || runtime.versions("g").drained(1).within(Duration::ZERO, InFlight::Cancel);
    cancel().await.unwrap();
    // A resume that is tried needs it again.
    stays_stranded(&runtime, id).await;
    is_kept_for(&runtime, id).await;
    cancel().await.unwrap();
    runtime.versions("g").retire(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publish_does_not_keep_again_what_a_drain_has_let_go() {
    let (runtime, id) = stranded().await;
    let versions = runtime.versions("g");
    versions.drained(1).within(Duration::ZERO, InFlight::Cancel).await.unwrap();
    runtime.publish_and_promote(graph("fast", 3)).await.unwrap();
    assert_eq!(runtime.stranded().iter().map(|it| it.run).collect::<Vec<_>>(), [id]);
    versions.retire(1).await.unwrap();
}
