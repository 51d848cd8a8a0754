//! Inputs that begin at another node than the root.

use std::sync::Arc;

use hotgraph::{Document, EntryError, MemoryJournal, NodeSpec, Runtime, SessionError, Value};

use super::{Calls, builder, n, number};

fn reads(name: &str, from: &str) -> NodeSpec {
    NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
}

/// `head`, then a fanout and its merger, then `tail`.
fn joined() -> Document {
    Document::builder("joined")
        .node(NodeSpec::new("head").handler("twice").input("n", 1).next("list"))
        .node(reads("list", "head").next("work"))
        .node(reads("work", "list").handler("twice").next("gather"))
        .node(reads("gather", "work").unites("list").next("tail"))
        .node(reads("tail", "gather").handler("twice"))
        .build()
}

/// The last node reads the first one, and a condition in the middle, too.
fn far() -> Document {
    Document::builder("far")
        .node(NodeSpec::new("first").handler("twice").input("n", 1).next("second"))
        .node(
            reads("second", "first")
                .handler("twice")
                .next_when("third", "${{first.outputs.n}} > 0"),
        )
        .node(reads("third", "first").handler("twice"))
        .build()
}

async fn runtime(journal: &Arc<MemoryJournal>) -> Runtime {
    let builder = builder(&Calls::default()).journal(journal.clone());
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(joined()).await.unwrap();
    runtime.publish_and_promote(far()).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn an_input_begins_at_its_entry_and_runs_what_follows_it() {
    let runtime = runtime(&Arc::default()).await;
    let session = runtime.session("s").graph("joined");
    // 0 + 2 + 4 + 6, twice; the head makes 4 of 2.
    let from_root = session.next(n(2)).await.unwrap();
    let named_root = session.next(n(2)).entry("head").await.unwrap();
    let from_list = session.next(n(4)).entry("list").await.unwrap();
    for ended in [&from_root, &named_root, &from_list] {
        assert_eq!(number(ended), 24);
    }
    let from_tail = session.next(n(4)).entry("tail").await.unwrap();
    assert_eq!((number(&from_tail), from_tail.step), (8, 4));
    let run = runtime.run(from_tail.outcome.run).unwrap();
    let nodes: Vec<_> = run.states().iter().map(|state| state.node.to_string()).collect();
    assert_eq!(nodes, ["tail"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_below_an_entry_are_those_of_the_nodes_that_run() {
    let runtime = runtime(&Arc::default()).await;
    let mut named = joined();
    named.result = Some("head".into());
    runtime.publish_and_promote(named).await.unwrap();
    let session = runtime.session("s").graph("joined");
    assert_eq!(number(&session.next(n(2)).await.unwrap()), 4, "the result is the head's");
    assert_eq!(number(&session.next(n(4)).entry("list").await.unwrap()), 24);
}

async fn refused(graph: &str, entry: &str) -> Vec<(String, String)> {
    let session = runtime(&Arc::default()).await.session("s").graph(graph);
    let refused = session.next(n(1)).entry(entry).await.unwrap_err();
    assert!(session.view().await.is_err(), "nothing has begun");
    match refused {
        SessionError::Entry { source: EntryError::Incomplete { entry: named, lacks }, .. } => {
            assert_eq!(named, entry);
            lacks
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_refused_if_what_follows_lacks_something() {
    let lacks = |node: &str, needs: &str| (node.to_owned(), needs.to_owned());
    assert_eq!(refused("joined", "work").await, [lacks("gather", "list")]);
    // The inputs of a merger are those of its group.
    assert_eq!(refused("joined", "gather").await, [lacks("gather", "list")]);
    let expected = [lacks("second", "first"), lacks("third", "first")];
    assert_eq!(refused("far", "second").await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_entry_reads_of_others_has_to_be_given() {
    let runtime = runtime(&Arc::default()).await;
    let session = runtime.session("s").graph("far");
    let refused = session.next(Value::Null).entry("third").await.unwrap_err();
    let SessionError::Start { source, .. } = refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains("input of node `third`"), "{source}");
    assert_eq!(number(&session.next(n(5)).entry("third").await.unwrap()), 10);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_on_record() {
    let journal = Arc::new(MemoryJournal::new());
    let ended = {
        let session = runtime(&journal).await.session("s").graph("joined");
        session.next(n(4)).entry("list").input_id("a").await.unwrap()
    };
    let again = runtime(&journal).await;
    let session = again.session("s");
    assert_eq!(session.next(n(4)).entry("list").input_id("a").await.unwrap(), ended);
    // The run itself comes back on the same plan.
    let run = again.storage().unwrap().load(ended.outcome.run).await.unwrap();
    assert_eq!(*run.outcome().await, ended.outcome);
}
