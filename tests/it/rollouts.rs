//! Rollouts from end to end: runs go on while a version is staged, tried, promoted and taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Compatibility, Document, Evidence, Handler, HealthGate, Judging, LabelPolicy, NodeError,
    NodeSpec, RetryPolicy, Rollout, RolloutEnd, RolloutError, RolloutPhase, RolloutPlan, RunGate,
    Runtime, RuntimeBuilder, Step, Value, Verdict, VersionError, VersionNumber, VersionStatus,
    Weight,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Job {
    /// How many percent of the jobs fail.
    bad: u64,
    item: u64,
}

/// A runtime with one version for each share of jobs that fail; the first one is active.
pub(crate) async fn runtime(bad: &[u64]) -> Runtime {
    runtime_of(Runtime::builder(), bad).await
}

pub(crate) async fn runtime_of(builder: RuntimeBuilder, bad: &[u64]) -> Runtime {
    let work = |job: Job| async move {
        // Spread over the items, and the same for the same item.
        let place = job.item.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        if place % 100 < job.bad { Err(NodeError::new("bad")) } else { Ok(job) }
    };
    let runtime = builder.seed(1).handler(Handler::one("work", work)).build().await.unwrap();
    for (at, bad) in bad.iter().enumerate() {
        match at {
            0 => runtime.publish_and_promote(graph(*bad)).await.unwrap(),
            _ => runtime.publish(graph(*bad)).await.unwrap(),
        };
    }
    runtime
}

/// A graph of which this share of the jobs fails.
pub(crate) fn graph(bad: u64) -> Document {
    let node = NodeSpec::new("work").input("bad", bad).input("item", 0);
    Document::builder("g").node(node.retry(RetryPolicy::none())).build()
}

pub(crate) fn active(runtime: &Runtime) -> u64 {
    runtime.versions("g").active().unwrap().0
}

pub(crate) fn is_reverted(runtime: &Runtime, version: u64) -> bool {
    runtime.versions("g").get(version).unwrap().marks.reverted.is_some()
}

/// Starts so many runs, 100 a second, and waits for each; how many ran on version 2.
pub(crate) async fn load(runtime: &Runtime, runs: u64) -> u64 {
    let mut on_candidate = 0;
    for item in 0..runs {
        let run = runtime.start("g", Value::object([("item", item)])).await.unwrap();
        on_candidate += u64::from(run.version().0 == 2);
        let outcome = run.await;
        assert_eq!(outcome.outputs.len() + outcome.failures.len(), 1, "a run was lost");
        tokio::time::sleep(SECOND / 100).await;
    }
    on_candidate
}

