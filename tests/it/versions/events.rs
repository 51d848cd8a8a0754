//! Whoever watches a runtime is told of every transition of its versions and rollouts, in order.

use std::time::Duration;

use hotgraph::{
    Compatibility, Event, EventKind, EventStream, LabelPolicy, RollbackTarget, RolloutPlan,
    Runtime, Step, Value, VersionNumber, Weight,
};
use serde_json::{Map, json};

use super::{FOREVER, graph, held, numbered, promoted, runtime};

/// An event in words: its version, what happened, to which label, and the data that came with it.
fn words(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap();
    let mut fields: Map<_, _> = json.as_object().unwrap().clone();
    let mut words: Vec<_> = ["version", "kind", "change", "label"]
        .into_iter()
        .filter_map(|name| fields.remove(name).filter(|value| !value.is_null()))
        .map(|value| value.as_str().map_or_else(|| format!("v{value}"), str::to_owned))
        .collect();
    words.retain(|word| word != "routing");
    for name in ["from", "weight", "tag", "level", "phase"] {
        if let Some(value) = fields.remove(name) {
            words.push(format!("{name}={value}"));
        }
    }
    if fields.get("is_paused") == Some(&json!(true)) {
        words.push("paused".into());
    }
    words.join(" ").replace('"', "")
}

/// What has been told about versions since the last time.
fn told(events: &mut EventStream) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = events.try_next() {
        let event = event.unwrap();
        if event.run.is_none() {
            told.push(words(&event));
        }
    }
    told
}

