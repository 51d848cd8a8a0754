//! Runs and their children that a shutdown parks, and children that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalFuture, MemoryJournal, NodeError, NodeSpec,
    RetryPolicy, RunQuery, RunRow, RunStatus, Runtime, StrandedReason, Value, Write,
};

use super::before::{Before, Hook};

fn sub(child: &str) -> NodeSpec {
    NodeSpec::new("sub").subgraph(child).retry(RetryPolicy::none())
}

/// A process whose handler waits for ever, and how often that was called.
async fn holding(journal: Arc<dyn Journal>) -> (Runtime, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let held = move |_: ()| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<(), NodeError>>()
    };
    let builder = Runtime::builder().journal(journal).handler(Handler::one("held", held));
    (builder.build().await.unwrap(), calls)
}

/// Shuts down at once when each family has come to its handler.
async fn park(runtime: &Runtime, calls: &AtomicUsize, families: usize) {
    let all = async {
        while calls.load(Ordering::SeqCst) < families {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), all).await;
    in_time.unwrap_or_else(|_| panic!("{calls:?} of {families} families go on"));
    assert_eq!(runtime.shutdown(Duration::ZERO).await.parked.len(), 3 * families);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_shutdowns_parked_goes_on_as_if_there_had_been_none() {
    const FAMILIES: usize = 100;
    let journal = Arc::new(MemoryJournal::new());
    let (first, calls) = holding(journal.clone()).await;
    for (name, node) in
        [("child", NodeSpec::new("held")), ("middle", sub("child")), ("top", sub("middle"))]
    {
        first.publish_and_promote(Document::builder(name).node(node).build()).await.unwrap();
    }
    let mut tops = Vec::new();
    for _ in 0..FAMILIES {
        tops.push(first.start("top", Value::Null).await.unwrap().id());
    }
    park(&first, &calls, FAMILIES).await;
    // Here the runs came back by themselves: none was started by the one above it.
    let (second, calls) = holding(journal.clone()).await;
    park(&second, &calls, FAMILIES).await;
    let let_go = Handler::one("held", |_: ()| async { Ok(()) });
    let third = Runtime::builder().journal(journal).handler(let_go).build().await.unwrap();
    for top in tops {
        // It may have ended and be forgotten by now.
        let run = third.storage().unwrap().load(top).await.unwrap();
        let outcome = run.await;
        assert_eq!(outcome.status, RunStatus::Success, "{:?}", outcome.failures);
    }
}

/// A journal that takes its time to put the starts of children on record.
#[derive(Debug)]
struct LateChildren(MemoryJournal);

impl Hook for LateChildren {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        let of_child = |write: &Write| match write {
            Write::Row(row) => row.graph == "child".into() && row.ended_at.is_none(),
            _ => false,
        };
        Box::pin(async move {
            if writes.iter().any(of_child) {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            self.0.commit(epoch, writes).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_put_on_record_when_its_attempt_has_timed_out_is_stopped() {
    let journal = Arc::new(Before(LateChildren(MemoryJournal::new())));
    let (runtime, calls) = holding(journal).await;
    let child = Document::builder("child").node(NodeSpec::new("held"));
    runtime.publish_and_promote(child.build()).await.unwrap();
    let sub = sub("child").timeout(Duration::from_secs(5));
    runtime.publish_and_promote(Document::builder("g").node(sub).build()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Failed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let ended = RunQuery::default().graph("child").ended();
    let ended = runtime.storage().unwrap().runs(&ended).await.unwrap();
    let statuses: Vec<_> = ended.iter().map(|row| &*row.status).collect();
    assert_eq!(statuses, ["CANCELLED"]);
    assert_eq!((runtime.live_runs(), calls.load(Ordering::SeqCst)), (0, 0));
}

/// A journal that takes its time to say which runs of a graph there are, from some moment on.
#[derive(Debug)]
struct LateRows(Arc<MemoryJournal>, AtomicBool);

impl Hook for LateRows {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            if self.1.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            self.0.runs(query).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranded_child_that_its_run_asks_for_in_the_grace_goes_on() {
    let kept = Arc::new(MemoryJournal::new());
    let (first, calls) = holding(kept.clone()).await;
    for (name, node) in
        [("child", NodeSpec::new("held")), ("middle", sub("child")), ("top", sub("middle"))]
    {
        first.publish_and_promote(Document::builder(name).node(node).build()).await.unwrap();
    }
    let top = first.start("top", Value::Null).await.unwrap().id();
    park(&first, &calls, 1).await;

    let late = Arc::new(Before(LateRows(kept, AtomicBool::new(false))));
    let second = Runtime::builder().journal(late.clone()).build().await.unwrap();
    assert_eq!(second.stranded().len(), 3);
    let let_go = Handler::one("held", |_: ()| async { Ok(()) });
    second.register(let_go).unwrap();
    assert_eq!(second.required_versions(), []);
    late.1.store(true, Ordering::SeqCst);
    let top = second.resume(top).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = second.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.parked, report.cancelled), (vec![], vec![]));
    assert_eq!(top.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_shutdown_parked_is_not_told_to_be_unknown() {
    let held = Handler::one("held", |_: ()| std::future::pending::<Result<(), NodeError>>());
    let builder = Runtime::builder().journal(Arc::new(MemoryJournal::new())).handler(held);
    // The run is forgotten as soon as it is parked.
    let runtime = builder.keep_ended(0).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("held")).build();
    runtime.publish_and_promote(graph).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(runtime.shutdown(Duration::ZERO).await.parked, [run.id()]);
    let told = runtime.resume(run.id()).await.map(drop);
    assert_eq!(told, Err(StrandedReason::ShuttingDown));
}
