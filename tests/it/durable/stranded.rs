//! Stranded runs are taken up once, whoever drops what, and their children with them.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use hotgraph::{
    BuildError, Document, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeSpec,
    Record, RetryPolicy, RunId, RunQuery, RunStatus, Runtime, RuntimeBuilder, StartError,
    StrandedReason, Stream, Value, VersionNumber,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::before::{Before, Hook};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

fn slow() -> Handler {
    Handler::one("slow", |input: Number, ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(input)
    })
}

fn last() -> Handler {
    Handler::one("last", |input: Number| async move { Ok(input) })
}

/// A journal that takes its time to read.
#[derive(Debug)]
struct Slow(Arc<MemoryJournal>);

impl Hook for Slow {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            self.0.read(stream, after, limit).await
        })
    }
}

fn process(journal: &Arc<MemoryJournal>) -> RuntimeBuilder {
    Runtime::builder().journal(Arc::new(Before(Slow(journal.clone()))))
}

fn graph() -> Document {
    Document::builder("g").node(NodeSpec::new("slow").input("n", 1)).build()
}

fn around() -> Document {
    let sub = NodeSpec::new("sub").subgraph("g").retry(RetryPolicy::none()).next("last");
    let last = NodeSpec::new("last").handler("last").input("n", "${{sub.outputs.n}}");
    Document::builder("around").node(sub).node(last).build()
}

/// A process that lacked the handlers of a run, and of the one it waits for, until now.
async fn stranded(graphs: &[Document], started: &str) -> (Runtime, RunId) {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).handler(last()).build().await.unwrap();
    for graph in graphs {
        first.publish_and_promote(graph.clone()).await.unwrap();
    }
    let run = first.start(started, Value::Null).await.unwrap();
    // The child of a sub-graph node is there by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = first.shutdown(Duration::ZERO).await;
    assert_eq!(report.parked.len(), graphs.len(), "{:?}", run.status());
    let second = process(&journal).build().await.unwrap();
    assert_eq!(second.stranded().len(), graphs.len(), "{:?}", second.stranded());
    second.register(slow()).unwrap();
    second.register(last()).unwrap();
    assert_eq!(second.required_versions(), []);
    (second, run.id())
}

/// A journal with a run that was parked when both graphs had their handlers; with a delay, before its
/// child began.
async fn parked_around(delay: Duration) -> (Arc<MemoryJournal>, RunId) {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(slow()).handler(last()).build().await.unwrap();
    for graph in [graph(), around()] {
        first.publish_and_promote(graph).await.unwrap();
    }
    let run = first.start("around", Value::Null).delay(delay).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = first.shutdown(Duration::ZERO).await;
    assert!(report.parked.contains(&run.id()), "{:?}", run.status());
    (journal, run.id())
}

