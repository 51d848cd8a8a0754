//! The records of the versions are counted: if the last ones are gone, they are missed.

use std::sync::Arc;

use hotgraph::{
    BuildError, Document, Handler, Journal, JournalError, MemoryJournal, NodeSpec, Record, Runtime,
    RuntimeBuilder, Stream, Value, Write,
};

use super::faulty::{Failure, Faulty};

fn process(journal: &Arc<MemoryJournal>) -> RuntimeBuilder {
    let pass = Handler::one("pass", |input: Value| async move { Ok(input) });
    Runtime::builder().handler(pass).journal(journal.clone())
}

fn graph(n: u64) -> Document {
    Document::builder("g").node(NodeSpec::new("pass").input("n", n)).build()
}

/// A journal with two commands, and what changed it since.
async fn changed(changes: Vec<Write>) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = process(&journal).build().await.unwrap();
    for n in [1, 2] {
        runtime.publish(graph(n)).await.unwrap();
    }
    drop(runtime);
    let epoch = journal.claim("a test").await.unwrap();
    journal.commit(epoch, changes.into()).await.unwrap();
    journal
}

async fn check_refused(changes: Vec<Write>, expected: (Stream, u64, &str)) {
    let refused = process(&changed(changes).await).build().await.unwrap_err();
    let BuildError::Journal(JournalError::Corrupt { stream, seq, why }) = refused else {
        panic!("{refused}");
    };
    assert_eq!((stream, seq.unwrap(), &*why), expected);
}

#[tokio::test]
async fn missing_last_records_of_the_versions_refuse_the_build() {
    for last in [0, 1] {
        let cut = Write::Truncate(Stream::Versions, last);
        check_refused(vec![cut], (Stream::Versions, last + 1, "it is missing")).await;
    }
    let no_number = Write::Record(Stream::Count, Record::new(Stream::Count, 1, vec![2]));
    let changes = vec![Write::Truncate(Stream::Count, 0), no_number];
    check_refused(changes, (Stream::Count, 1, "it is not a number")).await;
}

#[tokio::test]
async fn a_store_of_before_has_no_count_and_gets_one() {
    let journal = changed(vec![Write::Truncate(Stream::Count, 0)]).await;
    let runtime = process(&journal).build().await.unwrap();
    assert_eq!(runtime.publish(graph(3)).await.unwrap().version.0, 3);
    drop(runtime);
    let epoch = journal.claim("a test").await.unwrap();
    let cut = [Write::Truncate(Stream::Versions, 2)];
    journal.commit(epoch, cut.into()).await.unwrap();
    process(&journal).build().await.unwrap_err();
}

#[tokio::test]
async fn a_command_that_is_taken_back_is_not_counted() {
    for failure in [Failure::Written, Failure::Full] {
        let kept = Arc::new(MemoryJournal::new());
        // The second command is refused, whether it was written or not.
        let journal = Faulty::new(kept.clone(), failure, 1, 1);
        let runtime = process(&kept).journal(journal).build().await.unwrap();
        runtime.publish(graph(1)).await.unwrap();
        runtime.publish(graph(2)).await.unwrap_err();
        // Not on the versions: what is taken back with it is counted all the same.
        let start = runtime.start("g", Value::Null).version(1);
        start.run().await.unwrap();
        drop(runtime);
        let next = process(&kept).build().await.unwrap();
        assert_eq!(next.publish(graph(2)).await.unwrap().version.0, 2);
    }
}
