//! Versions whose nodes run versions of other graphs.

use hotgraph::{
    Document, EventKind, NodeSpec, PublishError, StartRule, Value, VersionError, VersionNumber,
};

use super::{graph, promoted, refused, runtime};

fn parent(node: NodeSpec) -> Document {
    Document::builder("parent").node(node.input("n", 5)).build()
}

fn child() -> NodeSpec {
    NodeSpec::new("child").subgraph("g")
}

#[tokio::test]
async fn a_version_that_another_one_runs_does_not_retire() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish_and_promote(parent(child())).await.unwrap();
    runtime.publish_and_promote(super::numbered(2)).await.unwrap();
    let bound = runtime.versions("parent").get(1).unwrap().manifest.bindings.clone();
    assert_eq!(bound.as_ref(), [("g".into(), VersionNumber(1))]);
    let used = refused(&runtime, runtime.versions("g").retire(1)).await;
    let VersionError::InUse { live: 0, referenced_by, .. } = &used else { panic!("{used}") };
    assert_eq!(referenced_by, &[("parent".into(), VersionNumber(1))]);
    let expected = "version v1 of graph `default/g` is in use: nodes of `default/parent` v1";
    assert_eq!(used.to_string(), expected);
    runtime.publish_and_promote(parent(child())).await.unwrap();
    runtime.versions("parent").retire(1).await.unwrap();
    runtime.versions("g").retire(1).await.unwrap();
    let used = refused(&runtime, runtime.versions("g").retire(2)).await;
    assert!(matches!(used, VersionError::StillRouted { .. }), "{used}");
}

#[tokio::test]
async fn a_sub_graph_follows_a_label_at_publish_and_no_canary() {
    let runtime = runtime().await;
    let versions = runtime.versions("g");
    promoted(&runtime, 3).await;
    versions.label("beta").promote(2).await.unwrap();
    versions.set_canary(1, hotgraph::Weight::percent(100)).await.unwrap();
    for (node, expected) in [(child(), 3), (child().label("beta"), 2), (child().version(1), 1)] {
        let published = runtime.publish(parent(node)).await.unwrap();
        let manifest = runtime.versions("parent").get(published.version).unwrap().manifest;
        assert_eq!(manifest.bindings.as_ref(), [("g".into(), VersionNumber(expected))]);
    }
}

#[tokio::test]
async fn a_child_run_says_that_it_was_bound() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.publish_and_promote(parent(child())).await.unwrap();
    runtime.publish_and_promote(super::numbered(2)).await.unwrap();
    let mut events = runtime.events();
    assert!(runtime.start("parent", Value::Null).await.unwrap().await.is_success());
    let mut children = 0;
    while let Some(event) = events.try_next() {
        let event = event.unwrap();
        if event.kind == EventKind::RunStarted && event.graph == "g".into() {
            let run = runtime.run(event.run.unwrap()).unwrap();
            assert_eq!(run.decision().rule, StartRule::Binding);
            assert_eq!(run.version(), VersionNumber(1));
            children += 1;
        }
    }
    assert_eq!(children, 1);
}

#[tokio::test]
async fn a_graph_is_not_bound_to_a_revoked_version() {
    let runtime = runtime().await;
    promoted(&runtime, 1).await;
    runtime.versions("g").revoke(1).await.unwrap();
    let refused = runtime.publish(parent(child())).await.unwrap_err();
    assert!(matches!(refused, PublishError::Invalid { .. }), "{refused}");
    assert!(refused.to_string().contains("v1 is revoked"), "{refused}");
    assert!(runtime.versions("parent").list().is_empty());
    runtime.publish(graph("other", 1).build()).await.unwrap();
}
