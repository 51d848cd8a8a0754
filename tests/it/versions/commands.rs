//! Publishing, promoting and retiring: statuses, manifests, terms, refusals.

use std::sync::Arc;

use hotgraph::{
    Graph, Handler, PublishError, RollbackTarget, StartError, Value, VersionError, VersionNumber,
    VersionStatus,
};

use super::{Number, active, builder, graph, held, numbered, promoted, refused, runtime, status};

#[tokio::test(start_paused = true)]
async fn a_version_goes_from_staged_to_retired() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    runtime.publish(numbered(2)).await.unwrap();
    assert_eq!(status(&runtime, 2), VersionStatus::Staged);
    let run = held(&runtime, 1).await;
    versions.promote(2).await.unwrap();
    assert_eq!(status(&runtime, 2), VersionStatus::Active { labels: vec!["default".into()] });
    let since = runtime.versions("g").get(1).unwrap().marks.unrouted_at.unwrap();
    assert_eq!(status(&runtime, 1), VersionStatus::Draining { live: 1, since });
    let gone = refused(&runtime, versions.retire(1)).await;
    let VersionError::InUse { live: 1, blockers, .. } = &gone else { panic!("{gone}") };
    assert_eq!(*blockers, [run.id()], "the runs in the way are named");
    run.cancel();
    run.await;
    assert!(matches!(status(&runtime, 1), VersionStatus::Drained { .. }));
    versions.retire(1).await.unwrap();
    assert_eq!(status(&runtime, 1), VersionStatus::Retired);
    assert_eq!(versions.list().len(), 1);
    let gone = refused(&runtime, versions.promote(1)).await;
    assert_eq!(gone, VersionError::VersionGone { graph: "g".into(), version: VersionNumber(1) });
}

#[tokio::test]
async fn a_version_that_retires_drops_its_handlers_and_keeps_its_manifest() {
    // A run that has ended and can still be read keeps what it ran on.
    let runtime = builder().keep_ended(0).build().await.unwrap();
    let owned = Arc::new(());
    let kept = owned.clone();
    let own = Handler::one("own", move |input: Number| {
        let _owned = kept.clone();
        async move { Ok(input) }
    });
    runtime.publish_and_promote(Graph::from(numbered(1)).bind("pass", own)).await.unwrap();
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());
    runtime.publish_and_promote(numbered(2)).await.unwrap();
    assert!(Arc::strong_count(&owned) > 1, "a version that is drained can be promoted again");
    runtime.versions("g").retire(1).await.unwrap();
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(runtime.versions("g").history(None, 9).len(), 2);
}

#[tokio::test]
async fn a_drained_version_can_be_activated_again() {
    let runtime = runtime().await;
    promoted(&runtime, 3).await;
    assert!(matches!(status(&runtime, 1), VersionStatus::Drained { .. }));
    runtime.versions("g").promote(1).await.unwrap();
    assert_eq!(active(&runtime), 1);
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());
    assert!(matches!(status(&runtime, 3), VersionStatus::Drained { .. }));
}

#[tokio::test]
async fn a_version_that_is_missing_never_becomes_another() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    runtime.versions("g").retire(1).await.unwrap();
    let start = |version| runtime.start("g", Value::Null).version(VersionNumber(version));
    let (graph, version) = ("g".into(), VersionNumber(1));
    assert_eq!(start(1).await.unwrap_err(), StartError::VersionGone { graph, version });
    let (graph, version) = ("g".into(), VersionNumber(3));
    assert_eq!(start(3).await.unwrap_err(), StartError::UnknownVersion { graph, version });
    assert_eq!(runtime.live_runs(), 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_data() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    let unknown = refused(&runtime, versions.promote(1)).await;
    assert_eq!(unknown, VersionError::UnknownGraph("g".into()));
    promoted(&runtime, 2).await;
    let unknown = refused(&runtime, versions.promote(9)).await;
    let expected = VersionError::UnknownVersion { graph: "g".into(), version: VersionNumber(9) };
    assert_eq!(unknown, expected);
    let again = refused(&runtime, versions.promote(2)).await;
    assert!(matches!(again, VersionError::AlreadyActive { .. }), "{again}");
    let routed = refused(&runtime, versions.retire(2)).await;
    let VersionError::StillRouted { labels, .. } = &routed else { panic!("{routed}") };
    assert_eq!(labels, &["default".into()]);
    versions.hold(1).by("ann").reason("audit").await.unwrap();
    let kept = refused(&runtime, versions.retire(1)).await;
    assert!(kept.to_string().ends_with("is held by ann, because: audit"), "{kept}");
    let twice = refused(&runtime, versions.hold(1)).await;
    assert!(matches!(twice, VersionError::IllegalTransition { state: "held", .. }), "{twice}");
    versions.release_hold(1).await.unwrap();
    for illegal in
        [versions.release_hold(1), versions.untag(1, "stable"), versions.clear_reverted(1)]
    {
        let error = refused(&runtime, illegal).await;
        assert!(matches!(error, VersionError::IllegalTransition { .. }), "{error}");
    }
    versions.retire(1).await.unwrap();
}

#[tokio::test]
async fn a_manifest_says_where_a_version_comes_from_and_outlives_it() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    let publish = runtime.publish(numbered(2)).by("ann").note("doubles").tag("stable");
    let published = publish.await.unwrap();
    versions.retire(2).await.unwrap();
    let manifest = versions.get(2).unwrap().manifest;
    assert_eq!((manifest.parent, manifest.depth), (Some(VersionNumber(1)), 1));
    assert_eq!(manifest.author.as_deref(), Some("ann"));
    assert_eq!(manifest.note.as_deref(), Some("doubles"));
    assert_eq!(manifest.tags.as_ref(), ["stable".into()]);
    assert_eq!(manifest.hash, published.hash);
    assert_eq!(manifest.document().nodes[0].inputs["n"], Value::from(2));
    // The same content again is another version: the first is gone.
    let again = runtime.publish(numbered(2)).await.unwrap();
    assert_eq!((again.version, again.created), (VersionNumber(3), true));
    assert_eq!(again.hash, published.hash);
}

