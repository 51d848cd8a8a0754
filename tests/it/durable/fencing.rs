//! Two runtimes on one journal: the one that came later goes on with the runs, once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Journal, JournalError, MemoryJournal, RunQuery, RunStatus, Runtime, StartError, Stream, Value,
    VersionError,
};

use super::graphs;
use super::scenarios::{self, Calls};
use super::seen::on_record;

async fn process(journal: &Arc<MemoryJournal>, calls: &Calls, seed: u64) -> Runtime {
    let runtime = scenarios::runtime(calls).seed(seed).journal(journal.clone());
    runtime.build().await.unwrap()
}

/// Every record there is.
async fn records(journal: &MemoryJournal) -> u64 {
    journal.size().await.unwrap().records
}

#[tokio::test(start_paused = true)]
async fn a_runtime_whose_journal_was_taken_parks_its_runs_and_refuses_the_rest() {
    let journal = Arc::new(MemoryJournal::new());
    let (calls, later) = (Calls::default(), Calls::default());
    let first = process(&journal, &calls, 1).await;
    first.publish_and_promote(graphs::small()).await.unwrap();
    let start = |runtime: &Runtime, key: &str| {
        runtime.start("small", Value::object([("n", 6)])).idempotency_key(key)
    };
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(start(&first, &format!("run {number}")).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let recorded = on_record(&*journal).await;
    assert!(recorded.len() > 20, "{}", recorded.len());

    let second = process(&journal, &later, 2).await;
    assert_eq!((second.stranded(), second.live_runs()), (vec![], 20));
    let refused = start(&first, "late").await.unwrap_err();
    let StartError::Journal { source: JournalError::Fenced { .. }, .. } = refused else {
        panic!("{refused:?}");
    };
    let refused = first.versions("small").hold(1).await.unwrap_err();
    assert!(matches!(refused, VersionError::NotSaved(_)), "{refused:?}");
    for run in &runs {
        let outcome = tokio::time::timeout(Duration::from_secs(600), run.outcome()).await.unwrap();
        assert_eq!(outcome.status, RunStatus::Parked);
    }
    assert_eq!(first.live_runs(), 0);
    for run in &runs {
        let outcome = second.run(run.id()).unwrap().outcome().await;
        assert_eq!(outcome.status, RunStatus::Success);
        assert_eq!(outcome.outputs["gather"].to_json(), r#"{"n":15}"#);
    }
    let again: Vec<_> =
        later.lock().iter().filter(|call| recorded.contains(*call)).cloned().collect();
    assert_eq!(again, [], "ran again although it was on record");
    let all = later.lock().len();
    assert_eq!(later.lock().iter().collect::<BTreeSet<_>>().len(), all, "ran twice");

    // Nothing that the first one does reaches the journal any more.
    let (before, rows) =
        (records(&journal).await, journal.runs(&RunQuery::default()).await.unwrap());
    start(&first, "later still").await.unwrap_err();
    let _ = first.shutdown(Duration::from_secs(60)).await;
    assert_eq!(records(&journal).await, before);
    assert_eq!(journal.runs(&RunQuery::default()).await.unwrap(), rows);
    assert!(journal.read(Stream::Versions, 0, 10).await.unwrap().len() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_run_of_a_parked_parent_is_parked_with_it() {
    let journal = Arc::new(MemoryJournal::new());
    let scenario = graphs::all().into_iter().find(|all| all.name == "sub-graphs").unwrap();
    let first = process(&journal, &Calls::default(), 1).await;
    scenario.publish(&first).await;
    let run = scenario.start(&first).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = first.shutdown(Duration::ZERO).await;
    assert_eq!((report.parked.len(), report.cancelled.len()), (4, 0));
    drop(first);
    let second = process(&journal, &Calls::default(), 2).await;
    assert_eq!(second.stranded(), []);
    for row in journal.runs(&RunQuery::default()).await.unwrap() {
        assert_eq!((row.ended_at, &*row.status), (None, "RUNNING"), "{row:?}");
    }
    let outcome = second.run(run.id()).unwrap().outcome().await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(journal.size().await.unwrap().runs, 4);
}
