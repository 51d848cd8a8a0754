//! Child runs that nobody waits for any more when a process comes up, or when they are resumed by hand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeSpec,
    Record, RetryPolicy, RunId, RunQuery, RunStatus, Runtime, RuntimeBuilder, Stream, Value, Write,
};
use parking_lot::Mutex;

use super::before::{Before, Hook};

/// A journal of a process that dies before it could write more of the runs of some graphs.
#[derive(Debug)]
struct Deaf {
    inner: Arc<MemoryJournal>,
    to: &'static [&'static str],
    runs: Mutex<BTreeSet<RunId>>,
    is_deaf: AtomicBool,
}

impl Deaf {
    fn hears(&self, write: &Write) -> bool {
        if let Write::Row(row) = write
            && self.to.iter().any(|graph| row.graph == (*graph).into())
        {
            self.runs.lock().insert(row.run);
        }
        let run = match write {
            Write::Row(row) => row.run,
            Write::Record(Stream::Run(run), _) | Write::Truncate(Stream::Run(run), _) => *run,
            _ => return true,
        };
        !self.is_deaf.load(Ordering::SeqCst) || !self.runs.lock().contains(&run)
    }
}

impl Hook for Deaf {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        let heard: Vec<_> = writes.iter().filter(|write| self.hears(write)).cloned().collect();
        self.inner.commit(epoch, heard.into())
    }
}

/// A journal that cannot be read where a run of some graph is.
#[derive(Debug)]
struct Unreadable(Arc<MemoryJournal>, Mutex<BTreeSet<RunId>>);

impl Hook for Unreadable {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        match stream {
            Stream::Run(run) if self.1.lock().contains(&run) => {
                Box::pin(async { Err(JournalError::Closed) })
            }
            _ => self.0.read(stream, after, limit),
        }
    }
}

fn process(journal: Arc<dyn Journal>) -> RuntimeBuilder {
    let slow = |_: (), ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    Runtime::builder().journal(journal).handler(Handler::one("slow", slow))
}

fn sub(child: &str) -> NodeSpec {
    NodeSpec::new("sub").subgraph(child).retry(RetryPolicy::none())
}

/// `bottom` below `middle` below `top`, which goes on beside them.
fn graphs(of_top: fn(NodeSpec) -> NodeSpec) -> [Document; 3] {
    [
        Document::builder("bottom").node(NodeSpec::new("slow")).build(),
        Document::builder("middle").node(sub("bottom")).build(),
        Document::builder("top")
            .node(NodeSpec::new("first").handler("slow").next("sub").next("beside"))
            .node(of_top(sub("middle")))
            .node(NodeSpec::new("beside").handler("slow").next("after"))
            .node(NodeSpec::new("after").handler("slow"))
            .build(),
    ]
}

