//! What a refused rollout says: where, then why.

use std::time::Duration;

use hotgraph::{RolloutEnd, RolloutError, RolloutPlan, Step, Verdict, VersionError, Weight};

use crate::rollouts::{begin, runtime};

const SECOND: Duration = Duration::from_secs(1);
const OF: &str = "label `default` of graph `default/g`, version v2: ";

/// A plan that promotes at once, and goes back as soon as the version is live.
fn unfit() -> RolloutPlan {
    let began = tokio::time::Instant::now();
    RolloutPlan::blue_green().promote_after(Duration::ZERO).probe("live", move || async move {
        if began.elapsed() < 2 * SECOND { Verdict::Pass } else { Verdict::fail("down") }
    })
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_graph_label_and_version_before_why() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let said = |refused: RolloutError| refused.to_string().strip_prefix(OF).unwrap().to_owned();
    let late = RolloutPlan::blue_green().bake(SECOND).deadline(SECOND);
    let invalid = versions.rollout(2, late).await.unwrap_err();
    assert!(said(invalid).starts_with("the plan cannot be carried out: its deadline"));
    let unclear = || Verdict::inconclusive("starting");
    let step = Step::manual(Weight::percent(5));
    let plan = RolloutPlan::steps([step]).probe("up", move || async move { unclear() });
    let rollout = begin(&runtime, plan.clone()).await;
    let busy = versions.rollout(2, plan).await.unwrap_err();
    assert_eq!(said(busy), "the label is trying version v2");
    let early = rollout.promote().await.unwrap_err();
    assert_eq!(said(early), "no promotion is awaited: the rollout is at step 1");
    let early = rollout.confirm().await.unwrap_err();
    assert_eq!(said(early), "no confirmation is awaited, or no longer: the rollout is at step 1");
    rollout.until(|status| matches!(status.verdict, Verdict::Inconclusive(_))).await;
    tokio::time::sleep(SECOND).await;
    rollout.skip().await.unwrap();
    let unhealthy = rollout.promote().await.unwrap_err();
    assert_eq!(said(unhealthy), "the version is not healthy: inconclusive: up: starting");
    let no_step = rollout.skip().await.unwrap_err();
    assert_eq!(said(no_step), "there is no step to skip: the rollout is awaiting promotion");
    rollout.abort().reason("enough").await.unwrap();
    let over = rollout.pause().await.unwrap_err();
    assert_eq!(said(over), "the rollout has ended: aborted: enough");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_come_to_its_end_is_refused() {
    let runtime = runtime(&[0, 1]).await;
    let hold = |percent| Step::hold(Weight::percent(percent), 10 * SECOND);
    let steps = || RolloutPlan::steps([hold(5), hold(5), hold(50)]).bake(5 * SECOND);
    let late = |within: Duration| steps().promote_after(SECOND).deadline(within);
    for (plan, why) in [
        (steps().confirm_within(Duration::ZERO), "nobody can confirm it within 0 ms"),
        (
            RolloutPlan::steps([hold(5), hold(50), hold(20)]),
            "step 3 has a smaller share than the one before it",
        ),
        (
            late(36 * SECOND),
            "its deadline of 36000 ms is over before it was held for 31000 ms and watched for 5000 ms",
        ),
        (
            late(36 * SECOND).confirm_within(9 * SECOND),
            "its deadline of 36000 ms is over before it was held for 31000 ms and watched for 9000 ms",
        ),
    ] {
        let refused = runtime.versions("g").rollout(2, plan).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("{OF}the plan cannot be carried out: {why}"));
    }
    let _ = begin(&runtime, late(37 * SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn a_label_that_cools_down_says_for_how_long_and_an_unknown_version_is_told_before() {
    let runtime = runtime(&[0, 1]).await;
    let versions = runtime.versions("g");
    let end = begin(&runtime, unfit()).await.ended().await;
    assert!(matches!(end, RolloutEnd::RolledBack(_)), "{end:?}");
    tokio::time::sleep(20 * SECOND).await;
    let cooling = versions.rollout(2, unfit()).await.unwrap_err();
    assert!(matches!(cooling, RolloutError::CoolingDown { left, .. } if left == 40 * SECOND));
    let text = format!("{OF}the label went back by itself, and cools down for another 40.0s");
    assert_eq!(cooling.to_string(), text);
    let unknown = versions.rollout(9, unfit()).await.unwrap_err();
    let refused = RolloutError::Refused(VersionError::UnknownVersion {
        graph: "g".into(),
        version: 9.into(),
    });
    assert_eq!(unknown, refused, "no waiting mends it");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_a_shutdown_ends_was_not_superseded() {
    let runtime = runtime(&[0, 1]).await;
    let rollout = begin(&runtime, RolloutPlan::blue_green()).await;
    let _ = runtime.shutdown(SECOND).await;
    assert_eq!(rollout.ended().await, RolloutEnd::ShutDown);
    let over = rollout.pause().await.unwrap_err();
    assert_eq!(over.to_string(), format!("{OF}the rollout has ended: shut down"));
}
