//! What is done with rollouts is on record, and so is what they do by themselves.

use std::time::Duration;

use hotgraph::{
    AuditQuery, AuditRecord, Refusal, RolloutError, RolloutPhase, RolloutPlan, Runtime, Step,
    Verdict, VersionError, Weight,
};

use crate::rollouts::{begin, runtime};

const SECOND: Duration = Duration::from_secs(1);

/// A record in words, without the label: who did what, and whether it was refused.
fn words(record: &AuditRecord) -> String {
    let by = record.note.by.as_deref().unwrap_or("nobody");
    let by = if record.note.is_automatic { format!("rollout of {by}") } else { by.to_owned() };
    let refused = if record.outcome.is_err() { ", refused" } else { "" };
    format!("{by}: {}{refused}", record.command.replace(" on default/g:default", ""))
}

/// What was put on record since a number.
fn said(runtime: &Runtime, since: u64) -> Vec<String> {
    assert_eq!(runtime.fold_audit(), runtime.routing(), "the log adds up to the routing");
    runtime.audit(&AuditQuery::default().after(since)).iter().map(|record| words(record)).collect()
}

/// The number of the last record.
fn last(runtime: &Runtime) -> u64 {
    runtime.audit(&AuditQuery::default()).last().unwrap().seq
}

#[tokio::test(start_paused = true)]
async fn every_order_to_a_rollout_is_on_record_accepted_or_refused() {
    let runtime = runtime(&[0, 1]).await;
    let since = last(&runtime);
    let steps = [Step::manual(Weight::percent(1)), Step::manual(Weight::percent(50))];
    let plan = RolloutPlan::steps(steps).confirm_within(600 * SECOND).bake(SECOND);
    let rollout = begin(&runtime, plan).await;
    rollout.promote().by("bob").await.unwrap_err();
    rollout.pause().by("bob").reason("lunch").await.unwrap();
    rollout.resume().by("bob").await.unwrap();
    rollout.skip().by("bob").await.unwrap();
    rollout.confirm().by("bob").await.unwrap_err();
    rollout.skip().by("bob").await.unwrap();
    rollout.until(|status| status.verdict == Verdict::Pass).await;
    rollout.promote().by("bob").await.unwrap();
    rollout.confirm().by("eve").await.unwrap();
    rollout.ended().await;
    let expected = [
        "ann: begin rollout of v2",
        "bob: promote rollout of v2, refused",
        "bob: pause rollout of v2",
        "bob: resume rollout of v2",
        "bob: skip rollout of v2",
        "bob: confirm rollout of v2, refused",
        "bob: skip rollout of v2",
        "bob: promote rollout of v2",
        "eve: confirm rollout of v2",
        "rollout of ann: end rollout of v2 as completed",
    ];
    assert_eq!(said(&runtime, since), expected);
    let refused = runtime.audit(&AuditQuery::default().by("bob").refused());
    let why = refused[0].outcome.as_ref().unwrap_err();
    assert!(matches!(why, Refusal::Rollout(RolloutError::NotAwaitingPromotion { .. })), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_a_rollout_does_by_itself_is_not_on_record_as_done_by_who_began_it() {
    let runtime = runtime(&[0, 1]).await;
    let since = last(&runtime);
    let began = tokio::time::Instant::now();
    let steps = [1, 50].map(|percent| Step::hold(Weight::percent(percent), SECOND));
    let plan = RolloutPlan::steps(steps).promote_after(SECOND).probe("up", move || async move {
        if began.elapsed() < 10 * SECOND { Verdict::Pass } else { Verdict::fail("down") }
    });
    begin(&runtime, plan).await.ended().await;
    let expected = [
        "ann: begin rollout of v2",
        "rollout of ann: set canary v2 at 50.00 %",
        "rollout of ann: promote v2",
        "rollout of ann: revert v2",
        "rollout of ann: end rollout of v2 as rolled back",
    ];
    assert_eq!(said(&runtime, since), expected);
    assert_eq!(runtime.audit(&AuditQuery::default().by("ann")).len(), 1);
    let automatic = runtime.audit(&AuditQuery::default().automatic());
    let notes: Vec<_> = automatic.iter().map(|record| record.note.to_string()).collect();
    let because = |why: &str| format!("by the rollout that was begun by ann, because: {why}");
    let down = because("up: down");
    let pass = because("every gate passes");
    assert_eq!(notes, [pass.clone(), pass, down.clone(), down]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_refused_or_ended_by_others_is_on_record() {
    let runtime = runtime(&[0, 1, 2]).await;
    let versions = runtime.versions("g");
    let since = last(&runtime);
    let plan = || RolloutPlan::steps([Step::manual(Weight::percent(10))]);
    versions.rollout(9, plan()).by("bob").await.unwrap_err();
    versions.rollout(2, plan().bake(SECOND).deadline(SECOND)).by("bob").await.unwrap_err();
    let first = begin(&runtime, plan()).await;
    versions.rollout(3, plan()).by("bob").await.unwrap_err();
    versions.rollout(3, plan()).by("bob").supersede().await.unwrap();
    first.pause().by("ann").await.unwrap_err();
    let third = versions.latest_rollout().unwrap();
    versions.clear_canary().by("eve").await.unwrap();
    third.pause().by("bob").await.unwrap_err();
    let fourth = begin(&runtime, plan()).await;
    fourth.until(|status| status.phase == RolloutPhase::Step(0)).await;
    let _ = runtime.shutdown(SECOND).await;
    let expected = [
        "bob: begin rollout of v9, refused",
        "bob: begin rollout of v2, refused",
        "ann: begin rollout of v2",
        "bob: begin rollout of v3, refused",
        "bob: begin rollout of v3",
        "bob: end rollout of v2 as superseded",
        "ann: pause rollout of v2, refused",
        "eve: clear canary",
        "bob: pause rollout of v3, refused",
        "bob: end rollout of v3 as superseded",
        "ann: begin rollout of v2",
        "rollout of ann: end rollout of v2 as shut down",
    ];
    assert_eq!(said(&runtime, since), expected);
    let refused = runtime.audit(&AuditQuery::default().after(since).refused());
    let why: Vec<_> = refused.iter().map(|record| record.outcome.clone().unwrap_err()).collect();
    assert!(matches!(why[0], Refusal::Version(VersionError::UnknownVersion { .. })));
    assert!(matches!(why[1], Refusal::Rollout(RolloutError::InvalidPlan { .. })));
    assert!(matches!(why[2], Refusal::Rollout(RolloutError::RolloutInProgress { .. })));
    assert!(matches!(why[3], Refusal::Rollout(RolloutError::Ended { .. })));
    assert!(matches!(why[4], Refusal::Version(VersionError::LabelChanged { .. })));
}
