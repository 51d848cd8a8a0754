//! Commands on rollouts that are given again, or that are meant for a routing that has gone on.

use std::time::Duration;

use hotgraph::{
    Rollout, RolloutEnd, RolloutError, RolloutPhase, RolloutPlan, Runtime, Step, VersionError,
    Weight,
};

use crate::rollouts::runtime;

const SECOND: Duration = Duration::from_secs(1);

/// A plan of two steps that somebody has to skip.
fn by_hand() -> RolloutPlan {
    RolloutPlan::steps([Step::manual(Weight::percent(5)), Step::manual(Weight::percent(50))])
}

async fn begin(runtime: &Runtime) -> Rollout {
    runtime.versions("g").rollout(2, by_hand()).request_id("begin").await.unwrap()
}

fn records(runtime: &Runtime) -> usize {
    runtime.audit(&Default::default()).len()
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_is_given_again_gives_the_rollout_that_was_begun() {
    let runtime = runtime(&[0, 1]).await;
    let first = begin(&runtime).await;
    let before = records(&runtime);
    let again = begin(&runtime).await;
    assert_eq!(records(&runtime), before, "nothing was begun");
    again.skip().await.unwrap();
    assert_eq!(first.status().phase, RolloutPhase::Step(1), "it is the same rollout");
    first.abort().reason("enough").await.unwrap();
    let next = runtime.versions("g").clear_reverted(2).await;
    next.unwrap();
    let other = runtime.versions("g").rollout(2, by_hand()).await.unwrap();
    let again = begin(&runtime).await;
    assert_eq!(again.ended().await, RolloutEnd::Aborted("enough".into()), "not the latest one");
    assert_eq!(other.status().phase, RolloutPhase::Step(0));
    let plan = by_hand().bake(SECOND);
    let taken = runtime.versions("g").rollout(2, plan).request_id("begin").await.unwrap_err();
    assert!(matches!(taken, RolloutError::Refused(VersionError::RequestIdTaken { .. })), "{taken}");
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_was_refused_is_refused_again() {
    let runtime = runtime(&[0, 1]).await;
    let rollout = runtime.versions("g").rollout(2, by_hand()).await.unwrap();
    let again = || async {
        let begin = runtime.versions("g").rollout(2, by_hand()).request_id("busy");
        begin.await.unwrap_err()
    };
    let refused = again().await;
    assert!(matches!(refused, RolloutError::RolloutInProgress { .. }), "{refused}");
    rollout.abort().await.unwrap();
    assert_eq!(again().await, refused, "the label is free by now");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_given_again_gives_the_recorded_result_whatever_happened_since() {
    let runtime = runtime(&[0, 1]).await;
    let rollout = begin(&runtime).await;
    rollout.pause().request_id("pause").await.unwrap();
    rollout.resume().await.unwrap();
    rollout.pause().request_id("pause").await.unwrap();
    assert!(!rollout.status().is_paused, "it was resumed since");
    let early = rollout.promote().request_id("promote").await.unwrap_err();
    assert!(matches!(early, RolloutError::NotAwaitingPromotion { .. }), "{early}");
    rollout.skip().request_id("skip").await.unwrap();
    rollout.skip().request_id("skip").await.unwrap();
    assert_eq!(rollout.status().phase, RolloutPhase::Step(1), "it was one skip");
    rollout.skip().await.unwrap();
    assert_eq!(rollout.promote().request_id("promote").await.unwrap_err(), early);
    let taken = rollout.abort().request_id("pause").await.unwrap_err();
    assert!(matches!(taken, RolloutError::Refused(VersionError::RequestIdTaken { .. })), "{taken}");
    assert_eq!(rollout.status().phase, RolloutPhase::AwaitingPromotion, "nothing has changed");
    rollout.abort().request_id("abort").reason("enough").await.unwrap();
    let before = records(&runtime);
    rollout.abort().request_id("abort").await.unwrap();
    assert_eq!(records(&runtime), before);
    assert_eq!(rollout.ended().await, RolloutEnd::Aborted("enough".into()));
}

#[tokio::test(start_paused = true)]
async fn commands_on_rollouts_for_another_revision_say_what_they_found() {
    let runtime = runtime(&[0, 1]).await;
    let old = runtime.routing().revision;
    let versions = runtime.versions("g");
    versions.tag(1, "stable").by("bea").await.unwrap();
    let found = |refused: RolloutError| match refused {
        RolloutError::Refused(VersionError::Conflict { expected, found, last }) => {
            assert_eq!(expected, old);
            (found, last.unwrap().command)
        }
        other => panic!("{other}"),
    };
    let refused = versions.rollout(2, by_hand()).if_revision(old).await.unwrap_err();
    let (revision, last) = found(refused);
    assert_eq!((revision, last.as_str()), (old + 1, "tag as `stable` version v1 of default/g"));
    let rollout = versions.rollout(2, by_hand()).if_revision(revision).await.unwrap();
    for order in [rollout.promote(), rollout.abort(), rollout.pause(), rollout.skip()] {
        let (found, last) = found(order.if_revision(old).await.unwrap_err());
        assert_eq!(
            (found, last.as_str()),
            (revision + 1, "begin rollout of v2 on default/g:default")
        );
    }
    assert_eq!(rollout.status().phase, RolloutPhase::Step(0), "nothing has changed");
    rollout.abort().if_revision(revision + 1).request_id("abort").await.unwrap();
}
