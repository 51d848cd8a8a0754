//! Versions, their routing and the audit log come back, before the first start is taken.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    AuditQuery, Decision, Document, Handler, MemoryJournal, NodeSpec, RollbackTarget, RolloutPlan,
    Run, RunStatus, Runtime, RuntimeBuilder, StartError, StrandedReason, Value, VersionError,
    VersionNumber, VersionStatus, Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

fn pass() -> Handler {
    Handler::one("pass", |input: Number| async move { Ok(input) })
}

fn slow() -> Handler {
    Handler::one("slow", |input: Number, ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(input)
    })
}

fn process(journal: &Arc<MemoryJournal>) -> RuntimeBuilder {
    Runtime::builder().journal(journal.clone())
}

/// The versions of one graph differ by a constant.
fn graph(constant: u64) -> Document {
    Document::builder("g").node(NodeSpec::new("pass").input("n", constant)).build()
}

async fn output(run: Run) -> u64 {
    run.await.output::<Number>().unwrap().n
}

async fn published(journal: &Arc<MemoryJournal>) -> Runtime {
    let runtime = process(journal).handler(pass()).build().await.unwrap();
    runtime.publish_and_promote(graph(1)).by("ann").note("first").tag("stable").await.unwrap();
    runtime.publish_and_promote(graph(2)).by("bea").request_id("two").await.unwrap();
    runtime.publish(graph(3)).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn versions_labels_marks_and_canaries_come_back() {
    let journal = Arc::new(MemoryJournal::new());
    let first = published(&journal).await;
    let versions = first.versions("g");
    versions.set_canary(3, Weight::percent(50)).by("cid").reason("try").await.unwrap();
    versions.hold(1).await.unwrap();
    versions.retire(2).await.unwrap_err();
    let (routing, audit) = (first.routing(), first.audit(&AuditQuery::default()));
    drop(first);

    let second = process(&journal).handler(pass()).build().await.unwrap();
    assert_eq!(second.routing(), routing);
    assert_eq!(second.fold_audit(), routing);
    assert_eq!(second.required_versions(), []);
    let again = second.audit(&AuditQuery::default());
    let lines = |records: &[Arc<hotgraph::AuditRecord>]| {
        records.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(lines(&again), lines(&audit));
    let info = second.versions("g").get(1).unwrap();
    assert_eq!(
        (info.manifest.author.as_deref(), info.manifest.note.as_deref()),
        (Some("ann"), Some("first"))
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(output(second.start("g", Value::Null).await.unwrap()).await);
    }
    seen.sort_unstable();
    assert_eq!(seen, [2, 2, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_and_the_same_content_is_the_same_version() {
    let journal = Arc::new(MemoryJournal::new());
    drop(published(&journal).await);
    let second = process(&journal).handler(pass()).build().await.unwrap();
    let same = second.publish(graph(2)).await.unwrap();
    assert_eq!((same.version, same.created), (VersionNumber(2), false));
    let new = second.publish(graph(4)).await.unwrap();
    assert_eq!((new.version, new.created), (VersionNumber(4), true));
}

#[tokio::test(start_paused = true)]
async fn a_request_id_from_before_the_restart_gives_the_recorded_result() {
    let journal = Arc::new(MemoryJournal::new());
    drop(published(&journal).await);
    let second = process(&journal).handler(pass()).build().await.unwrap();
    let before = second.routing();
    let again = second.publish_and_promote(graph(2)).by("bea").request_id("two").await.unwrap();
    assert_eq!(again.version, VersionNumber(2));
    assert_eq!(second.routing(), before);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_after_a_restart_finds_what_was_promoted_before() {
    let journal = Arc::new(MemoryJournal::new());
    drop(published(&journal).await);
    let second = process(&journal).handler(pass()).build().await.unwrap();
    let back = second.versions("g").rollback(RollbackTarget::Previous).await.unwrap();
    assert_eq!(back.version, VersionNumber(1));
    assert_eq!(output(second.start("g", Value::Null).await.unwrap()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_was_not_confirmed_is_taken_back_by_a_restart() {
    let journal = Arc::new(MemoryJournal::new());
    let first = published(&journal).await;
    let plan = RolloutPlan::blue_green()
        .promote_after(Duration::ZERO)
        .confirm_within(Duration::from_secs(600));
    let rollout = first.versions("g").rollout(3, plan).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(first.versions("g").active(), Some(VersionNumber(3)), "{:?}", rollout.status());
    drop(first);
    let second = process(&journal).handler(pass()).build().await.unwrap();
    assert_eq!(second.versions("g").active(), Some(VersionNumber(2)));
    assert!(second.versions("g").get(3).unwrap().marks.reverted.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_stays_on_its_version_across_a_restart_and_a_publish() {
    let journal = Arc::new(MemoryJournal::new());
    let slowly = |constant: u64| {
        Document::builder("g").node(NodeSpec::new("slow").input("n", constant)).build()
    };
    let first = process(&journal).handler(slow()).build().await.unwrap();
    first.publish_and_promote(slowly(1)).await.unwrap();
    let id = first.start("g", Value::Null).await.unwrap().id();
    first.publish_and_promote(slowly(2)).await.unwrap();
    let report = first.shutdown(Duration::from_secs(1)).await;
    assert_eq!((report.parked, report.cancelled), (vec![id], vec![]));

    let second = process(&journal).handler(slow()).build().await.unwrap();
    let run = second.run(id).unwrap();
    let Decision { version, .. } = run.decision().clone();
    assert_eq!((run.version(), version), (VersionNumber(1), VersionNumber(1)));
    let status = second.versions("g").get(1).unwrap().status;
    assert!(matches!(status, VersionStatus::Draining { live: 1, .. }), "{status:?}");
    assert_eq!(output(run).await, 1);
    assert_eq!(output(second.start("g", Value::Null).await.unwrap()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_handler_is_missing_is_stranded_until_it_is_there() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("slow").input("n", 1)).build();
    first.publish_and_promote(graph.clone()).await.unwrap();
    let id = first.start("g", Value::Null).await.unwrap().id();
    let _ = first.shutdown(Duration::ZERO).await;

    let second = process(&journal).build().await.unwrap();
    let stranded = second.stranded();
    assert_eq!(stranded.len(), 1);
    assert_eq!((stranded[0].run, stranded[0].version), (id, VersionNumber(1)));
    assert!(matches!(stranded[0].reason, StrandedReason::NoVersion { .. }));
    assert_eq!(second.required_versions().len(), 1);
    let refused = second.start("g", Value::Null).await.unwrap_err();
    assert!(matches!(refused, StartError::VersionAbsent { .. }), "{refused}");
    second.register(slow()).unwrap();
    assert_eq!(second.required_versions(), []);
    let run = second.resume(id).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
    assert_eq!(second.stranded(), []);
}

#[tokio::test(start_paused = true)]
async fn a_graph_with_a_handler_outside_of_the_catalog_is_refused() {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(&journal).build().await.unwrap();
    let graph = hotgraph::Graph::from(graph(1)).bind("pass", pass());
    let refused = runtime.publish(graph).await.unwrap_err();
    let hotgraph::PublishError::Version(VersionError::Opaque { .. }) = refused else {
        panic!("{refused}");
    };
    assert!(runtime.versions("g").list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_was_proven_before_a_restart_still_is() {
    let journal = Arc::new(MemoryJournal::new());
    let first = published(&journal).await;
    assert_eq!(output(first.start("g", Value::Null).await.unwrap()).await, 2);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(first.versions("g").get(2).unwrap().is_proven);
    first.versions("g").promote(3).await.unwrap();
    drop(first);
    let second = process(&journal).handler(pass()).build().await.unwrap();
    assert!(second.versions("g").get(2).unwrap().is_proven);
    let back = second.versions("g").rollback(RollbackTarget::LastProven).await.unwrap();
    assert_eq!(back.version, VersionNumber(2));
}