pub(crate) async fn begin(runtime: &Runtime, plan: RolloutPlan) -> Rollout {
    runtime.versions("g").rollout(2, plan.check_every(SECOND / 10)).by("ann").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_bad_canary_is_taken_back_by_itself() {
    let runtime = runtime(&[5, 30]).await;
    let step = Step::hold(Weight::percent(10), 600 * SECOND);
    let rollout = begin(&runtime, RolloutPlan::steps([step]).gate(RunGate::not_worse(0.01))).await;
    let on_candidate = load(&runtime, 5_000).await;
    let end = rollout.ended().await;
    assert!(matches!(&end, RolloutEnd::Aborted(why) if why.contains("not worse")), "{end:?}");
    assert!((20..300).contains(&on_candidate), "{on_candidate} runs met it");
    assert!(is_reverted(&runtime, 2) && active(&runtime) == 1);
    assert_eq!(load(&runtime, 100).await, 0);
    let again = runtime.versions("g").promote(2).await;
    assert!(matches!(again, Err(VersionError::Reverted { .. })), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_good_canary_grows_is_promoted_and_bakes() {
    let runtime = runtime(&[5, 4]).await;
    let step = |percent| Step::hold(Weight::percent(percent), 10 * SECOND);
    let plan = RolloutPlan::steps([step(10), step(50)])
        .gate(RunGate::not_worse(0.01).min_runs(50))
        .promote_after(SECOND);
    let rollout = begin(&runtime, plan).await;
    let (watcher, loader) = (rollout.clone(), runtime.clone());
    let load = tokio::spawn(async move { load(&loader, 10_000).await });
    watcher.until(|status| status.phase == RolloutPhase::Step(1)).await;
    let status = runtime.versions("g").get(2).unwrap().status;
    let weight = Weight::percent(50);
    assert_eq!(status, VersionStatus::Canary { label: "default".into(), weight });
    watcher.until(|status| status.phase == RolloutPhase::Baking).await;
    assert_eq!(active(&runtime), 2);
    assert_eq!(rollout.ended().await, RolloutEnd::Completed);
    load.await.unwrap();
    let late = rollout.abort().await;
    assert!(
        matches!(late, Err(RolloutError::Ended { end: RolloutEnd::Completed, .. })),
        "{late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn blue_green_waits_for_health_and_for_a_hand() {
    let runtime = runtime(&[5, 4]).await;
    let is_up = Arc::new(AtomicBool::new(false));
    let probe = is_up.clone();
    let plan = RolloutPlan::blue_green().probe("up", move || {
        let is_up = probe.load(Ordering::Relaxed);
        async move { if is_up { Verdict::Pass } else { Verdict::inconclusive("starting") } }
    });
    let rollout = begin(&runtime, plan).await;
    tokio::time::sleep(60 * SECOND).await;
    let refused = rollout.promote().await;
    assert!(matches!(refused, Err(RolloutError::NotAwaitingPromotion { .. })), "{refused:?}");
    is_up.store(true, Ordering::Relaxed);
    rollout.until(|status| status.phase == RolloutPhase::AwaitingPromotion).await;
    assert_eq!(load(&runtime, 100).await, 0, "only explicit starts get it");
    is_up.store(false, Ordering::Relaxed);
    rollout.until(|status| status.verdict != Verdict::Pass).await;
    let refused = rollout.promote().await;
    assert!(matches!(refused, Err(RolloutError::NoHealthyCandidate { .. })), "{refused:?}");
    is_up.store(true, Ordering::Relaxed);
    rollout.until(|status| status.verdict == Verdict::Pass).await;
    rollout.promote().by("bob").reason("looks good").await.unwrap();
    assert_eq!(active(&runtime), 2);
    assert_eq!(rollout.ended().await, RolloutEnd::Completed, "a rollout ends also by hand");
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_turns_bad_goes_back_once_and_cools_down() {
    let runtime = runtime(&[0, 100, 50]).await;
    let gate = RunGate::failures_in_a_row(5).min_runs(1);
    let plan = RolloutPlan::blue_green().gate(gate).promote_after(Duration::ZERO);
    let rollout = begin(&runtime, plan.clone()).await;
    let explicit = |item| runtime.start("g", Value::object([("item", item)]));
    let _ = explicit(0).version(VersionNumber(2)).await.unwrap().await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    assert_eq!(active(&runtime), 2);
    load(&runtime, 100).await;
    assert!(matches!(rollout.ended().await, RolloutEnd::RolledBack(_)));
    assert!(is_reverted(&runtime, 2) && active(&runtime) == 1);
    let versions = runtime.versions("g");
    let early = versions.rollout(3, plan.clone()).await;
    assert!(matches!(early, Err(RolloutError::CoolingDown { .. })), "{early:?}");
    tokio::time::sleep(60 * SECOND).await;
    assert!(versions.rollout(3, plan).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_breaking_version_goes_back_by_itself_unless_the_label_keeps_it() {
    for keeps in [false, true] {
        let runtime = runtime(&[0, 100]).await;
        let versions = runtime.versions("g");
        versions.judge(1, 2, Compatibility::Breaking).await.unwrap();
        if keeps {
            let policy = LabelPolicy::default().without_auto_rollback_on_breaking();
            versions.set_policy(policy).await.unwrap();
        }
        let is_bad = Arc::new(AtomicBool::new(false));
        let probed = is_bad.clone();
        let plan = RolloutPlan::blue_green().promote_after(Duration::ZERO).probe("up", move || {
            let is_bad = probed.load(Ordering::Relaxed);
            async move { if is_bad { Verdict::fail("bad") } else { Verdict::Pass } }
        });
        let rollout = begin(&runtime, plan).await;
        rollout.until(|status| status.phase == RolloutPhase::Baking).await;
        is_bad.store(true, Ordering::Relaxed);
        let end = rollout.ended().await;
        assert_eq!(matches!(end, RolloutEnd::Stranded(_)), keeps, "{end:?}");
        assert_eq!(
            (active(&runtime), is_reverted(&runtime, 2)),
            if keeps { (2, false) } else { (1, true) }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_has_one_rollout_which_lets_go_of_what_others_change() {
    let runtime = runtime(&[0, 1, 2]).await;
    let versions = runtime.versions("g");
    let plan = || RolloutPlan::blue_green().probe("never", || async { Verdict::inconclusive("") });
    let first = begin(&runtime, plan()).await;
    let busy = versions.rollout(3, plan()).await;
    let version = VersionNumber(2);
    assert!(
        matches!(&busy, Err(RolloutError::RolloutInProgress { tried, .. }) if *tried == version),
        "{busy:?}"
    );
    let second = versions.rollout(3, plan()).supersede().await.unwrap();
    assert!(matches!(first.ended().await, RolloutEnd::Superseded(_)));
    assert!(!is_reverted(&runtime, 2), "nothing was said against it");
    versions.clear_canary().await.unwrap();
    assert!(matches!(second.ended().await, RolloutEnd::Superseded(_)));
    assert!(!is_reverted(&runtime, 3) && active(&runtime) == 1, "nothing was touched");
    assert_eq!(versions.latest_rollout().unwrap().status(), second.status());
}

/// A gate that never answers, or panics.
struct Broken {
    hangs: bool,
}

impl HealthGate for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn judge<'a>(&'a self, _: &'a Evidence) -> Judging<'a> {
        match self.hangs {
            true => Box::pin(std::future::pending()),
            false => panic!("a gate that panics"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_hangs_or_panics_is_no_pass_and_holds_back_no_command() {
    for hangs in [true, false] {
        let runtime = runtime(&[0, 1]).await;
        let rollout = begin(&runtime, RolloutPlan::blue_green().gate(Broken { hangs })).await;
        let status = rollout.until(|s| matches!(s.verdict, Verdict::Error(_))).await;
        assert_eq!(status.phase, RolloutPhase::Step(0), "{status:?}");
        let began = tokio::time::Instant::now();
        rollout.abort().reason("enough").await.unwrap();
        assert!(began.elapsed() < SECOND);
        assert_eq!(rollout.ended().await, RolloutEnd::Aborted("enough".into()));
        assert!(is_reverted(&runtime, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_rollouts_and_refusals_change_nothing() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let gone = versions.rollout(9, RolloutPlan::blue_green()).await;
    assert!(matches!(gone, Err(RolloutError::Refused(VersionError::UnknownVersion { .. }))));
    assert!(versions.latest_rollout().is_none());
    let rollout = begin(&runtime, RolloutPlan::blue_green()).await;
    let _ = runtime.shutdown(SECOND).await;
    assert_eq!(rollout.ended().await, RolloutEnd::ShutDown);
    assert!(matches!(rollout.pause().await, Err(RolloutError::Ended { .. })));
}

fn unclear() -> RolloutPlan {
    RolloutPlan::blue_green().probe("unclear", || async { Verdict::inconclusive("") })
}

#[tokio::test(start_paused = true)]
async fn a_refused_rollout_leaves_the_one_under_way_alone() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let first = begin(&runtime, unclear()).await;
    let refused = versions.rollout(9, unclear()).supersede().await;
    assert!(matches!(refused, Err(RolloutError::Refused(_))), "{refused:?}");
    tokio::time::sleep(SECOND).await;
    assert_eq!(first.status().phase, RolloutPhase::Step(0));
    let step = Step::manual(Weight::percent(30));
    let second = versions.rollout(2, RolloutPlan::steps([step])).supersede().await.unwrap();
    assert!(matches!(first.ended().await, RolloutEnd::Superseded(_)));
    assert_eq!(second.status().phase, RolloutPhase::Step(0), "the same version by another plan");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_right_is_refused() {
    let runtime = runtime(&[0, 1]).await;
    let minute = 60 * SECOND;
    for plan in [
        RolloutPlan::blue_green().gate(RunGate::failure_rate(5.0)),
        RolloutPlan::blue_green().gate(RunGate::failure_rate(f64::NAN)),
        RolloutPlan::blue_green().gate(RunGate::not_worse(0.0)),
        RolloutPlan::blue_green().gate(RunGate::not_worse(1.0)),
        RolloutPlan::blue_green().gate(RunGate::latency(SECOND, -0.1)),
        RolloutPlan::blue_green().bake(minute).deadline(minute),
    ] {
        let refused = runtime.versions("g").rollout(2, plan).await;
        assert!(matches!(refused, Err(RolloutError::InvalidPlan { .. })), "{refused:?}");
    }
    assert!(runtime.versions("g").latest_rollout().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_begun_and_dropped_is_watched_all_the_same() {
    let runtime = runtime(&[0, 1]).await;
    let bad = RolloutPlan::steps([Step::manual(Weight::percent(50))])
        .probe("bad", || async { Verdict::fail("bad") });
    let versions = runtime.versions("g");
    let mut begin = Box::pin(std::future::IntoFuture::into_future(versions.rollout(2, bad)));
    assert!(futures_util::poll!(&mut begin).is_pending());
    drop(begin);
    tokio::time::sleep(60 * SECOND).await;
    assert!(is_reverted(&runtime, 2), "its gate was asked");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_changes_between_two_looks_stays() {
    for by_hand in 0..4 {
        let runtime = runtime(&[0, 1, 2]).await;
        let versions = runtime.versions("g");
        let steps = [Step::manual(Weight::percent(10)), Step::manual(Weight::percent(60))];
        let plan = RolloutPlan::steps(steps).check_every(600 * SECOND);
        let rollout = versions.rollout(2, plan).await.unwrap();
        match by_hand {
            0 => versions.promote(3).await.unwrap(),
            1 => versions.promote(2).await.unwrap(),
            2 => versions.clear_canary().await.unwrap(),
            _ => versions.set_canary(2, Weight::percent(1)).await.unwrap(),
        };
        let before = versions.labels();
        let refused = if by_hand == 1 { rollout.abort().await } else { rollout.skip().await };
        assert!(
            matches!(refused, Err(RolloutError::Refused(VersionError::LabelChanged { .. }))),
            "{refused:?}"
        );
        assert!(matches!(rollout.ended().await, RolloutEnd::Superseded(_)));
        assert_eq!(versions.labels(), before);
        assert!(!is_reverted(&runtime, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_worse_after_its_promotion_goes_back() {
    let runtime = runtime(&[5, 6]).await;
    let step = Step::hold(Weight::percent(50), SECOND);
    let plan = RolloutPlan::steps([step]).gate(RunGate::not_worse(0.01));
    let rollout = begin(&runtime, plan.promote_after(Duration::ZERO)).await;
    for item in 0..4_000_u64 {
        let bad = if rollout.status().phase == RolloutPhase::Baking { 90 } else { 5 };
        let inputs = Value::object([("item", item), ("bad", bad)]);
        let _ = runtime.start("g", inputs).run().await.unwrap();
        tokio::time::sleep(SECOND / 100).await;
    }
    let end = rollout.ended().await;
    assert!(matches!(&end, RolloutEnd::RolledBack(why) if why.contains("not worse")), "{end:?}");
    assert_eq!(active(&runtime), 1);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_revoked_while_it_bakes_goes_back() {
    let runtime = runtime(&[0, 1]).await;
    let rollout = begin(&runtime, RolloutPlan::blue_green().promote_after(Duration::ZERO)).await;
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    runtime.versions("g").revoke(2).await.unwrap();
    assert!(matches!(rollout.ended().await, RolloutEnd::RolledBack(_)));
    assert_eq!(active(&runtime), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_promotion_is_told_and_tried_again() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let rollout = begin(&runtime, RolloutPlan::blue_green().promote_after(SECOND)).await;
    let policy = LabelPolicy::default().require_approval(Compatibility::Compatible);
    versions.set_policy(policy).await.unwrap();
    let status = rollout.until(|status| status.refused.is_some()).await;
    assert_eq!(status.phase, RolloutPhase::AwaitingPromotion, "{status:?}");
    versions.approve(2).await.unwrap();
    rollout.until(|status| status.phase == RolloutPhase::Baking).await;
    assert_eq!(active(&runtime), 2);
}

#[tokio::test(start_paused = true)]
async fn a_manual_retry_is_not_another_run() {
    let runtime = runtime(&[0, 100]).await;
    let plan = RolloutPlan::blue_green().gate(RunGate::failures_in_a_row(3));
    let rollout = begin(&runtime, plan).await;
    let run = runtime.start("g", Value::Null).version(VersionNumber(2)).await.unwrap();
    assert!(!run.outcome().await.is_success());
    for retry in 0..5 {
        run.retry_failed(retry.to_string()).await.unwrap();
        assert!(!run.outcome().await.is_success());
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(rollout.status().phase, RolloutPhase::AwaitingPromotion);
}
