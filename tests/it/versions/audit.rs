//! Every command is on record, and the accepted ones add up to the routing.

use std::time::Duration;

use hotgraph::{
    AuditQuery, Compatibility, LabelPolicy, RollbackTarget, RolloutPlan, RoutingChange,
    VersionNumber, Weight,
};

use super::{graph, numbered, promoted, runtime, timed};

#[tokio::test]
async fn accepted_and_refused_commands_are_on_record() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).by("ann").request_id("r1").await.unwrap();
    versions.promote(2).by("bob").reason("it is time").await.unwrap();
    versions.promote(9).by("bob").await.unwrap_err();
    runtime.publish(graph("other", 1).build()).by("ann").await.unwrap();
    let all = runtime.audit(&AuditQuery::default());
    assert_eq!(all.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let said = |query: AuditQuery| -> Vec<_> {
        runtime.audit(&query).iter().map(|record| record.command.clone()).collect()
    };
    let promote = |v: u64| format!("promote v{v} on default/g:default");
    assert_eq!(said(AuditQuery::default().by("bob")), [promote(2), promote(9)]);
    assert_eq!(said(AuditQuery::default().refused()), [promote(9)]);
    assert_eq!(said(AuditQuery::default().graph("other")), ["publish default/other"]);
    assert_eq!(said(AuditQuery::default().accepted().after(1).limit(2)).len(), 2);
    let record = &all[2];
    assert_eq!(record.note.reason.as_deref(), Some("it is time"));
    assert_eq!(all[1].request_id.as_deref(), Some("r1"));
    assert_eq!((record.revision_before, record.revision_after), (2, 3));
    let changes = record.outcome.as_ref().unwrap();
    let routed = changes.iter().find_map(|change| match change {
        RoutingChange::Label { view, .. } => view.as_ref()?.active,
        _ => None,
    });
    assert_eq!(routed, Some(VersionNumber(2)));
}

#[tokio::test]
async fn a_record_is_one_line_for_people() {
    let (runtime, clock) = timed().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    // The last second of February in a leap year.
    clock.advance(Duration::from_millis(1_709_251_199_250));
    versions.hold(1).by("ann").reason("for the\nauditors").await.unwrap();
    versions.promote(9).by("bob").await.unwrap_err();
    runtime.publish(numbered(2)).await.unwrap();
    versions.set_policy(LabelPolicy::default().reject_breaking()).await.unwrap();
    versions.judge(2, 1, Compatibility::Breaking).await.unwrap();
    versions.promote(1).await.unwrap_err();
    let records = runtime.audit(&AuditQuery::default());
    let lines: Vec<_> = records.iter().map(ToString::to_string).collect();
    let told = [
        "#2 1970-01-01T00:00:00.000Z [revision 2] publish and promote default/g -> v2 by nobody named",
        "#3 2024-02-29T23:59:59.250Z [revision 3] hold version v1 of default/g by ann, because: for the auditors",
        "#4 2024-02-29T23:59:59.250Z [refused] promote v9 on default/g:default by bob: graph `default/g` has no version v9",
        "#5 2024-02-29T23:59:59.250Z [no change] publish default/g -> v2 by nobody named",
    ];
    assert_eq!(lines[1..5], told);
    assert!(lines.iter().all(|line| line.lines().count() == 1), "{lines:#?}");
    assert!(lines[7].contains("takes no breaking version: v2 -> v1"), "{}", lines[7]);
    versions.rollback(RollbackTarget::Previous).by("ann").await.unwrap();
    let back = runtime.audit(&AuditQuery::default()).pop().unwrap();
    assert_eq!(back.version, Some(VersionNumber(1)));
    assert!(back.to_string().contains("rollback to Previous on default/g:default -> v1 by ann"));
}

#[tokio::test]
async fn a_page_of_the_log_is_taken_from_either_end() {
    let runtime = runtime().await;
    promoted(&runtime, 6).await;
    let numbers = |query: AuditQuery| -> Vec<_> {
        runtime.audit(&query).iter().map(|record| record.seq).collect()
    };
    let all = AuditQuery::default;
    assert_eq!(numbers(all().limit(2)), [5, 6], "the latest ones, oldest first");
    assert_eq!(numbers(all().limit(2).before(5)), [3, 4]);
    assert_eq!(numbers(all().limit(2).before(1)), [0_u64; 0]);
    assert_eq!(numbers(all().limit(2).after(0)), [1, 2], "the first ones after");
    assert_eq!(numbers(all().limit(2).after(2)), [3, 4]);
    assert_eq!(numbers(all().after(2).before(5)), [3, 4]);
    assert_eq!(numbers(all().limit(0)), [0_u64; 0]);
    assert_eq!(numbers(all().limit(9)).len(), 6);
}

