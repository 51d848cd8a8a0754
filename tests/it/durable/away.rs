//! A journal that goes away and does not come back as long as its process lives, which is shut down.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Emit, Epoch, Handler, Journal, JournalError, JournalFuture,
    MemoryJournal, NodeError, NodeSpec, PublishError, Record, Run, RunId, RunStatus, Runtime,
    ShutdownReport, StartError, StrandedReason, Stream, Value, VersionError, Write,
};
use parking_lot::Mutex;

use super::before::{Before, Hook};

const GRACE: Duration = Duration::from_secs(60);

/// The grace, the time that runs get to stop, and as long for their last commits.
const SHUTDOWN: Duration = Duration::from_secs(80);

/// How a journal takes a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Failed,
    Never,
}

#[derive(Debug)]
struct Away {
    kept: Arc<MemoryJournal>,
    answer: Mutex<Answer>,
}

impl Hook for Away {
    fn inner(&self) -> &dyn Journal {
        &*self.kept
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        let answer = *self.answer.lock();
        match answer {
            Answer::Done => self.kept.commit(epoch, writes),
            Answer::Failed => Box::pin(async { Err(JournalError::Full("no space left".into())) }),
            Answer::Never => Box::pin(std::future::pending()),
        }
    }

    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()> {
        match *self.answer.lock() {
            Answer::Never => Box::pin(std::future::pending()),
            _ => self.kept.release(epoch),
        }
    }

    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64> {
        match *self.answer.lock() {
            Answer::Never => Box::pin(std::future::pending()),
            _ => self.kept.delete(epoch, runs),
        }
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        match *self.answer.lock() {
            Answer::Never => Box::pin(std::future::pending()),
            _ => self.kept.read(stream, after, limit),
        }
    }
}

type Gone = Arc<Before<Away>>;

async fn process(journal: Arc<dyn Journal>, level: Durability, is_held: bool) -> Runtime {
    let slow = |_: ()| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    };
    let held = move |_: ()| async move {
        if is_held {
            std::future::pending::<()>().await;
        }
        Ok::<_, NodeError>(())
    };
    let builder = Runtime::builder().journal(journal).durability(level);
    let builder = builder.handler(Handler::one("slow", slow)).handler(Handler::one("held", held));
    let twice = Handler::many("twice", |_: ()| async { Ok(Emit::each([(), ()])) });
    builder.handler(twice).build().await.unwrap()
}

async fn publish(runtime: &Runtime) {
    let slow = || NodeSpec::new("slow");
    let held = || NodeSpec::new("held");
    for graph in [
        Document::builder("ends").node(slow()),
        Document::builder("held").node(held()),
        Document::builder("goes on").node(slow().next("held")).node(held()),
        Document::builder("child")
            .node(slow().next("sub"))
            .node(NodeSpec::new("sub").subgraph("held")),
        Document::builder("joins")
            .node(NodeSpec::new("twice").next("slow"))
            .node(slow().next("held"))
            .node(held().unites("twice")),
    ] {
        runtime.publish_and_promote(graph.build()).await.unwrap();
    }
}

/// A process that lost its journal a second ago, when runs of all graphs were under way.
async fn without_journal(level: Durability, answer: Answer) -> (Runtime, Vec<Run>, Gone) {
    let (kept, works) = (Arc::default(), Mutex::new(Answer::Done));
    let journal = Arc::new(Before(Away { kept, answer: works }));
    let runtime = process(journal.clone(), level, true).await;
    publish(&runtime).await;
    let mut runs = Vec::new();
    for graph in ["ends", "held", "goes on", "child", "joins"] {
        runs.push(runtime.start(graph, Value::Null).await.unwrap());
    }
    // What is left to put on record is that it was cancelled, and its end.
    let cancelled = runtime.start("held", Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    *journal.answer.lock() = answer;
    cancelled.cancel();
    runs.push(cancelled);
    tokio::time::sleep(Duration::from_secs(1)).await;
    (runtime, runs, journal)
}

async fn shut_down(level: Durability, answer: Answer) {
    let place = format!("{level:?}, {answer:?}");
    let (runtime, runs, journal) = without_journal(level, answer).await;
    let report = tokio::time::timeout(SHUTDOWN, runtime.shutdown(GRACE)).await;
    let report = report.unwrap_or_else(|_| panic!("{place}: it hangs"));
    assert_eq!(report.cancelled, [], "{place}");
    for run in &runs {
        assert!(report.parked.contains(&run.id()), "{place}: {}", run.graph());
        assert_eq!(run.outcome().await.status, RunStatus::Parked, "{place}: {}", run.graph());
    }
    drop(runtime);
    let next = process(journal.kept.clone(), level, false).await;
    for run in runs {
        let run = next.storage().unwrap().load(run.id()).await.unwrap();
        assert_eq!(run.outcome().await.status, RunStatus::Success, "{place}: {}", run.graph());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_parks_the_runs_that_wait_for_a_journal_which_stays_away() {
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        for answer in [Answer::Failed, Answer::Never] {
            shut_down(level, answer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_refuses_what_waits_for_a_journal_that_does_not_answer() {
    let (runtime, _, _) = without_journal(Durability::EveryState, Answer::Never).await;
    let graph = Document::builder("new").node(NodeSpec::new("slow")).build();
    let (starting, publishing) = (runtime.clone(), runtime.clone());
    let start = tokio::spawn(async move { starting.start("ends", Value::Null).await });
    let publish = tokio::spawn(async move { publishing.publish_and_promote(graph).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = tokio::time::timeout(SHUTDOWN, runtime.shutdown(GRACE)).await;
    drop(report.expect("it hangs"));
    let start = start.await.unwrap().unwrap_err();
    assert!(matches!(start, StartError::Journal { .. }), "{start:?}");
    let publish = publish.await.unwrap().unwrap_err();
    let is_not_saved = matches!(publish, PublishError::Version(VersionError::NotSaved(_)));
    assert!(is_not_saved, "{publish:?}");
}

/// A process that lacks what runs need which another one left behind, when its journal gives no answer any
/// more; the last run has ended.
async fn left_behind() -> (Runtime, Vec<Run>) {
    let (first, runs, journal) = without_journal(Durability::EveryState, Answer::Done).await;
    drop(first.shutdown(Duration::ZERO).await);
    let (kept, answer) = (journal.kept.clone(), Mutex::new(Answer::Done));
    let journal = Arc::new(Before(Away { kept, answer }));
    let runtime = Runtime::builder().journal(journal.clone()).build().await.unwrap();
    *journal.answer.lock() = Answer::Never;
    (runtime, runs)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_what_asks_a_journal_that_does_not_answer() {
    for is_locked in [false, true] {
        let (runtime, runs) = left_behind().await;
        let (stranded, ended) = (runtime.stranded()[0].run, runs.last().unwrap().id());
        let other = runtime.clone();
        // Nobody takes up a run as long as one is deleted.
        let delete = async move {
            if is_locked {
                other.storage().unwrap().delete([ended]).await.unwrap_err();
            }
        };
        let delete = tokio::spawn(delete);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let other = runtime.clone();
        let resume = tokio::spawn(async move { other.resume(stranded).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let report = tokio::time::timeout(SHUTDOWN, runtime.shutdown(GRACE)).await;
        assert_eq!(report.expect("it hangs"), ShutdownReport::default(), "{is_locked}");
        delete.await.unwrap();
        let refused = resume.await.unwrap().unwrap_err();
        match is_locked {
            true => assert_eq!(refused, StrandedReason::ShuttingDown),
            false => assert!(matches!(refused, StrandedReason::Unreadable(_)), "{refused:?}"),
        }
    }
}
