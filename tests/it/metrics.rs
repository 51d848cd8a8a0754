//! Metrics of versions and rollouts, as a recorder sees them; the documents name them all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotgraph::{
    Compatibility, Document, Handler, LabelPolicy, NodeError, NodeSpec, Retention, RetryPolicy,
    RollbackTarget, RolloutPlan, Runtime, RuntimeBuilder, Step, Value, VersionNumber, VirtualClock,
    Weight,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

fn builder() -> RuntimeBuilder {
    let work = |Number { n }: Number| async move {
        if n == 13 { Err(NodeError::new("bad luck")) } else { Ok(Number { n }) }
    };
    Runtime::builder().handler(Handler::one("work", work).namespace("shop"))
}

/// A graph of one node; each number is another definition.
fn graph(n: u64) -> Document {
    let node = NodeSpec::new("work").input("n", n).retry(RetryPolicy::none());
    Document::builder("shop/g").node(node).build()
}

/// Breaks callers of `graph`: its output has another name.
fn breaking() -> Document {
    let node = NodeSpec::new("other").handler("work").input("n", 0);
    Document::builder("shop/g").node(node).build()
}

async fn start(runtime: &Runtime, version: Option<u64>, n: u64) {
    let start = runtime.start("shop/g", Value::object([("n", n)]));
    let start = match version {
        Some(version) => start.version(VersionNumber(version)),
        None => start,
    };
    start.run().await.unwrap();
}

/// Everything that a recorder is told which knew nothing before: `name{labels}` and the number.
fn told(runtime: &Runtime) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || runtime.record_metrics());
    let told = recorder.snapshotter().snapshot().into_vec();
    let told = told.into_iter().map(|(key, _, help, value)| {
        assert!(help.is_some(), "{key:?} is not described");
        let (_, key) = key.into_parts();
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        let number = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("{key:?} is a histogram"),
        };
        (format!("{}{{{}}}", key.name(), labels.join(",")), number)
    });
    told.collect()
}

/// Asserts that series of the graph `shop/g` are told with these numbers, 0 meaning 0 or not at all.
fn check(runtime: &Runtime, expected: &[(&str, f64)]) {
    let told = told(runtime);
    for (series, number) in expected {
        let series = series.replace('{', "{namespace=shop,graph_name=g,").replace(",}", "}");
        let found = told.get(&series).copied().unwrap_or_default();
        assert_eq!(found, *number, "{series} in {told:#?}");
    }
}

#[tokio::test]
async fn versions_runs_and_rollbacks_are_counted() {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();
    let versions = runtime.versions("shop/g");
    let policy = LabelPolicy::default().require_approval(Compatibility::Breaking);
    versions.set_policy(policy).await.unwrap();
    runtime.publish(graph(2)).await.unwrap();
    runtime.publish(breaking()).await.unwrap();
    for n in [1, 2, 13] {
        start(&runtime, None, n).await;
    }
    start(&runtime, Some(2), 1).await;
    let told = told(&runtime);
    assert!(!told.keys().any(|series| series.contains("version=3")), "nobody used it: {told:#?}");
    assert_eq!(told["version_routing_revision{}"], runtime.routing().revision as f64);
    check(
        &runtime,
        &[
            ("graph_versions_total{}", 3.0),
            ("version_checkpoints_total{}", 3.0),
            ("version_breaking_changes_total{}", 1.0),
            ("version_pending_approvals{}", 1.0),
            ("version_lineage_depth{}", 1.0),
            ("graph_version_active{version=1}", 1.0),
            ("graph_version_active{version=2}", 0.0),
            ("runs_by_version{version=1}", 3.0),
            ("runs_by_version{version=2}", 1.0),
            ("version_starts_total{version=1,rule=active}", 3.0),
            ("version_starts_total{version=2,rule=explicit}", 1.0),
            ("version_outcomes_total{version=1,status=SUCCESS}", 2.0),
            ("version_outcomes_total{version=1,status=FAILED}", 1.0),
            ("version_live_runs{version=1}", 0.0),
        ],
    );
    versions.promote(2).await.unwrap();
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    versions.set_canary(2, Weight::percent(100)).await.unwrap();
    start(&runtime, None, 1).await;
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    versions.reject(3).await.unwrap();
    versions.rollback(RollbackTarget::Previous).await.unwrap_err();
    check(
        &runtime,
        &[
            ("version_rollbacks_total{reason=command}", 2.0),
            ("version_rollbacks_total{reason=rollout}", 0.0),
            ("version_starts_total{version=2,rule=canary}", 1.0),
            ("version_pending_approvals{}", 0.0),
        ],
    );
}

