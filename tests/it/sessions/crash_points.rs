//! A process that dies at any commit of a session: its inputs, given again by their ids, end as if it
//! had not died.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Journal, MemoryJournal, NodeSpec, RunQuery, RunStatus, Runtime, Session,
    SessionError, Stream, SystemClock,
};

use super::{Calls, TOTAL, builder, n, sums};
use crate::durable::cut::{Cut, Process};
use crate::durable::seen::on_record;

/// The number of an input, and how it ended.
type Ended = (u64, String, String);

/// What was seen of a session at its end.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    inputs: Vec<Ended>,
    total: Option<u64>,
    steps: u64,
    is_finished: bool,
}

/// The second version: `add`, a fanout below it, and a merger.
fn changed() -> Document {
    Document::builder("sums")
        .node(NodeSpec::new("add").input("n", 1).next("list"))
        .node(NodeSpec::new("list").input("n", "${{add.outputs.n}}").next("twice"))
        .node(NodeSpec::new("twice").input("n", "${{list.outputs.n}}").next("gather"))
        .node(NodeSpec::new("gather").unites("list").input("n", "${{twice.outputs.n}}"))
        .build()
}

async fn give(session: &Session, id: &str, value: u64, entry: Option<&str>) -> Ended {
    let next = session.next(n(value)).input_id(id);
    let next = if let Some(entry) = entry { next.entry(entry) } else { next };
    let ended = next.await.unwrap();
    assert_eq!(ended.input_id.as_deref(), Some(id));
    let (status, version) = (ended.outcome.status, ended.outcome.version);
    let outputs = ended.outcome.outputs.iter();
    let outputs = outputs.map(|(node, value)| format!("{node} {}", value.to_json()));
    (ended.step, format!("{status} on {version}"), outputs.collect())
}

/// Passes over what a session that is finished already refuses.
fn unless_finished<T>(answer: Result<T, SessionError>) {
    assert!(matches!(answer, Ok(_) | Err(SessionError::Finished { .. })));
}

/// What a caller does that does not know how far it came before a crash.
async fn script(runtime: &Runtime) -> Seen {
    if runtime.versions("sums").list().is_empty() {
        runtime.publish_and_promote(sums()).await.unwrap();
    }
    let session = runtime.session("s").graph("sums");
    let mut inputs = vec![give(&session, "a", 3, None).await];
    inputs.push(give(&session, "b", 5, Some("twice")).await);
    inputs.push(give(&session, "c", 13, None).await);
    runtime.publish_and_promote(changed()).await.unwrap();
    unless_finished(session.newest().await);
    inputs.push(give(&session, "d", 2, None).await);
    inputs.push(give(&session, "e", 4, Some("list")).await);
    session.finish().await.unwrap();
    let view = session.view().await.unwrap();
    let total = session.slot(&TOTAL).get().await.unwrap();
    Seen { inputs, total, steps: view.steps, is_finished: view.is_finished }
}

impl Process {
    /// Does everything until it is done or the process has died.
    async fn follow_script(&self, level: Durability, seed: u64) -> Option<Seen> {
        let builder = builder(&self.calls).seed(seed).durability(level).clock(self.clock.clone());
        let work = async {
            let runtime = builder.journal(self.journal.clone()).build().await.unwrap();
            assert_eq!(runtime.stranded(), []);
            script(&runtime).await
        };
        self.until_it_dies(work).await
    }
}