#[tokio::test]
async fn every_record_reaches_a_subscriber_in_order() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let mut records = runtime.audit_events();
    versions.promote(1).request_id("r").await.unwrap();
    versions.promote(9).await.unwrap_err();
    versions.promote(1).request_id("r").await.unwrap();
    runtime.publish(numbered(2)).await.unwrap();
    let expected = runtime.audit(&AuditQuery::default().after(2));
    assert_eq!(expected.len(), 3, "a repeat is not put on record");
    for record in &expected {
        assert_eq!(records.next().await.unwrap().unwrap(), *record);
    }
    assert!(records.try_next().is_none());
    // One that reads too slowly is told how many it has lost, and goes on with the oldest left.
    for _ in 0..5_000 {
        versions.hold(9).await.unwrap_err();
    }
    let lost = records.next().await.unwrap().unwrap_err();
    assert_eq!(records.next().await.unwrap().unwrap().seq, 6 + lost.0);
    let mut left = 1;
    while let Some(record) = records.try_next() {
        record.unwrap();
        left += 1;
    }
    assert_eq!(lost.0 + left, 5_000);
    assert!(runtime.shutdown(std::time::Duration::ZERO).await.cancelled.is_empty());
    drop((runtime, versions));
    assert!(records.next().await.is_none(), "no more can come");
}

#[tokio::test]
async fn a_command_that_changes_nothing_does_not_grow_the_revision() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    let revision = runtime.routing().revision;
    let again = runtime.publish_and_promote(numbered(1)).await.unwrap();
    assert_eq!((again.revision, again.created), (revision, false));
    runtime.versions("g").collect().await.unwrap();
    assert_eq!(runtime.routing().revision, revision);
    assert_eq!(runtime.audit(&AuditQuery::default()).len(), 3);
}

#[tokio::test]
async fn the_audit_log_adds_up_to_the_routing() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 3).await;
    runtime.publish(numbered(4)).tag("new").await.unwrap();
    let commands = [
        versions.set_canary(4, Weight::percent(5)),
        versions.label("beta").promote(1),
        versions.label("beta").promote(2),
        versions.hold(1),
        versions.tag(2, "stable"),
        versions.judge(1, 2, Compatibility::Breaking),
        versions.approve(3),
        versions.set_policy(LabelPolicy::default().reject_breaking()),
        versions.label("beta").remove_label(),
        versions.retire(2),
        versions.revoke(1),
    ];
    for command in commands {
        command.await.unwrap();
        assert_eq!(runtime.fold_audit(), runtime.routing());
    }
    versions.rollback(RollbackTarget::Previous).await.unwrap();
    versions.promote(9).await.unwrap_err();
    assert_eq!(runtime.fold_audit(), runtime.routing());
    assert!(runtime.fold_audit().graphs[&"g".into()].retired.contains(&VersionNumber(2)));
}

#[tokio::test]
async fn the_log_forgets_old_records_and_not_what_they_add_up_to() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    for round in 0..5_010_u64 {
        versions.promote(1 + round % 2).await.unwrap();
        versions.hold(9).await.unwrap_err();
    }
    let records = runtime.audit(&AuditQuery::default());
    assert_eq!(records.len(), 10_000);
    assert_eq!(records[0].seq, 2 + 10_020 - 10_000 + 1);
    assert_eq!(runtime.fold_audit(), runtime.routing());
}

#[tokio::test(start_paused = true)]
async fn what_a_rollout_is_told_and_refused_reaches_a_subscriber_too() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    let mut records = runtime.audit_events();
    let rollout = versions.rollout(2, RolloutPlan::blue_green()).by("ann").await.unwrap();
    versions.rollout(2, RolloutPlan::blue_green()).by("bob").await.unwrap_err();
    rollout.abort().by("bob").await.unwrap();
    rollout.ended().await;
    let expected = runtime.audit(&AuditQuery::default().after(2));
    assert!(expected.iter().any(|record| record.outcome.is_err()), "{expected:#?}");
    for record in &expected {
        assert_eq!(records.next().await.unwrap().unwrap(), *record);
    }
    assert!(records.try_next().is_none());
}
