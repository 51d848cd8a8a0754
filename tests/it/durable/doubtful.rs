//! Runs and sessions that are read or deleted while the journal is in doubt, changes, or is lost.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal, NodeSpec,
    Record, RunId, RunQuery, RunStatus, Runtime, SessionError, StartError, StrandedReason, Stream,
    Value, Write,
};

use super::before::{Before, Hook};

/// A journal that says for a while that it is unavailable when it has written everything.
#[derive(Debug)]
struct Doubtful {
    kept: Arc<MemoryJournal>,
    is_away: AtomicBool,
}

impl Hook for Doubtful {
    fn inner(&self) -> &dyn Journal {
        &*self.kept
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            self.kept.commit(epoch, writes).await?;
            match self.is_away.load(Ordering::SeqCst) {
                true => Err(JournalError::Unavailable("no answer".into())),
                false => Ok(()),
            }
        })
    }
}

impl Doubtful {
    fn new() -> Arc<Before<Self>> {
        Arc::new(Before(Self { kept: Arc::default(), is_away: AtomicBool::new(false) }))
    }

    fn away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }
}

fn slow() -> Handler {
    let slow = |(), ctx: hotgraph::Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    Handler::one("slow", slow)
}

async fn process(journal: &Arc<Before<Doubtful>>) -> Runtime {
    let builder = Runtime::builder().journal(journal.clone());
    builder.handler(slow()).build().await.unwrap()
}

async fn publish(runtime: &Runtime) {
    let graph = Document::builder("g").node(NodeSpec::new("slow")).build();
    runtime.publish_and_promote(graph).await.unwrap();
}