/// Polls something so often, and drops it.
async fn polled<F: Future>(future: F, times: usize) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..times {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_resume_that_is_dropped_after_any_poll_loses_no_run() {
    for times in 0.. {
        let (runtime, id) = stranded(&[graph()], "g").await;
        let is_over = polled(runtime.resume(id), times).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let run = match runtime.run(id) {
            Some(run) => run,
            None => runtime.resume(id).await.unwrap(),
        };
        assert_eq!(run.await.status, RunStatus::Success, "dropped after {times} polls");
        assert_eq!((runtime.stranded(), runtime.live_runs()), (vec![], 0));
        if is_over {
            assert!(times > 1, "nothing was dropped on the way");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_is_dropped_after_any_poll_loses_no_run() {
    for times in 0.. {
        let (runtime, id) = stranded(&[graph()], "g").await;
        let is_over = polled(runtime.publish(graph()).into_future(), times).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let run = match runtime.run(id) {
            Some(run) => run,
            None => runtime.resume(id).await.unwrap(),
        };
        assert_eq!(run.await.status, RunStatus::Success, "dropped after {times} polls");
        if is_over {
            assert!(times > 1, "nothing was dropped on the way");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_resumes_at_once_take_a_run_up_once() {
    let (runtime, id) = stranded(&[graph()], "g").await;
    let (one, other) = tokio::join!(runtime.resume(id), runtime.resume(id));
    let (taken, refused): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), runtime.live_runs()), (1, 1));
    assert_eq!(refused[0].as_ref().unwrap_err(), &StrandedReason::NotStranded);
    assert_eq!(runtime.run(id).unwrap().await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_resumed_takes_up_the_stranded_runs_it_waits_for() {
    let (runtime, id) = stranded(&[graph(), around()], "around").await;
    let run = runtime.resume(id).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
    assert_eq!((runtime.stranded(), runtime.live_runs()), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_publish_of_the_graph_around_it_takes_up_a_stranded_child() {
    let (runtime, id) = stranded(&[graph(), around()], "around").await;
    runtime.publish(around()).await.unwrap();
    assert_eq!(runtime.run(id).unwrap().await.status, RunStatus::Success);
    assert_eq!((runtime.stranded(), runtime.live_runs()), (vec![], 0));
}

/// Why a run does not go on whose child could not begin, or go on.
fn lacks_child() -> StrandedReason {
    StrandedReason::NoSubgraph { graph: "g".into(), version: VersionNumber(1) }
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_go_on_to_a_child_that_lacks_a_handler() {
    let (journal, id) = parked_around(Duration::from_secs(60)).await;
    let second = process(&journal).handler(last()).build().await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let stranded = second.stranded();
    let reasons: Vec<_> =
        stranded.iter().map(|stranded| (stranded.run, &stranded.reason)).collect();
    assert_eq!(reasons, [(id, &lacks_child())]);
    assert_eq!(second.required_versions().len(), 2);
    let refused = second.start("around", Value::Null).await.unwrap_err();
    assert!(matches!(refused, StartError::VersionAbsent { .. }), "{refused}");
    assert_eq!(second.resume(id).await.map(drop), Err(lacks_child()));
    second.register(slow()).unwrap();
    assert_eq!(second.required_versions(), []);
    let run = second.resume(id).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
}

/// What is asked for when the handler that a child lacked is there.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Resume,
    ResumeOfChild,
    PublishOfChild,
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stranded_with_the_child_that_lacks_a_handler_and_both_end_once_it_is_there() {
    for how in [Asked::Resume, Asked::ResumeOfChild, Asked::PublishOfChild] {
        let (journal, id) = parked_around(Duration::ZERO).await;
        let second = process(&journal).handler(last()).build().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (own, others): (Vec<_>, _) = second.stranded().into_iter().partition(|it| it.run == id);
        assert_eq!((own.len(), others.len()), (1, 1), "{:?}", second.run(id).map(|it| it.status()));
        assert_eq!(own[0].reason, lacks_child());
        assert!(matches!(others[0].reason, StrandedReason::NoVersion { is_known: false, .. }));
        let child = others[0].run;
        second.register(slow()).unwrap();
        match how {
            Asked::Resume => drop(second.resume(id).await.unwrap()),
            Asked::ResumeOfChild => drop(second.resume(child).await.unwrap()),
            Asked::PublishOfChild => drop(second.publish(graph()).await.unwrap()),
        }
        for run in [id, child] {
            let outcome = second.run(run).unwrap().await;
            assert_eq!(outcome.status, RunStatus::Success, "{how:?}: {outcome:?}");
        }
        assert_eq!((second.stranded(), second.live_runs()), (vec![], 0), "{how:?}");
    }
}

#[tokio::test]
async fn nodes_that_run_several_versions_of_a_graph_run_the_same_ones_after_a_restart() {
    let child = |n| Document::builder("g").node(NodeSpec::new("last").input("n", n)).build();
    let sub = |name: &str| NodeSpec::new(name).subgraph("g").input("n", "${{first.outputs.n}}");
    // In an order that is neither that of the identifiers nor that of the versions.
    let parent = Document::builder("parent")
        .node(NodeSpec::new("first").handler("last").input("n", 0).next("d").next("a").next("b"))
        .node(sub("d"))
        .node(sub("a").version(2))
        .node(sub("b").label("beta"));
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(last()).build().await.unwrap();
    for n in 1..=3 {
        first.publish_and_promote(child(n)).await.unwrap();
    }
    first.versions("g").label("beta").promote(1).await.unwrap();
    first.publish_and_promote(parent.build()).await.unwrap();
    let manifest = first.versions("parent").get(1).unwrap().manifest.clone();
    let bound: Vec<_> = manifest.bindings.iter().map(|(_, version)| version.0).collect();
    assert_eq!(bound, [2, 1, 3]);
    first.versions("g").label("beta").promote(2).await.unwrap();
    drop(first);

    let second = process(&journal).handler(last()).build().await.unwrap();
    assert_eq!(second.required_versions(), []);
    let mut events = second.events();
    let run = second.start("parent", Value::Null).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
    let mut versions = Vec::new();
    while let Some(event) = events.try_next() {
        let event = event.unwrap();
        if event.kind == hotgraph::EventKind::RunStarted && event.graph == "g".into() {
            versions.push(second.run(event.run.unwrap()).unwrap().version().0);
        }
    }
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3]);
}

/// A journal that takes longer to read than an attempt has time, from some moment on.
#[derive(Debug)]
struct LateReads(Arc<MemoryJournal>, AtomicBool);

impl Hook for LateReads {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            if self.1.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            self.0.read(stream, after, limit).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_taken_up_when_its_attempt_has_timed_out_is_stopped() {
    let kept = Arc::new(MemoryJournal::new());
    let first = process(&kept).handler(slow()).build().await.unwrap();
    first.publish_and_promote(graph()).await.unwrap();
    let sub = NodeSpec::new("sub").subgraph("g").timeout(Duration::from_secs(5));
    let impatient = Document::builder("impatient").node(sub.retry(RetryPolicy::none()));
    first.publish_and_promote(impatient.build()).await.unwrap();
    let run = first.start("impatient", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(first.shutdown(Duration::ZERO).await.parked.len(), 2);

    let late = Arc::new(Before(LateReads(kept.clone(), AtomicBool::new(false))));
    let second = Runtime::builder().journal(late.clone()).build().await.unwrap();
    second.register(slow()).unwrap();
    late.1.store(true, Ordering::SeqCst);
    let run = second.resume(run.id()).await.unwrap();
    assert_eq!(run.await.status, RunStatus::Failed);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!((second.stranded(), second.live_runs()), (vec![], 0));
    let child = RunQuery::default().graph("g");
    let child = second.storage().unwrap().runs(&child).await.unwrap();
    assert_eq!(child.iter().map(|row| &*row.status).collect::<Vec<_>>(), ["CANCELLED"]);
}

/// A journal that fails for a while where some run is read.
#[derive(Debug)]
struct Away {
    inner: Arc<MemoryJournal>,
    run: RunId,
    error: JournalError,
    is_away: AtomicBool,
}

impl Hook for Away {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        match stream == Stream::Run(self.run) && self.is_away.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(self.error.clone()) }),
            false => self.inner.read(stream, after, limit),
        }
    }
}

/// A run that was parked, and a journal that cannot read its child.
async fn away(error: JournalError) -> (Arc<Before<Away>>, RunId) {
    let (inner, id) = parked_around(Duration::ZERO).await;
    let run = inner.runs(&RunQuery::default().graph("g")).await.unwrap()[0].run;
    (Arc::new(Before(Away { inner, run, error, is_away: AtomicBool::new(true) })), id)
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_until_the_journal_can_read_its_child() {
    for expected in [RunStatus::Success, RunStatus::Cancelled] {
        let error = JournalError::Storage("an I/O error".into());
        let (away, id) = away(error.clone()).await;
        let second = Runtime::builder().journal(away.clone()).handler(slow()).handler(last());
        let second = second.build().await.unwrap();
        let stranded =
            second.stranded().into_iter().map(|stranded| (stranded.run, stranded.reason));
        assert_eq!(stranded.collect::<Vec<_>>(), [(away.run, StrandedReason::Unreadable(error))]);
        let parent = second.run(id).unwrap();
        let waits = tokio::time::timeout(Duration::from_secs(60), parent.outcome()).await;
        assert!(waits.is_err(), "{waits:?}");
        match expected {
            RunStatus::Success => away.is_away.store(false, Ordering::SeqCst),
            _ => parent.cancel(),
        }
        assert_eq!(parent.await.status, expected);
        assert_eq!(second.live_runs(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_by_its_key_goes_on_with_a_stranded_run_when_that_can() {
    let inner = Arc::new(MemoryJournal::new());
    let process = |journal: Arc<dyn Journal>| {
        Runtime::builder().journal(journal).handler(slow()).handler(last()).build()
    };
    let first = process(inner.clone()).await.unwrap();
    first.publish_and_promote(graph()).await.unwrap();
    let start = |runtime: &Runtime| runtime.start("g", Value::Null).idempotency_key("key");
    let run = start(&first).await.unwrap().id();
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [run]);

    let error = JournalError::Storage("an I/O error".into());
    let is_away = AtomicBool::new(true);
    let away = Arc::new(Before(Away { inner, run, error: error.clone(), is_away }));
    let second = process(away.clone()).await.unwrap();
    let refused = start(&second).await.unwrap_err();
    assert_eq!(refused, StartError::Journal { graph: "g".into(), source: error });
    assert_eq!(second.stranded().len(), 1);
    away.is_away.store(false, Ordering::SeqCst);
    let again = start(&second).await.unwrap();
    assert_eq!((again.id(), second.stranded()), (run, vec![]));
    assert_eq!(again.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_is_not_built_if_the_journal_goes_away_while_its_runs_are_read() {
    let error = JournalError::Unavailable("no answer".into());
    let (away, id) = away(error.clone()).await;
    let process =
        || Runtime::builder().journal(away.clone()).handler(slow()).handler(last()).build();
    match process().await {
        Err(BuildError::Journal(told)) => assert_eq!(told, error),
        built => panic!("{:?}", built.map(|runtime| runtime.stranded())),
    }
    away.is_away.store(false, Ordering::SeqCst);
    let second = process().await.unwrap();
    assert_eq!(second.stranded(), []);
    assert_eq!(second.run(id).unwrap().await.status, RunStatus::Success);
}