/// A journal of a process that died when an attempt of `top` had ended, and before those below it
/// could be stopped.
async fn died(of_top: fn(NodeSpec) -> NodeSpec, seed: u64) -> (Arc<MemoryJournal>, RunId) {
    let inner = Arc::new(MemoryJournal::new());
    let (runs, is_deaf) = (Mutex::default(), AtomicBool::new(false));
    let to = &["middle", "bottom"];
    let journal = Arc::new(Before(Deaf { inner: inner.clone(), to, runs, is_deaf }));
    let runtime = process(journal.clone()).seed(seed).build().await.unwrap();
    for graph in graphs(of_top) {
        runtime.publish_and_promote(graph).await.unwrap();
    }
    let run = runtime.start("top", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_eq!(runtime.live_runs(), 3);
    journal.is_deaf.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let id = run.id();
    drop((run, runtime));
    tokio::time::sleep(Duration::from_secs(1)).await;
    (inner, id)
}

async fn rows(journal: &MemoryJournal, graph: &str) -> Vec<(RunId, String)> {
    let rows = journal.runs(&RunQuery::default().graph(graph)).await.unwrap();
    rows.into_iter().map(|row| (row.run, row.status.to_string())).collect()
}

async fn check_cancelled(journal: &MemoryJournal) {
    tokio::time::sleep(Duration::from_secs(300)).await;
    for graph in ["middle", "bottom"] {
        let found: Vec<_> = rows(journal, graph).await.into_iter().map(|(_, it)| it).collect();
        assert_eq!(found, ["CANCELLED"], "{graph}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_below_an_attempt_that_had_ended_are_stopped_after_a_restart() {
    // Whichever of them is found first.
    for seed in 0..8 {
        let (journal, _) = died(|sub| sub.timeout(Duration::from_secs(5)), seed).await;
        let runtime = process(journal.clone()).build().await.unwrap();
        assert_eq!(runtime.stranded(), []);
        check_cancelled(&journal).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_below_an_attempt_that_had_ended_are_stopped_when_they_are_resumed_by_hand() {
    for waits in [Duration::ZERO, Duration::from_secs(600)] {
        let (journal, top) = died(|sub| sub.timeout(Duration::from_secs(5)), 0).await;
        let below = [rows(&journal, "middle").await, rows(&journal, "bottom").await].concat();
        let below: BTreeSet<_> = below.into_iter().map(|(run, _)| run).collect();
        let unreadable = Arc::new(Before(Unreadable(journal.clone(), Mutex::new(below.clone()))));
        let runtime = process(unreadable.clone()).build().await.unwrap();
        let stranded: BTreeSet<_> = runtime.stranded().iter().map(|it| it.run).collect();
        assert_eq!(stranded, below);
        // Then the run above them has ended as well.
        tokio::time::sleep(waits).await;
        assert_eq!(runtime.run(top).unwrap().is_ended(), !waits.is_zero());
        unreadable.1.lock().clear();
        for run in below {
            // One takes up the other.
            let _ = runtime.resume(run).await;
        }
        check_cancelled(&journal).await;
    }
}

/// A journal of a process that died while `top` waited for the runs below it.
async fn died_while_waiting() -> (Arc<MemoryJournal>, RunId) {
    let inner = Arc::new(MemoryJournal::new());
    let (runs, is_deaf) = (Mutex::default(), AtomicBool::new(false));
    let to = &["top", "middle", "bottom"];
    let journal = Arc::new(Before(Deaf { inner: inner.clone(), to, runs, is_deaf }));
    let runtime = process(journal.clone()).build().await.unwrap();
    let [bottom, middle, _] = graphs(|node| node);
    let top = Document::builder("top").node(sub("middle")).build();
    for graph in [bottom, middle, top] {
        runtime.publish_and_promote(graph).await.unwrap();
    }
    let run = runtime.start("top", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(runtime.live_runs(), 3);
    journal.is_deaf.store(true, Ordering::SeqCst);
    let id = run.id();
    drop((run, runtime));
    tokio::time::sleep(Duration::from_secs(30)).await;
    (inner, id)
}

#[tokio::test(start_paused = true)]
async fn those_below_a_run_that_is_cancelled_as_soon_as_it_is_back_are_stopped() {
    let (journal, top) = died_while_waiting().await;
    let runtime = process(journal.clone()).build().await.unwrap();
    runtime.run(top).unwrap().cancel();
    check_cancelled(&journal).await;
}

#[tokio::test(start_paused = true)]
async fn those_below_a_run_that_is_paused_as_soon_as_it_is_back_are_paused() {
    let (journal, top) = died_while_waiting().await;
    let runtime = process(journal.clone()).build().await.unwrap();
    runtime.run(top).unwrap().pause();
    for graph in ["middle", "bottom"] {
        let (run, _) = rows(&journal, graph).await[0];
        assert_eq!(runtime.run(run).unwrap().status().status, RunStatus::Paused, "{graph}");
    }
}

/// A process that goes on with `bottom`, and cannot read the runs of these graphs at first.
async fn with_stranded(journal: &Arc<MemoryJournal>, graphs: &[&str]) -> Runtime {
    let mut stranded = BTreeSet::new();
    for graph in graphs {
        stranded.extend(rows(journal, graph).await.into_iter().map(|(run, _)| run));
    }
    let unreadable = Unreadable(journal.clone(), Mutex::new(stranded.clone()));
    let unreadable = Arc::new(Before(unreadable));
    let runtime = process(unreadable.clone()).build().await.unwrap();
    assert!(runtime.stranded().iter().map(|it| it.run).eq(stranded));
    unreadable.1.lock().clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    runtime
}

#[tokio::test(start_paused = true)]
async fn those_that_went_on_below_a_stranded_run_are_stopped_when_nobody_waits_for_that() {
    let (journal, _) = died(|sub| sub.timeout(Duration::from_secs(5)), 0).await;
    let runtime = with_stranded(&journal, &["middle"]).await;
    let (middle, _) = rows(&journal, "middle").await[0];
    let _ = runtime.resume(middle).await.unwrap();
    check_cancelled(&journal).await;
}

#[tokio::test(start_paused = true)]
async fn those_that_went_on_below_a_stranded_run_are_stopped_with_it_as_soon_as_it_is_back() {
    let (journal, _) = died_while_waiting().await;
    let runtime = with_stranded(&journal, &["top", "middle"]).await;
    let (middle, _) = rows(&journal, "middle").await[0];
    runtime.resume(middle).await.unwrap().cancel();
    check_cancelled(&journal).await;
}
