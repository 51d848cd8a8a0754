//! A start that is refused and on record all the same, or that another start of its key overtakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeSpec,
    RunQuery, RunRow, RunStatus, Runtime, SessionError, StartError, Value, Write,
};
use parking_lot::Mutex;

use super::before::{Before, Hook};

/// What a journal does with a commit.
#[derive(Clone, Copy, Debug)]
enum Does {
    Commits,
    /// It does, and the answer is lost.
    Loses,
    Refuses,
}

/// A journal with a bad connection: what it does with the next commits, the last one first.
#[derive(Debug, Default)]
struct Unsteady(MemoryJournal, Mutex<Vec<Does>>);

impl Hook for Unsteady {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            let does = self.1.lock().pop().unwrap_or(Does::Commits);
            if !matches!(does, Does::Refuses) {
                self.0.commit(epoch, writes).await?;
            }
            match does {
                Does::Commits => Ok(()),
                _ => Err(JournalError::Unavailable("no answer".into())),
            }
        })
    }
}

async fn open(journal: Arc<dyn Journal>) -> Runtime {
    let last = Handler::one("last", |_: (), ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    let runtime = Runtime::builder().handler(last).journal(journal).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("last"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

/// The statuses of the runs and sessions that a journal has.
async fn statuses(journal: &dyn Journal) -> Vec<String> {
    let rows = journal.runs(&RunQuery::default()).await.unwrap();
    let mut all: Vec<_> = rows.iter().map(|row| row.status.to_string()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_refused_and_is_on_record_can_be_made_again() {
    let journal = Arc::new(Before(Unsteady::default()));
    let runtime = open(journal.clone()).await;
    // The second one is that which is to take the first back.
    *journal.1.lock() = vec![Does::Refuses, Does::Refuses, Does::Loses];
    for _ in 0..2 {
        let refused = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap_err();
        assert!(matches!(refused, StartError::Journal { .. }), "{refused:?}");
        assert_eq!(statuses(&*journal).await, ["RUNNING"]);
    }
    let run = runtime.start("g", Value::Null).idempotency_key("once").await.unwrap();
    assert_eq!(run.await.status, RunStatus::Success);
    assert_eq!(statuses(&*journal).await, ["SUCCESS"]);
}

#[tokio::test(start_paused = true)]
async fn an_input_whose_run_was_refused_and_is_on_record_is_carried_out_once() {
    let journal = Arc::new(Before(Unsteady::default()));
    let runtime = open(journal.clone()).await;
    let session = runtime.session("s").graph("g");
    // The input is accepted, and then its run is refused.
    *journal.1.lock() = vec![Does::Refuses, Does::Refuses, Does::Loses, Does::Commits];
    for _ in 0..2 {
        let refused = session.next(Value::Null).input_id("a").await.unwrap_err();
        let is_of_journal = match &refused {
            SessionError::Journal { .. } => true,
            SessionError::Start { source, .. } => matches!(**source, StartError::Journal { .. }),
            _ => false,
        };
        assert!(is_of_journal, "{refused:?}");
        assert_eq!(statuses(&*journal).await, ["RUNNING", "SESSION_BUSY"]);
    }
    let ended = session.next(Value::Null).input_id("a").await.unwrap();
    assert_eq!((ended.step, ended.outcome.status), (1, RunStatus::Success));
    assert_eq!(statuses(&*journal).await, ["SESSION_OPEN", "SUCCESS"]);
}

/// A journal that takes its time to find runs, once.
#[derive(Debug, Default)]
struct SlowToFind(MemoryJournal, AtomicBool);

impl Hook for SlowToFind {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(async move {
            if self.1.swap(false, Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.0.runs(query).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn two_starts_of_one_key_find_one_run_also_if_one_is_on_record_before_the_other_looks() {
    let journal = Arc::new(Before(SlowToFind::default()));
    let runtime = open(journal.clone()).await;
    journal.1.store(true, Ordering::SeqCst);
    let start = || async { runtime.start("g", Value::Null).idempotency_key("once").await };
    let (one, other) = tokio::join!(start(), start());
    assert_eq!(one.unwrap().id(), other.unwrap().id());
}
