//! Stranded runs that are given up: they end as `CANCELLED`, wherever they were, and for every process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotgraph::{
    Document, Durability, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal,
    NodeSpec, RetryPolicy, RunId, RunQuery, RunStatus, Runtime, RuntimeBuilder, StartError,
    StrandedReason, SystemClock, Value, Write,
};

use super::before::{Before, Hook};
use super::cut::{Cut, Process};
use super::graphs;
use super::scenarios::{self, Scenario};

fn held() -> Handler {
    Handler::one("held", |_: ()| std::future::pending::<Result<(), hotgraph::NodeError>>())
}

fn other() -> Handler {
    Handler::one("other", |_: ()| async { Ok(()) })
}

fn process(journal: &Arc<impl Journal>) -> RuntimeBuilder {
    Runtime::builder().journal(journal.clone())
}

/// A journal with a parked run of `g`, or of `around`, which runs `g` and then `other`.
async fn parked(started: &str) -> (Arc<MemoryJournal>, RunId) {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).handler(held()).handler(other()).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("held")).build();
    let sub = NodeSpec::new("sub").subgraph("g").retry(RetryPolicy::none()).next("other");
    let around = Document::builder("around").node(sub).node(NodeSpec::new("other")).build();
    for graph in [graph, around] {
        first.publish_and_promote(graph).await.unwrap();
    }
    let run = first.start(started, Value::Null).idempotency_key("key").await.unwrap().id();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(first.shutdown(Duration::ZERO).await.parked.contains(&run));
    (journal, run)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_has_ended_for_every_process() {
    let (journal, run) = parked("g").await;
    let second = process(&journal).build().await.unwrap();
    assert_eq!(second.stranded().len(), 1);
    second.give_up(run).await.unwrap();
    assert_eq!((second.stranded(), second.live_runs()), (vec![], 0));
    assert_eq!(second.give_up(run).await, Err(StrandedReason::NotStranded));
    assert_eq!(second.resume(run).await.unwrap_err(), StrandedReason::NotStranded);
    let key = second.start("g", Value::Null).idempotency_key("key").await.unwrap_err();
    assert!(matches!(key, StartError::Stranded { .. }), "{key:?}");
    assert!(second.shutdown(Duration::ZERO).await.parked.is_empty());

    let third = process(&journal).handler(held()).build().await.unwrap();
    assert_eq!((third.stranded(), third.live_runs()), (vec![], 0));
    let found = third.start("g", Value::Null).idempotency_key("key").await.unwrap();
    let outcome = found.outcome().await;
    assert_eq!((found.id(), outcome.status), (run, RunStatus::Cancelled));
    assert_eq!(third.storage().unwrap().delete([run]).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_keeps_no_version() {
    let (journal, run) = parked("g").await;
    let second = process(&journal).build().await.unwrap();
    let live = || second.versions("g").get(1).unwrap().live;
    assert_eq!(live(), 1);
    second.give_up(run).await.unwrap();
    assert_eq!(live(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_went_on_ahead_of_the_run_that_is_given_up_is_cancelled() {
    let (journal, run) = parked("around").await;
    // The run lacks a handler, and its child does not.
    let second = process(&journal).handler(held()).build().await.unwrap();
    assert_eq!((second.stranded().len(), second.live_runs()), (1, 1));
    let child = journal.runs(&RunQuery::default().graph("g")).await.unwrap()[0].run;
    let child = second.run(child).unwrap();
    second.give_up(run).await.unwrap();
    assert_eq!(child.await.status, RunStatus::Cancelled);
    assert_eq!((second.stranded(), second.live_runs()), (vec![], 0));
}

/// A journal that takes nothing for a while.
#[derive(Debug)]
struct Full(Arc<MemoryJournal>, AtomicBool);

impl Hook for Full {
    fn inner(&self) -> &dyn Journal {
        &*self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        match self.1.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(full()) }),
            false => self.0.commit(epoch, writes),
        }
    }
}

fn full() -> JournalError {
    JournalError::Full("no room".into())
}

#[tokio::test(start_paused = true)]
async fn a_run_stays_stranded_if_the_journal_does_not_take_its_end() {
    let (journal, run) = parked("g").await;
    let full_journal = Arc::new(Before(Full(journal.clone(), AtomicBool::new(false))));
    let second = process(&full_journal).build().await.unwrap();
    full_journal.1.store(true, Ordering::SeqCst);
    assert_eq!(second.give_up(run).await, Err(StrandedReason::Unreadable(full())));
    assert_eq!(second.stranded().len(), 1);
    full_journal.1.store(false, Ordering::SeqCst);
    second.register(held()).unwrap();
    let again = second.resume(run).await.unwrap();
    again.cancel();
    assert_eq!(again.await.status, RunStatus::Cancelled);
}

/// A scenario that is cut off at a commit, given up by a process without its handlers, and read by one
/// that has them.
async fn give_up_at(scenario: &Scenario, level: Durability, cut: Cut) -> bool {
    let place = format!("{}, {level:?}, {cut:?}", scenario.name);
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let first = Process::new(kept.clone(), cut, &clock);
    let builder = || scenarios::runtime(&first.calls).durability(level).clock(clock.clone());
    let work = async {
        let runtime = builder().journal(first.journal.clone()).build().await.unwrap();
        scenario.publish(&runtime).await;
        let run = scenario.start(&runtime).await.unwrap();
        scenario.carry_out(run, &runtime).await;
    };
    if first.until_it_dies(work).await.is_some() {
        return false;
    }
    let unfinished = kept.runs(&RunQuery::default().unfinished()).await.unwrap();
    let bare = process(&kept).build().await.unwrap();
    assert_eq!(bare.stranded().len(), unfinished.len(), "{place}");
    for row in &unfinished {
        bare.give_up(row.run).await.unwrap_or_else(|why| panic!("{place}: {why:?}"));
    }
    assert!(bare.shutdown(Duration::ZERO).await.parked.is_empty());

    let runtime = builder().journal(kept.clone()).build().await.unwrap();
    assert_eq!((runtime.stranded(), runtime.live_runs()), (vec![], 0), "{place}");
    for row in unfinished {
        let run = runtime.storage().unwrap().load(row.run).await;
        let run = run.unwrap_or_else(|why| panic!("{place}: {why:?}"));
        assert_eq!(run.outcome().await.status, RunStatus::Cancelled, "{place}");
        let all_ended = run.states().iter().all(|state| state.status.is_terminal());
        assert!(all_ended, "{place}: {:?}", run.states());
    }
    true
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_at_any_commit_can_be_given_up_and_read() {
    let mut cuts = 0;
    for scenario in graphs::all() {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            let mut at = 0;
            while give_up_at(&scenario, level, Cut::After(at)).await {
                (at, cuts) = (at + 3, cuts + 1);
            }
        }
    }
    assert!(cuts > 100, "{cuts}");
}
