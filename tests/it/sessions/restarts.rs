//! Sessions that a journal has: after a restart they go on.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Journal, JournalError, JournalFuture, MemoryJournal, Record, RunQuery, Runtime, SessionError,
    StrandedReason, Stream, Value,
};

use super::{Calls, TOTAL, builder, n, number, single, sums};
use crate::durable::before::{Before, Hook};
use crate::durable::faulty::{Failure, Faulty};

async fn process(journal: &Arc<MemoryJournal>, calls: &Calls) -> Runtime {
    let runtime = builder(calls).journal(journal.clone()).build().await.unwrap();
    for graph in [sums(), single("slow")] {
        runtime.publish_and_promote(graph).await.unwrap();
    }
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_with_its_steps_slots_and_outcomes() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let session = process(&journal, &calls).await.session("s").graph("sums");
    let first = session.next(n(3)).input_id("a").await.unwrap();
    session.slot(&TOTAL).put(&10).await.unwrap();
    let view = session.view().await.unwrap();
    let known = calls.lock().len();

    let session = process(&journal, &calls).await.session("s");
    assert_eq!(session.view().await.unwrap(), view);
    assert_eq!(session.next(n(3)).input_id("a").await.unwrap(), first);
    assert_eq!(calls.lock().len(), known, "it did not run again");
    let next = session.next(n(1)).await.unwrap();
    assert_eq!((next.step, number(&next)), (2, 22));
    session.finish().await.unwrap();

    let session = process(&journal, &calls).await.session("s");
    let finished = SessionError::Finished { session: "s".into() };
    assert_eq!(session.next(n(1)).await.unwrap_err(), finished);
    assert!(session.events().next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_input_that_was_under_way_goes_on_by_itself() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    let input = first.session("s").graph("slow").next(n(60)).into_future();
    let input = tokio::spawn(input);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = process(&journal, &calls).await;
    // Nobody asks for the session until it has ended.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let open = RunQuery::default().status("SESSION_OPEN");
    assert_eq!(second.storage().unwrap().runs(&open).await.unwrap().len(), 1);
    let last = second.session("s").view().await.unwrap().last.unwrap();
    assert_eq!((last.step, number(&last)), (1, 60));
    drop((first, input));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_parks_the_input_and_the_next_process_ends_it() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    let session = first.session("s").graph("slow");
    let input = tokio::spawn(session.next(n(60)).input_id("a").into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = first.shutdown(Duration::ZERO).await;
    assert_eq!(report.parked.len(), 1);
    let parked = SessionError::Parked { session: "s".into(), step: 1 };
    assert_eq!(input.await.unwrap().unwrap_err(), parked);
    let second = process(&journal, &calls).await;
    let ended = second.session("s").next(n(60)).input_id("a").await.unwrap();
    assert_eq!((ended.step, number(&ended)), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn an_input_whose_version_is_absent_is_stranded_and_can_be_given_up() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    let input = first.session("s").graph("slow").next(n(60)).input_id("a").into_future();
    let input = tokio::spawn(input);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bare = Runtime::builder().journal(journal.clone()).build().await.unwrap();
    let session = bare.session("s");
    let refused = session.next(n(60)).input_id("a").await.unwrap_err();
    let SessionError::Stranded { step: 1, reason, .. } = &refused else { panic!("{refused:?}") };
    assert!(matches!(**reason, StrandedReason::NoVersion { .. }), "{reason:?}");
    assert_eq!(session.view().await.unwrap().stranded, Some(1));
    session.finish().await.unwrap();
    assert!(session.view().await.unwrap().is_finished);
    drop((first, input));
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_finished_when_the_input_goes_on_that_was_given_up() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    let input = first.session("s").graph("slow").next(n(60)).input_id("a").into_future();
    let input = tokio::spawn(input);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bare = Runtime::builder().journal(journal.clone()).build().await.unwrap();
    bare.session("s").finish().await.unwrap();
    bare.session("s").finish().await.unwrap();
    let view = bare.session("s").view().await.unwrap();
    assert!(view.is_finished && view.stranded.is_none());

    for _ in 0..2 {
        let later = process(&journal, &calls).await;
        let session = later.session("s");
        session.finish().await.unwrap();
        assert_eq!(session.slot(&TOTAL).get().await.unwrap(), None);
        let refused = session.next(n(60)).input_id("a").await.unwrap_err();
        assert_eq!(refused, SessionError::Finished { session: "s".into() });
        assert_eq!(session.view().await.unwrap(), view);
        tokio::time::sleep(Duration::from_secs(120)).await;
        let done = RunQuery::default().graph("slow").status("SUCCESS");
        assert_eq!(later.storage().unwrap().runs(&done).await.unwrap().len(), 1);
    }
    drop((first, input));
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_session_is_told_from_those_of_runs() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let runtime = process(&journal, &calls).await;
    let session = runtime.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    let storage = runtime.storage().unwrap();
    let rows = storage.runs(&RunQuery::default().status("SESSION_OPEN")).await.unwrap();
    assert_eq!((rows.len(), rows[0].key.as_deref()), (1, Some("s")));
    let unknown = Err(StrandedReason::UnknownRun);
    assert_eq!(storage.load(rows[0].run).await.map(drop), unknown);
    // A start of that key is another thing.
    let run = runtime.start("sums", Value::Null).idempotency_key("s").await.unwrap();
    assert_ne!(run.id(), rows[0].run);
    run.outcome().await;
    // Nor is an open session a run that could go on, or be deleted.
    let second = process(&journal, &calls).await;
    assert_eq!(second.stranded(), []);
    let storage = second.storage().unwrap();
    assert_eq!(storage.keep_latest("sums", 0).await.unwrap(), 2);
    assert_eq!(storage.delete([rows[0].run]).await.unwrap(), 0);
    let session = second.session("s");
    assert_eq!(session.next(n(1)).await.unwrap().step, 2, "its runs are gone, and it is not");
    session.finish().await.unwrap();
    assert_eq!(storage.delete([rows[0].run]).await.unwrap(), 1);
    assert!(second.session("s").view().await.is_err(), "it is gone");
    assert_eq!(journal.runs(&RunQuery::default().status("SESSION_FINISHED")).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_runtime_whose_runs_are_not_on_record_is_on_record() {
    let journal = Arc::new(MemoryJournal::new());
    let calls = Calls::default();
    let level = hotgraph::Durability::None;
    let build = || builder(&calls).durability(level).journal(journal.clone()).build();
    let first = build().await.unwrap();
    first.publish_and_promote(sums()).await.unwrap();
    let ended = first.session("s").graph("sums").next(n(3)).input_id("a").await.unwrap();
    let second = build().await.unwrap();
    assert_eq!(second.session("s").next(n(3)).input_id("a").await.unwrap(), ended);
    assert_eq!(calls.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_session_was_refused_and_is_on_record_is_taken_back_whole() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    for id in ["s", "other"] {
        first.session(id).graph("sums").next(n(3)).await.unwrap();
    }
    let view = first.session("s").view().await.unwrap();
    drop(first);
    let faulty = Faulty::new(journal.clone(), Failure::Written, 0, 1);
    let second = builder(&calls).journal(faulty).build().await.unwrap();
    let refused = second.session("s").slot(&TOTAL).put(&10).await.unwrap_err();
    assert!(matches!(refused, SessionError::Journal { .. }), "{refused:?}");
    second.session("other").slot(&TOTAL).put(&10).await.unwrap();
    drop(second);
    let third = process(&journal, &calls).await;
    assert_eq!(third.session("s").view().await, Ok(view));
    assert_eq!(third.session("s").slot(&TOTAL).get().await, Ok(Some(3)));
}

/// Flips a bit of what is read of the session `bad`.
#[derive(Debug)]
struct Flipping(Arc<MemoryJournal>);

impl Hook for Flipping {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let mut records = self.0.read(stream, after, limit).await?;
            let is_bad =
                |record: &Record| String::from_utf8_lossy(&record.body).contains("\"bad\"");
            if records.first().is_some_and(is_bad) {
                records[1].body[0] ^= 1;
            }
            Ok(records)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_stops_its_session_and_no_other() {
    let (journal, calls) = (Arc::new(MemoryJournal::new()), Calls::default());
    let first = process(&journal, &calls).await;
    for id in ["bad", "good"] {
        first.session(id).graph("sums").next(n(1)).await.unwrap();
    }
    let flipping = Arc::new(Before(Flipping(journal.clone())));
    let second = builder(&calls).journal(flipping).build().await.unwrap();
    let refused = second.session("bad").next(n(1)).await.unwrap_err();
    let SessionError::Journal { source, .. } = refused else { panic!("{refused:?}") };
    assert!(matches!(source, JournalError::Corrupt { seq: Some(2), .. }), "{source:?}");
    assert_eq!(second.session("good").next(n(1)).await.unwrap().step, 2);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_session_in_a_file_goes_on() {
    let folder = crate::journal::folder::Folder::new();
    let mut ends = Vec::new();
    for step in 1..=3 {
        let journal = hotgraph::SqliteJournal::open(folder.path().join("runs.db")).await.unwrap();
        let runtime = builder(&Calls::default()).journal(Arc::new(journal)).build().await.unwrap();
        runtime.publish_and_promote(sums()).await.unwrap();
        let session = runtime.session("s").graph("sums");
        ends.push(session.next(n(step)).input_id(step.to_string()).await.unwrap());
        for (step, known) in (1..).zip(&ends) {
            let again = session.next(n(step)).input_id(step.to_string()).await.unwrap();
            assert_eq!((again.step, &again), (step, known));
        }
        let _ = runtime.shutdown(Duration::from_secs(5)).await;
    }
    assert_eq!(number(&ends[2]), 12);
}