async fn cut_off(level: Durability, cut: Cut, expected: &Seen, runs: u64) {
    let place = format!("{level:?}, {cut:?}");
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let first = Process::new(kept.clone(), cut, &clock);
    if let Some(seen) = first.follow_script(level, 1).await {
        assert_eq!(&seen, expected, "{place}");
        return;
    }
    // What is under way in the dead process goes as far as it goes without its journal.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let recorded = on_record(&*kept).await;
    let second = Process::new(kept.clone(), Cut::Never, &clock);
    let again =
        tokio::time::timeout(Duration::from_secs(86_400), second.follow_script(level, 2)).await;
    let seen = again.unwrap_or_else(|_| panic!("{place}: it hangs")).unwrap();
    assert_eq!(&seen, expected, "{place}");
    assert_eq!(kept.size().await.unwrap().runs, runs, "{place}: an input has two runs");
    if level == Durability::EveryState {
        let calls = second.calls.lock();
        let again: Vec<_> = calls.iter().filter(|call| recorded.contains(*call)).collect();
        assert!(again.is_empty(), "{place}: ran again although it was on record: {again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_cut_off_at_any_commit_ends_as_if_it_had_not_been() {
    for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
        let whole = Process::new(Arc::default(), Cut::Never, &SystemClock::new());
        let expected = whole.follow_script(level, 1).await.unwrap();
        let steps: Vec<_> = expected.inputs.iter().map(|(step, ..)| *step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5]);
        assert_eq!((expected.total, expected.steps, expected.is_finished), (Some(5), 5, true));
        let runs = whole.journal.inner.size().await.unwrap().runs;
        assert_eq!(runs, 6, "five runs and the session");
        let commits = whole.journal.commits();
        println!("{level:?}: {commits} commits, {expected:?}");
        for at in 0..commits + 2 {
            for cut in [Cut::Before(at), Cut::After(at)] {
                cut_off(level, cut, &expected, runs).await;
            }
        }
    }
}

/// A journal whose process died when it had accepted an input, and not begun it.
async fn accepted_only(clock: &SystemClock) -> Arc<MemoryJournal> {
    for at in 0.. {
        let kept = Arc::new(MemoryJournal::new());
        let process = Process::new(kept.clone(), Cut::After(at), clock);
        assert!(
            process.follow_script(Durability::EveryState, 1).await.is_none(),
            "there is no such commit"
        );
        let rows = kept.runs(&RunQuery::default()).await.unwrap();
        if rows.len() == 1 && &*rows[0].status == "SESSION_BUSY" {
            return kept;
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(start_paused = true)]
async fn an_input_that_was_accepted_is_begun_by_itself_and_once() {
    let clock = SystemClock::new();
    let kept = accepted_only(&clock).await;
    let stream = Stream::Run(kept.runs(&RunQuery::default()).await.unwrap()[0].run);
    let records = kept.read(stream, 0, usize::MAX).await.unwrap();
    let accepted: serde_json::Value = serde_json::from_slice(&records[1].body).unwrap();
    let calls = Calls::default();
    let second = builder(&calls).clock(clock).journal(kept.clone()).build().await.unwrap();
    // Nobody asks for it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(calls.lock().len(), 2);
    let ended = second.session("s").next(n(3)).input_id("a").await.unwrap();
    assert_eq!((ended.step, calls.lock().len()), (1, 2));
    // It is the run that was chosen when the input was accepted.
    assert_eq!(accepted["Accepted"]["run"], ended.outcome.run.to_string());
}

#[tokio::test(start_paused = true)]
async fn an_input_that_cannot_begin_any_more_ends_as_cancelled() {
    let kept = accepted_only(&SystemClock::new()).await;
    // Without its handlers the input does not begin; meanwhile its version is revoked.
    let bare = Runtime::builder().journal(kept.clone()).build().await.unwrap();
    bare.versions("sums").revoke(1).await.unwrap();
    let whole = builder(&Calls::default()).journal(kept).build().await.unwrap();
    let session = whole.session("s");
    let ended = session.next(n(3)).input_id("a").await.unwrap();
    assert_eq!(ended.outcome.status, RunStatus::Cancelled);
    assert!(ended.outcome.stopped.is_some());
    assert_eq!(session.view().await.unwrap().stranded, None);
}

#[tokio::test(start_paused = true)]
async fn an_input_that_cannot_begin_in_this_process_is_given_up_with_its_session() {
    let kept = accepted_only(&SystemClock::new()).await;
    let bare = Runtime::builder().journal(kept.clone()).build().await.unwrap();
    bare.session("s").finish().await.unwrap();
    let calls = Calls::default();
    let whole = builder(&calls).journal(kept).build().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(whole.session("s").view().await.unwrap().is_finished);
    assert_eq!(calls.lock().len(), 0);
}
