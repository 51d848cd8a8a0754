//! Every command is on record, and the accepted ones add up to the routing.

use hotgraph::{
    AuditQuery, Compatibility, LabelPolicy, RollbackTarget, RoutingChange, VersionNumber, Weight,
};

use super::{graph, numbered, promoted, runtime};

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