/// A process that lacks the handler of a run.
async fn stranded(journal: &Arc<Before<Doubtful>>) -> (Runtime, RunId) {
    let first = process(journal).await;
    publish(&first).await;
    let run = first.start("g", Value::Null).await.unwrap().id();
    assert_eq!(first.shutdown(Duration::ZERO).await.parked, [run]);
    (Runtime::builder().journal(journal.clone()).build().await.unwrap(), run)
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_end_by_hand_was_refused_is_not_deleted() {
    let journal = Doubtful::new();
    let (runtime, run) = stranded(&journal).await;
    journal.away(true);
    assert!(runtime.give_up(run).await.is_err());
    journal.away(false);
    assert_eq!(runtime.storage().unwrap().delete([run]).await, Ok(0));
    runtime.register(slow()).unwrap();
    let again = runtime.resume(run).await.unwrap();
    assert_eq!(again.await.status, RunStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_end_was_refused_is_not_deleted() {
    let journal = Doubtful::new();
    let runtime = process(&journal).await;
    publish(&runtime).await;
    let session = runtime.session("s").graph("g");
    session.next(Value::Null).await.unwrap();
    journal.away(true);
    assert!(session.finish().await.is_err());
    journal.away(false);
    let deleted = runtime.storage().unwrap().delete_older_than(Duration::ZERO).await;
    assert_eq!(deleted, Ok(1), "the run of its input has ended");
    session.next(Value::Null).await.unwrap();
    session.finish().await.unwrap();

    let second = process(&journal).await;
    assert_eq!(second.session("s").view().await.unwrap().steps, 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_beginning_was_refused_has_not_begun_for_another_handle() {
    let journal = Doubtful::new();
    let runtime = process(&journal).await;
    publish(&runtime).await;
    let next = || async { runtime.session("s").graph("g").next(Value::Null).await };
    journal.away(true);
    assert!(next().await.is_err());
    journal.away(false);
    assert_eq!(next().await.unwrap().step, 1);

    let second = process(&journal).await;
    assert_eq!(second.session("s").view().await.unwrap().steps, 1);
}

#[tokio::test(start_paused = true)]
async fn the_run_of_an_input_is_not_deleted_before_its_session_has_its_end() {
    let journal = Doubtful::new();
    let first = process(&journal).await;
    publish(&first).await;
    let input = tokio::spawn(first.session("s").graph("g").next(Value::Null).into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = first.shutdown(Duration::ZERO).await.parked[0];
    assert!(input.await.unwrap().is_err());
    let second = Runtime::builder().journal(journal.clone()).build().await.unwrap();
    second.give_up(run).await.unwrap();
    assert_eq!(second.storage().unwrap().delete([run]).await, Ok(0));
    assert!(second.shutdown(Duration::ZERO).await.parked.is_empty());

    let third = process(&journal).await;
    let last = third.session("s").view().await.unwrap().last.unwrap();
    assert_eq!((last.step, last.outcome.status), (1, RunStatus::Cancelled), "it ran again");
    assert_eq!(third.storage().unwrap().delete([run]).await, Ok(1));
}

/// A journal whose reader is overtaken by a deletion.
#[derive(Debug)]
struct Overtaken(Arc<MemoryJournal>, AtomicBool);

impl Hook for Overtaken {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            if self.1.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.0.read(stream, after, limit).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_deleted_while_it_is_read_is_unknown_and_not_damaged() {
    let journal = Arc::new(Before(Overtaken(Arc::default(), AtomicBool::new(false))));
    let builder = Runtime::builder().journal(journal.clone()).handler(slow());
    let runtime = builder.build().await.unwrap();
    publish(&runtime).await;
    let storage = runtime.storage().unwrap();
    for _ in 0..2 {
        let run = runtime.start("g", Value::Null).await.unwrap();
        run.outcome().await;
        journal.1.store(true, Ordering::SeqCst);
        let (history, at, deleted) = tokio::join!(
            storage.history(run.id()),
            storage.load_at(run.id(), 2),
            storage.delete([run.id()])
        );
        assert_eq!(deleted, Ok(1));
        assert_eq!(history.unwrap_err(), StrandedReason::UnknownRun);
        assert_eq!(at.unwrap_err(), StrandedReason::UnknownRun);
        journal.1.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_while_it_is_read_is_unknown_and_not_damaged() {
    let journal = Arc::new(Before(Overtaken(Arc::default(), AtomicBool::new(false))));
    let runtime = Runtime::builder().journal(journal.clone()).handler(slow());
    let runtime = runtime.keep_ended(0).build().await.unwrap();
    publish(&runtime).await;
    let session = runtime.session("s").graph("g");
    session.next(Value::Null).await.unwrap();
    session.finish().await.unwrap();
    drop(session);
    let kept = journal.runs(&RunQuery::default()).await.unwrap();
    let runs: Arc<[RunId]> = kept.iter().map(|row| row.run).collect();
    journal.1.store(true, Ordering::SeqCst);
    let session = runtime.session("s");
    let deletion = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // As by a `Storage` that asked before anybody read it.
        journal.delete(Epoch(1), runs).await.unwrap();
    };
    let (view, ()) = tokio::join!(session.view(), deletion);
    assert_eq!(view.unwrap_err(), SessionError::Unknown { session: "s".into() });
}

#[tokio::test(start_paused = true)]
async fn a_start_with_the_key_of_a_run_that_the_shutdown_parked_is_told_so() {
    let journal = Arc::new(Before(Overtaken(Arc::default(), AtomicBool::new(false))));
    let builder = || Runtime::builder().journal(journal.clone()).handler(slow()).keep_ended(0);
    let first = builder().build().await.unwrap();
    publish(&first).await;
    first.session("s").graph("g").next(Value::Null).await.unwrap();
    assert!(first.shutdown(Duration::ZERO).await.parked.is_empty());

    let second = builder().build().await.unwrap();
    let start = || second.start("g", Value::Null).idempotency_key("key");
    let run = start().await.unwrap();
    journal.1.store(true, Ordering::SeqCst);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(run.outcome().await.status, RunStatus::Parked);
        start().await.unwrap_err()
    };
    // The shutdown waits for the session, which takes its time to be read.
    let session = second.session("s");
    let (_, refused, _) = tokio::join!(session.view(), meanwhile, second.shutdown(Duration::ZERO));
    assert_eq!(refused, StartError::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_is_shut_down_tells_no_run_to_be_damaged() {
    let journal = Doubtful::new();
    let (runtime, run) = stranded(&journal).await;
    assert!(runtime.shutdown(Duration::ZERO).await.parked.is_empty());
    let refused = runtime.give_up(run).await.unwrap_err();
    assert!(!matches!(refused, StrandedReason::Damaged(_)), "{refused:?}");
    assert_eq!(journal.runs(&RunQuery::default().unfinished()).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_lost_its_journal_tells_no_run_to_be_damaged() {
    let journal = Doubtful::new();
    let (runtime, run) = stranded(&journal).await;
    let _next = process(&journal).await;
    let refused = runtime.give_up(run).await.unwrap_err();
    assert!(!matches!(refused, StrandedReason::Damaged(_)), "{refused:?}");
}
