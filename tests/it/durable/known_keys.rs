//! A key that only the journal knows is started twice at once: there is one run.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Handler, Journal, NodeError, NodeSpec, RetryError, Runtime, SqliteJournal, Value,
};

use crate::journal::folder::Folder;

async fn open(journal: Arc<dyn Journal>) -> Runtime {
    let fails = |_: ()| async { Err::<(), _>(NodeError::permanent("never")) };
    let builder = Runtime::builder().journal(journal).handler(Handler::one("fails", fails));
    builder.build().await.unwrap()
}

#[tokio::test]
async fn two_starts_with_a_key_of_an_ended_run_get_the_same_one() {
    let folder = Folder::new();
    let journal = SqliteJournal::open(folder.path().join("store.db")).await.unwrap();
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let runtime = open(journal.clone()).await;
    let graph = Document::builder("g").node(NodeSpec::new("fails"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime.start("g", Value::Null).idempotency_key("key").run().await.unwrap();
    assert!(runtime.shutdown(Duration::from_secs(1)).await.parked.is_empty());

    let runtime = open(journal).await;
    let start = || async { runtime.start("g", Value::Null).idempotency_key("key").await.unwrap() };
    let (one, other) = tokio::join!(start(), start());
    assert_eq!(one.id(), other.id());
    // Two of one run would not know of each other's retries.
    one.retry_failed("again").await.unwrap();
    assert!(matches!(other.retry_failed("again").await, Err(RetryError::Duplicate(_))));
}