#[tokio::test]
async fn a_drain_has_an_age_as_long_as_runs_last() {
    let clock = VirtualClock::default();
    let runtime = builder().clock(clock.clone()).build().await.unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();
    let start = runtime.start("shop/g", Value::Null).delay(Duration::from_secs(1_000_000));
    let run = start.await.unwrap();
    clock.advance(Duration::from_secs(5));
    check(&runtime, &[("version_drain_age_seconds{version=1}", 0.0)]);
    runtime.publish_and_promote(graph(2)).await.unwrap();
    clock.advance(Duration::from_secs(30));
    let live = ("version_live_runs{version=1}", 1.0);
    check(&runtime, &[("version_runs_by_phase{version=1,phase=SLEEPING}", 1.0)]);
    run.pause();
    check(&runtime, &[("version_runs_by_phase{version=1,phase=WAITING}", 1.0)]);
    check(&runtime, &[("version_drain_age_seconds{version=1}", 30.0), live]);
    run.cancel();
    run.await;
    check(&runtime, &[("version_runs_by_phase{version=1,phase=WAITING}", 0.0)]);
    let cancelled = ("version_outcomes_total{version=1,status=CANCELLED}", 1.0);
    let live = ("version_live_runs{version=1}", 0.0);
    check(&runtime, &[("version_drain_age_seconds{version=1}", 0.0), live, cancelled]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_shows_its_step_its_phase_and_its_verdicts() {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();
    runtime.publish(graph(2)).await.unwrap();
    let steps = [1, 50].map(|percent| Step::manual(Weight::percent(percent)));
    let plan = RolloutPlan::steps(steps).check_every(Duration::from_secs(1));
    let rollout = runtime.versions("shop/g").rollout(2, plan).await.unwrap();
    let at = |step: f64, phase: &str| {
        let is = |one: &str| f64::from(u8::from(one == phase));
        check(
            &runtime,
            &[
                ("version_rollout_step{label=default}", step),
                ("version_rollout_phase{label=default,phase=step}", is("step")),
                (
                    "version_rollout_phase{label=default,phase=awaiting_promotion}",
                    is("awaiting_promotion"),
                ),
                ("version_rollout_phase{label=default,phase=baking}", is("baking")),
            ],
        );
    };
    at(1.0, "step");
    rollout.skip().await.unwrap();
    at(2.0, "step");
    rollout.skip().await.unwrap();
    at(0.0, "awaiting_promotion");
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let passed = ("version_rollout_verdicts_total{label=default,verdict=pass}", 3.0);
    check(&runtime, &[passed]);
    rollout.promote().await.unwrap();
    at(0.0, "baking");
    rollout.abort().await.unwrap();
    at(0.0, "ended");
    check(&runtime, &[("version_rollbacks_total{reason=rollout}", 1.0), passed]);
}

/// The most series there are while versions are published, each promoted, run and measured.
async fn most_series(runtime: &Runtime, versions: std::ops::RangeInclusive<u64>) -> usize {
    let mut most = 0;
    for n in versions {
        runtime.publish_and_promote(graph(n)).await.unwrap();
        start(runtime, None, 1).await;
        most = most.max(told(runtime).len());
    }
    most
}

#[tokio::test]
async fn a_thousand_publishes_do_not_grow_the_cardinality() {
    let retention = Retention::default().keep_last(10).keep_proven(0).min_age(Duration::ZERO);
    let runtime = builder().version_retention(retention).build().await.unwrap();
    let early = most_series(&runtime, 1..=50).await;
    runtime.versions("shop/g").hold(50).await.unwrap();
    let most = most_series(&runtime, 51..=1_050).await;
    let told = told(&runtime);
    // A version that is held is one more than there were; each has five series of its own.
    assert!(most <= early + 5, "{early} series at first, {most} later");
    assert!(most < 11 * 5 + 20, "{most}");
    assert_eq!(told["runs_by_version{namespace=shop,graph_name=g,version=1050}"], 1.0);
    assert_eq!(told["runs_by_version{namespace=shop,graph_name=g,version=50}"], 1.0);
    assert_eq!(told["version_checkpoints_total{namespace=shop,graph_name=g}"], 1_050.0);
}

#[tokio::test]
async fn gauges_of_a_retired_version_are_told_as_zero_once() {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();
    start(&runtime, None, 1).await;
    let of_first = || told(&runtime).into_iter().filter(|(key, _)| key.contains("version=1"));
    let active = "graph_version_active{namespace=shop,graph_name=g,version=1}".to_owned();
    assert!(of_first().any(|series| series == (active.clone(), 1.0)));
    runtime.publish_and_promote(graph(2)).await.unwrap();
    runtime.versions("shop/g").retire(1).await.unwrap();
    let live = "version_live_runs{namespace=shop,graph_name=g,version=1}".to_owned();
    assert_eq!(of_first().collect::<Vec<_>>(), [(active, 0.0), (live, 0.0)]);
    assert_eq!(of_first().count(), 0, "nothing is told of it any more");
}

/// The names of every metric, as a runtime tells them that has one of each.
async fn names() -> BTreeSet<String> {
    let runtime = builder().build().await.unwrap();
    runtime.publish_and_promote(graph(1)).await.unwrap();
    start(&runtime, None, 1).await;
    let later = runtime.start("shop/g", Value::Null).delay(Duration::from_secs(1_000_000));
    let _run = later.await.unwrap();
    runtime.publish(graph(2)).await.unwrap();
    let plan = RolloutPlan::blue_green().check_every(Duration::from_secs(1));
    let rollout = runtime.versions("shop/g").rollout(2, plan).await.unwrap();
    rollout.until(|status| status.verdict == hotgraph::Verdict::Pass).await;
    runtime.versions("shop/g").promote(2).await.unwrap();
    let name = |series: String| series.split('{').next().unwrap().to_owned();
    told(&runtime).into_keys().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_documents_list_every_metric() {
    let document = include_str!("../../docs/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| row.split(['`', '{']).next());
    let names = names().await;
    let listed: BTreeSet<_> = rows.filter(|name| name.contains("version")).collect();
    let listed: BTreeSet<_> = listed.into_iter().filter(|name| !name.contains('.')).collect();
    assert_eq!(listed, names.iter().map(String::as_str).collect());
}

#[cfg(feature = "yaml")]
#[tokio::test(start_paused = true)]
async fn the_alert_rules_are_about_metrics_that_there_are() {
    let rules: serde_json::Value =
        serde_saphyr::from_str(include_str!("../../docs/alerts.yml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    let said: Vec<_> =
        rules.iter().map(|rule| [&rule["expr"], &rule["for"]].map(|text| text.as_str())).collect();
    let rollbacks = "sum by (namespace, graph_name) (rate(version_rollbacks_total[5m])) > 0.5";
    let expected = [(rollbacks, "2m"), ("version_pending_approvals > 0", "1m")];
    assert_eq!(said, expected.map(|(expr, time)| [Some(expr), Some(time)]));
    let names = names().await;
    for name in ["version_rollbacks_total", "version_pending_approvals"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
}
