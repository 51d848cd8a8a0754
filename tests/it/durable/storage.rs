//! What a journal holds can be listed, read step by step, and deleted.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Emit, Handler, MemoryJournal, NodeSpec, RunId, RunQuery, RunStatus, Runtime,
    StateStatus, Storage, StrandedReason, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

async fn runtime() -> (Runtime, Storage) {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let slow = |input: Number, ctx: Context| async move {
        ctx.sleep(Duration::from_secs(input.n)).await;
        Ok(input)
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("list", list))
        .handler(Handler::one("slow", slow))
        .journal(Arc::new(MemoryJournal::new()))
        .build()
        .await
        .unwrap();
    let graph = Document::builder("g")
        .node(NodeSpec::new("list").input("n", 1).next("slow"))
        .node(NodeSpec::new("slow").input("n", "${{list.outputs.n}}"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let storage = runtime.storage().unwrap();
    (runtime, storage)
}

/// Runs with so many branches each, one after the other; a second passes after each.
async fn ended(runtime: &Runtime, branches: &[u64]) -> Vec<RunId> {
    let mut runs = Vec::new();
    for n in branches {
        let start = runtime.start("g", Value::object([("n", *n)]));
        let outcome = start.idempotency_key(format!("key {n}")).run().await.unwrap();
        assert_eq!(outcome.status, RunStatus::Success);
        runs.push(outcome.run);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    runs
}

async fn listed(storage: &Storage, query: RunQuery) -> Vec<RunId> {
    storage.runs(&query).await.unwrap().into_iter().map(|row| row.run).collect()
}

#[tokio::test(start_paused = true)]
async fn runs_are_found_by_what_their_rows_say() {
    let (runtime, storage) = runtime().await;
    let runs = ended(&runtime, &[1, 2, 3]).await;
    let live = runtime.start("g", Value::object([("n", 9)])).await.unwrap().id();
    assert_eq!(listed(&storage, RunQuery::default().ended()).await, runs);
    assert_eq!(listed(&storage, RunQuery::default().unfinished()).await, [live]);
    assert_eq!(listed(&storage, RunQuery::default().key("key 2")).await, [runs[1]]);
    assert_eq!(listed(&storage, RunQuery::default().status("SUCCESS").limit(2)).await, runs[..2]);
    assert_eq!(listed(&storage, RunQuery::default().graph("other")).await, []);
    assert_eq!(storage.size().await.unwrap().unfinished, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_read_as_it_stood_after_each_of_its_records() {
    let (runtime, storage) = runtime().await;
    let runs = ended(&runtime, &[4]).await;
    let history = storage.history(runs[0]).await.unwrap();
    assert_eq!((history[0].seq, &*history[0].kind), (1, "Began"));
    assert_eq!(history.last().unwrap().kind, "Ended");
    assert!(history.is_sorted_by_key(|step| step.at));
    let mut done = Vec::new();
    for step in &history {
        let then = storage.load_at(runs[0], step.seq).await.unwrap();
        done.push(then.view.of("slow", StateStatus::Success));
    }
    assert!(done.is_sorted(), "{done:?}");
    assert_eq!((done[0], *done.last().unwrap()), (0, 4));
    assert!(done.iter().any(|done| (1..4).contains(done)), "{done:?}");
    let whole = storage.load_at(runs[0], u64::MAX).await.unwrap();
    assert_eq!(whole.view, runtime.run(runs[0]).unwrap().status());
}

#[tokio::test(start_paused = true)]
async fn the_latest_runs_of_a_graph_are_kept_and_no_more_are_deleted_than_there_are() {
    let (runtime, storage) = runtime().await;
    let runs = ended(&runtime, &[1, 2, 3, 4]).await;
    assert_eq!(storage.keep_latest("g", 100).await.unwrap(), 0);
    assert_eq!(storage.keep_latest("other", 0).await.unwrap(), 0);
    assert_eq!(storage.keep_latest("g", 3).await.unwrap(), 1);
    assert_eq!(listed(&storage, RunQuery::default()).await, runs[1..]);
    assert!(runtime.run(runs[0]).is_none());
}

#[tokio::test(start_paused = true)]
async fn old_runs_are_deleted_by_the_time_of_their_end() {
    let (runtime, storage) = runtime().await;
    let runs = ended(&runtime, &[1, 2, 3]).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let more = ended(&runtime, &[4]).await;
    assert_eq!(storage.delete_older_than(Duration::from_secs(10)).await.unwrap(), 3);
    assert_eq!(listed(&storage, RunQuery::default()).await, more);
    let gone = storage.history(runs[0]).await.unwrap_err();
    assert_eq!(gone, StrandedReason::UnknownRun);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_not_ended_is_not_deleted() {
    let (runtime, storage) = runtime().await;
    let run = runtime.start("g", Value::object([("n", 5)])).await.unwrap();
    assert_eq!(storage.delete([run.id()]).await.unwrap(), 0);
    assert_eq!(storage.delete_older_than(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(storage.keep_latest("g", 0).await.unwrap(), 0);
    storage.vacuum().await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_deleted_run_starts_another_one() {
    let (runtime, storage) = runtime().await;
    let runs = ended(&runtime, &[2]).await;
    let known = runtime.start("g", Value::Null).idempotency_key("key 2").await.unwrap();
    assert_eq!(known.id(), runs[0]);
    assert_eq!(storage.delete(runs.clone()).await.unwrap(), 1);
    let again = runtime.start("g", Value::Null).idempotency_key("key 2").await.unwrap();
    assert_ne!(again.id(), runs[0]);
}