#[tokio::test]
async fn history_comes_by_the_page_latest_first() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    assert!(versions.history(None, 3).is_empty());
    promoted(&runtime, 5).await;
    versions.retire(2).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = versions.history(before, 2);
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|manifest| manifest.number.0));
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    assert!(versions.history(Some(VersionNumber(0)), 2).is_empty());
    assert_eq!(versions.history(Some(VersionNumber(u64::MAX)), 1)[0].number, VersionNumber(5));
}

#[tokio::test]
async fn a_request_id_gives_the_recorded_answer() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    let first = versions.promote(1).request_id("r").await.unwrap();
    versions.promote(2).await.unwrap();
    assert_eq!(versions.promote(1).request_id("r").await.unwrap(), first);
    assert_eq!(active(&runtime), 2, "a repeat changes nothing");
    let refused = versions.promote(7).request_id("s").await.unwrap_err();
    for n in 3..8 {
        runtime.publish(numbered(n)).await.unwrap();
    }
    assert_eq!(versions.promote(7).request_id("s").await.unwrap_err(), refused);
    let published = runtime.publish(numbered(8)).request_id("t").await.unwrap();
    let again = runtime.publish(numbered(8)).request_id("t").await.unwrap();
    assert_eq!(again, published, "it says again that it was created");
}

#[tokio::test]
async fn a_request_id_belongs_to_one_command() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 2).await;
    versions.hold(1).request_id("r").await.unwrap();
    let taken = VersionError::RequestIdTaken { request_id: "r".into() };
    assert_eq!(refused(&runtime, versions.hold(2).request_id("r")).await, taken);
    let rollback = versions.rollback(RollbackTarget::Previous).request_id("r");
    assert_eq!(rollback.await.unwrap_err(), taken);
    let publish = runtime.publish(numbered(3)).request_id("r").await.unwrap_err();
    assert!(matches!(publish, PublishError::Version(error) if error == taken));
    runtime.publish(numbered(3)).request_id("s").await.unwrap();
    let other = runtime.publish(numbered(4)).request_id("s").await.unwrap_err();
    assert!(matches!(other, PublishError::Version(VersionError::RequestIdTaken { .. })));
    versions.hold(1).request_id("r").await.unwrap();
}

#[tokio::test]
async fn of_concurrent_compare_and_set_commands_one_wins() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 1).await;
    let revision = runtime.routing().revision;
    let attempts = (0..8).map(|n| {
        let publish = runtime.publish(numbered(10 + n)).by(format!("p{n}")).if_revision(revision);
        tokio::spawn(async move { publish.await })
    });
    let attempts: Vec<_> = attempts.collect();
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(PublishError::Version(VersionError::Conflict { expected, found, last })) => {
                assert_eq!((expected, found), (revision, revision + 1));
                let last = last.unwrap();
                assert!(last.command.starts_with("publish"), "{last:?}");
                assert!(last.note.by.as_ref().unwrap().starts_with('p'), "{last:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won, 1);
    let conflict = refused(&runtime, versions.promote(2).if_revision(revision)).await;
    assert!(matches!(conflict, VersionError::Conflict { .. }), "{conflict}");
    versions.promote(2).if_revision(revision + 1).await.unwrap();
}

#[tokio::test]
async fn a_publish_can_expect_a_head_and_a_hash() {
    let runtime = runtime().await;
    let first = runtime.publish(numbered(1)).if_head(0).await.unwrap();
    let late = runtime.publish(numbered(2)).if_head(0).await.unwrap_err();
    let PublishError::Version(VersionError::HeadMoved { found, .. }) = &late else {
        panic!("{late}")
    };
    assert_eq!(*found, VersionNumber(1));
    let other = runtime.publish(numbered(2)).if_hash(first.hash.unwrap()).await.unwrap_err();
    assert!(matches!(other, PublishError::Version(VersionError::HashDiffers { .. })), "{other}");
    let same = runtime.publish(numbered(1)).if_hash(first.hash.unwrap()).if_head(1).await.unwrap();
    assert!(!same.created);
    assert_eq!(same.revision, first.revision);
}

#[tokio::test]
async fn tags_are_given_and_taken() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    runtime.publish(numbered(1)).tag("old").await.unwrap();
    versions.tag(1, "stable").await.unwrap();
    versions.untag(1, "old").await.unwrap();
    let info = versions.get(1).unwrap();
    assert_eq!(info.marks.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["stable"]);
    assert_eq!(info.manifest.tags.as_ref(), ["old".into()], "a manifest never changes");
}

#[tokio::test]
async fn a_decision_says_how_a_run_came_to_its_version() {
    let runtime = runtime().await;
    promoted(&runtime, 2).await;
    let start = |version: Option<u64>| {
        let start = runtime.start("g", Value::Null);
        match version {
            Some(version) => start.version(VersionNumber(version)),
            None => start,
        }
    };
    let run = start(None).await.unwrap();
    assert_eq!(run.decision().to_string(), "v2, active on `default` (revision 2)");
    assert_eq!(*run.decision(), runtime.versions("g").explain(None).unwrap());
    let run = start(Some(1)).await.unwrap();
    assert_eq!(run.decision().to_string(), "v1, which was named (revision 2)");
    runtime.publish_and_promote(graph("other", 1).build()).await.unwrap();
    assert_eq!(start(None).await.unwrap().decision().revision, 3);
}