#[tokio::test]
async fn labels_tell_where_they_lead() {
    let runtime = runtime().await;
    let (versions, mut events) = (runtime.versions("g"), runtime.events());
    runtime.publish(numbered(1)).await.unwrap();
    assert_eq!(told(&mut events), ["v1 published"]);
    versions.promote(1).await.unwrap();
    assert_eq!(told(&mut events), ["v1 promoted default from=null"]);
    runtime.publish_and_promote(numbered(2)).tag("stable").await.unwrap();
    let expected =
        ["v2 published", "v2 tagged tag=stable", "v2 promoted default from=1", "v1 drained"];
    assert_eq!(told(&mut events), expected);
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    assert!(told(&mut events).is_empty(), "nothing has changed");
    runtime.publish(numbered(3)).await.unwrap();
    versions.set_canary(3, Weight::percent(5)).await.unwrap();
    versions.set_canary(3, Weight::percent(9)).await.unwrap();
    versions.set_canary(1, Weight::percent(9)).await.unwrap();
    versions.clear_canary().await.unwrap();
    let expected = [
        "v3 published",
        "v3 canary_set default weight=500",
        "v3 canary_set default weight=900",
        "v3 canary_cleared default",
        "v1 canary_set default weight=900",
        "v3 drained",
        "v1 canary_cleared default",
        "v1 drained",
    ];
    assert_eq!(told(&mut events), expected);
    versions.set_canary(3, Weight::percent(5)).await.unwrap();
    versions.promote(3).await.unwrap();
    let expected = ["v3 canary_set default weight=500", "v3 promoted default from=2", "v2 drained"];
    assert_eq!(told(&mut events), expected, "a canary that is promoted was not cleared");
    versions.set_canary(1, Weight::percent(5)).await.unwrap();
    versions.rollback(RollbackTarget::Exact(VersionNumber(2))).await.unwrap();
    let expected = [
        "v1 canary_set default weight=500",
        "v1 canary_cleared default",
        "v2 rolled_back default from=3",
        "v1 drained",
        "v3 drained",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test]
async fn other_labels_releases_and_policies_are_told_of() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    runtime.publish(graph("other", 1).build()).await.unwrap();
    let (versions, mut events) = (runtime.versions("g"), runtime.events());
    let beta = versions.label("beta");
    beta.set_policy(LabelPolicy::default().reject_breaking()).await.unwrap();
    versions.label("empty").set_policy(LabelPolicy::default()).await.unwrap();
    assert_eq!(told(&mut events), ["policy_set beta", "policy_set empty"]);
    runtime.release([("g", "beta", 1), ("other", "default", 1)]).await.unwrap();
    let release = ["v1 promoted beta from=null", "v1 promoted default from=null"];
    assert_eq!(told(&mut events), release);
    beta.set_canary(2, Weight::percent(1)).await.unwrap();
    beta.remove_label().await.unwrap();
    let expected = [
        "v2 canary_set beta weight=100",
        "v2 canary_cleared beta",
        "v1 label_removed beta",
        "v1 drained",
    ];
    assert_eq!(told(&mut events), expected);
    let policy = LabelPolicy::default().require_approval(Compatibility::Compatible);
    versions.set_policy(policy).await.unwrap();
    runtime.publish(numbered(3)).await.unwrap();
    versions.approve(3).await.unwrap();
    versions.reject(3).await.unwrap();
    versions.judge(1, 2, Compatibility::Breaking).await.unwrap();
    let expected = [
        "v2 policy_set default",
        "v3 published",
        "v3 approval_asked",
        "v3 approved",
        "v3 rejected",
        "v2 judged from=1 level=BREAKING",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test]
async fn marks_and_the_end_are_told_of_and_refusals_are_not() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    runtime.publish(numbered(3)).await.unwrap();
    let (versions, mut events) = (runtime.versions("g"), runtime.events());
    let commands = [
        versions.hold(1),
        versions.release_hold(1),
        versions.tag(1, "stable"),
        versions.untag(1, "stable"),
        versions.set_canary(3, Weight::percent(5)),
    ];
    for command in commands {
        command.await.unwrap();
    }
    versions.rollback(RollbackTarget::LastProven).await.unwrap();
    versions.clear_reverted(3).await.unwrap();
    versions.set_canary(3, Weight::percent(5)).await.unwrap();
    for command in [versions.revoke(3), versions.retire(3)] {
        command.await.unwrap();
    }
    for refused in [versions.promote(9), versions.retire(2), versions.release_hold(1)] {
        refused.await.unwrap_err();
    }
    let expected = [
        "v1 held",
        "v1 hold_released",
        "v1 tagged tag=stable",
        "v1 untagged tag=stable",
        "v3 canary_set default weight=500",
        "v3 canary_cleared default",
        "v3 reverted",
        "v3 drained",
        "v3 revert_cleared",
        "v3 canary_set default weight=500",
        "v3 revoked",
        "v3 canary_cleared default",
        "v3 drained",
        "v3 retired",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test]
async fn retention_tells_what_it_gives_up() {
    let retention = hotgraph::Retention::default().keep_last(1).keep_proven(0);
    let retention = retention.min_age(Duration::ZERO);
    let runtime = super::builder().version_retention(retention).build().await.unwrap();
    promoted(&runtime, 2).await;
    let mut events = runtime.events();
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(told(&mut events), ["v1 retired"]);
}

#[tokio::test]
async fn an_event_says_who_why_and_at_which_revision() {
    let (runtime, clock) = super::timed().await;
    let mut events = runtime.events();
    clock.advance(Duration::from_millis(7));
    runtime.publish(numbered(1)).by("ann").reason("it is time").await.unwrap();
    let event = events.try_next().unwrap().unwrap();
    let expected = json!({
        "sequence": 0, "at": 7000, "run": null, "graph": "default/g", "version": 1,
        "kind": "routing", "change": "published", "label": null,
        "by": "ann", "is_automatic": false, "reason": "it is time", "revision": 1,
    });
    assert_eq!(serde_json::to_value(&*event).unwrap(), expected);
}

/// Waits for the next event that is not a run's.
async fn next(events: &mut EventStream) -> String {
    loop {
        let event = events.next().await.unwrap().unwrap();
        if event.run.is_none() {
            return words(&event);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_is_told_of_as_drained_when_its_last_run_ends() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    let (versions, mut events) = (runtime.versions("g"), runtime.events());
    let runs = [held(&runtime, 1).await, held(&runtime, 1).await];
    versions.promote(2).await.unwrap();
    runs[0].cancel();
    runs[0].clone().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&mut events), ["v2 promoted default from=1"], "one run is left");
    runs[1].cancel();
    assert_eq!(next(&mut events).await, "v1 drained");
    // A run that names it later keeps it for a while, and is nothing new.
    let late = held(&runtime, 1).await;
    late.cancel();
    late.await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(told(&mut events).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_routed_to_again_drains_again() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let (versions, mut events) = (runtime.versions("g"), runtime.events());
    for _ in 0..3 {
        let run = held(&runtime, 1).await;
        versions.promote(1).await.unwrap();
        versions.promote(2).await.unwrap();
        versions.promote(1).await.unwrap();
        run.cancel();
        run.await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let expected = [
            "v1 promoted default from=2",
            "v2 drained",
            "v2 promoted default from=1",
            "v1 promoted default from=2",
            "v2 drained",
        ];
        assert_eq!(told(&mut events), expected, "a version with a route does not drain");
        let run = held(&runtime, 1).await;
        versions.promote(2).await.unwrap();
        run.cancel();
        run.await;
        // It has drained before the command that finds it so.
        versions.hold(1).await.unwrap();
        versions.release_hold(1).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let expected = ["v2 promoted default from=1", "v1 drained", "v1 held", "v1 hold_released"];
        assert_eq!(told(&mut events), expected);
    }
}

async fn rolled_out(runtime: &Runtime, plan: RolloutPlan) -> hotgraph::Rollout {
    runtime.versions("g").rollout(2, plan.check_every(Duration::from_secs(1))).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_rollout_tells_its_phases() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    let mut events = runtime.events();
    let steps = [Step::manual(Weight::percent(1)), Step::hold(Weight::percent(50), FOREVER / 2)];
    let rollout = rolled_out(&runtime, RolloutPlan::steps(steps)).await;
    rollout.pause().by("ann").await.unwrap();
    rollout.resume().await.unwrap();
    rollout.skip().await.unwrap();
    rollout.skip().await.unwrap();
    rollout.until(|status| status.verdict == hotgraph::Verdict::Pass).await;
    rollout.promote().by("bob").reason("looks good").await.unwrap();
    rollout.ended().await;
    let expected = [
        "v2 canary_set default weight=100",
        "v2 rollout default phase={step:0}",
        "v2 rollout default phase={step:0} paused",
        "v2 rollout default phase={step:0}",
        "v2 canary_set default weight=5000",
        "v2 rollout default phase={step:1}",
        "v2 rollout default phase=awaiting_promotion",
        "v2 promoted default from=1",
        "v1 drained",
        "v2 rollout default phase=baking",
        "v2 proven",
        "v2 rollout default phase={ended:completed}",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_says_who_ended_it_and_a_shutdown_ends_it_too() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    let plan = RolloutPlan::blue_green();
    let rollout = rolled_out(&runtime, plan.clone()).await;
    let mut events = runtime.events();
    rollout.abort().by("ann").reason("enough").await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.try_next() {
        seen.push(event.unwrap());
    }
    let expected = ["v2 canary_cleared default", "v2 reverted", "v2 drained"];
    assert_eq!(seen[..3].iter().map(|event| words(event)).collect::<Vec<_>>(), expected);
    let EventKind::Rollout(end) = &seen[3].kind else { panic!("{seen:?}") };
    assert_eq!((end.by.as_deref(), end.reason.as_deref()), (Some("ann"), Some("enough")));
    runtime.versions("g").clear_reverted(2).await.unwrap();
    let _rollout = rolled_out(&runtime, plan).await;
    told(&mut events);
    let _ = runtime.shutdown(Duration::ZERO).await;
    let expected = "v2 rollout default phase={ended:shut_down}";
    assert_eq!(told(&mut events), [expected]);
}

#[tokio::test]
async fn the_events_of_a_run_are_those_of_the_run_alone() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    let run = held_events(&runtime).await;
    assert!(run.iter().all(|event| event.run.is_some() && event.version.is_some()), "{run:?}");
    assert_eq!(run.last().unwrap().kind, EventKind::RunEnded { status: "CANCELLED" });
}

#[tokio::test]
async fn runs_take_no_place_from_the_events_of_versions() {
    let runtime = runtime().await;
    let (mut all, mut versions) = (runtime.events(), runtime.version_events());
    promoted(&runtime, 1).await;
    for _ in 0..2_000 {
        assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());
    }
    assert!(all.try_next().unwrap().is_err(), "too many events of runs");
    assert_eq!(told(&mut versions), ["v1 published", "v1 promoted default from=null"]);
}

/// What a run tells while versions change around it.
async fn held_events(runtime: &Runtime) -> Vec<std::sync::Arc<Event>> {
    let run = runtime.start("g", Value::Null).delay(FOREVER).await.unwrap();
    let mut events = run.events();
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    run.cancel();
    run.await;
    let mut seen = Vec::new();
    while let Some(event) = events.try_next() {
        seen.push(event.unwrap());
    }
    seen
}
