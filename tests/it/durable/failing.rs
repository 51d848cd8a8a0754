//! A journal that fails at any commit: runs wait or fail, starts are refused, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Journal, MemoryJournal, NodeSpec, OnSaveFailure, PublishError,
    RetryPolicy, Run, RunId, RunQuery, RunStatus, Runtime, StartError, SystemClock, VersionError,
};

use super::faulty::{FAILURES, Failure, Faulty};
use super::graphs;
use super::scenarios::{self, Act, Calls, Scenario};
use super::seen::{Ended, ended_roughly};

/// Longer than a journal stays away in these tests, or a run takes.
const LONG: Duration = Duration::from_secs(86_400);

const FOR_EVER: usize = usize::MAX;

/// One way in which a journal fails under a scenario.
#[derive(Clone, Copy, Debug)]
struct Fault {
    failure: Failure,
    from: usize,
    for_: usize,
    on_failure: OnSaveFailure,
    level: Durability,
}

fn scenarios() -> Vec<Scenario> {
    let names = ["chain", "a fanout and its merger", "branches that wait", "retries", "a fold"];
    graphs::all().into_iter().filter(|scenario| names.contains(&scenario.name)).collect()
}

struct Process {
    runtime: Runtime,
    journal: Arc<Faulty>,
    /// What was refused.
    refused: usize,
}

impl Process {
    async fn new(journal: Arc<Faulty>, fault: Fault, clock: &SystemClock, seed: u64) -> Self {
        let runtime = scenarios::runtime(&Calls::default()).seed(seed).clock(clock.clone());
        let runtime = runtime.durability(fault.level).on_save_failure(fault.on_failure);
        let runtime = runtime.journal(journal.clone()).build().await.unwrap();
        Self { runtime, journal, refused: 0 }
    }

    /// Heals the journal when it has refused enough: nothing else would.
    fn refuse(&mut self) {
        self.refused += 1;
        if self.refused > 4 {
            self.journal.heal();
        }
    }

    /// Publishes the graph, as often as it takes.
    async fn publish(&mut self, scenario: &Scenario) {
        let name = scenario.graph.name.clone().unwrap();
        loop {
            let before = self.runtime.routing();
            match self.runtime.publish_and_promote(scenario.graph.clone()).await {
                Ok(_) => return,
                Err(PublishError::Version(VersionError::NotSaved(_))) => {}
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(self.runtime.routing(), before);
            assert!(self.runtime.versions(name.as_str()).list().is_empty());
            let refused = scenario.start(&self.runtime).await.unwrap_err();
            assert!(matches!(refused, StartError::UnknownGraph(_)), "{refused:?}");
            self.refuse();
        }
    }

    /// Starts the run, as often as it takes; gives back those that were refused, too.
    async fn start(&mut self, scenario: &Scenario) -> Run {
        let name = scenario.graph.name.clone().unwrap();
        loop {
            match scenario.start(&self.runtime).await {
                Ok(run) => return run,
                Err(StartError::Journal { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(self.runtime.live_runs(), 0, "a start that was refused");
            assert!(self.runtime.versions(name.as_str()).runs(1).is_empty());
            self.refuse();
        }
    }

    async fn run(&mut self, scenario: &Scenario) -> (RunId, RunStatus, Ended) {
        self.publish(scenario).await;
        let run = self.start(scenario).await;
        let outcome = tokio::time::timeout(LONG, scenario.carry_out(run.clone(), &self.runtime));
        let outcome = outcome.await.expect("it hangs");
        (run.id(), outcome.status, ended_roughly(&outcome))
    }
}

async fn uninterrupted(scenario: &Scenario, level: Durability) -> (Ended, usize) {
    let journal = Faulty::whole(Arc::default());
    let fault =
        Fault { failure: Failure::Full, from: 0, for_: 0, on_failure: OnSaveFailure::Park, level };
    let mut process = Process::new(journal.clone(), fault, &SystemClock::new(), 1).await;
    let (_, _, ended) = process.run(scenario).await;
    (ended, journal.commits())
}

/// Runs a scenario over a journal that fails, and again in a process that comes after it.
async fn fail(scenario: &Scenario, fault: Fault, expected: &Ended) -> RunStatus {
    let place = format!("{}, {fault:?}", scenario.name);
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let journal = Faulty::new(kept.clone(), fault.failure, fault.from, fault.for_);
    let mut first = Process::new(journal, fault, &clock, 1).await;
    let (run, status, found) = first.run(scenario).await;
    if !matches!(status, RunStatus::Failed | RunStatus::Parked) {
        assert_eq!(found, *expected, "{place}");
    }
    drop(first);
    tokio::time::sleep(LONG).await;

    let mut second = Process::new(Faulty::whole(kept.clone()), fault, &clock, 2).await;
    assert_eq!(second.runtime.stranded(), [], "{place}");
    let (again, _, resumed) = second.run(scenario).await;
    assert_eq!(again, run, "{place}: another run");
    if status == RunStatus::Parked {
        // Why it was parked may be on record, or not.
        let is_failed = resumed.0.starts_with("FAILED");
        assert!(resumed == *expected || is_failed, "{place}: {resumed:?}");
        assert!(!is_failed || fault.on_failure == OnSaveFailure::Fail, "{place}: {resumed:?}");
    } else {
        assert_eq!(resumed, found, "{place}: after a restart");
    }
    let rows = kept.runs(&RunQuery::default()).await.unwrap();
    assert_eq!(rows.len(), 1, "{place}: {rows:?}");
    status
}

/// Fails a journal at every commit of every scenario, and counts how runs ended.
async fn fail_everywhere(on_failure: OnSaveFailure, lengths: &[usize]) -> [usize; 3] {
    let mut ends = [0; 3];
    for scenario in scenarios() {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            let (expected, commits) = uninterrupted(&scenario, level).await;
            for (from, failure) in (0..commits).flat_map(|n| FAILURES.map(|failure| (n, failure))) {
                for &for_ in lengths {
                    let fault = Fault { failure, from, for_, on_failure, level };
                    match fail(&scenario, fault, &expected).await {
                        RunStatus::Failed => ends[1] += 1,
                        RunStatus::Parked => ends[2] += 1,
                        _ => ends[0] += 1,
                    }
                }
            }
        }
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn runs_wait_for_a_journal_that_fails_and_end_as_if_it_had_not() {
    let [right, failed, parked] = fail_everywhere(OnSaveFailure::Park, &[1, 3]).await;
    println!("{right} runs ended right, {failed} failed, {parked} were parked");
    assert_eq!((failed, parked), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn runs_that_are_not_to_wait_for_a_journal_fail_and_none_hangs() {
    let [right, failed, parked] = fail_everywhere(OnSaveFailure::Fail, &[1, 2, FOR_EVER]).await;
    println!("{right} runs ended right, {failed} failed, {parked} were parked");
    assert!(failed > 0 && parked > 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_refused_does_not_come_back() {
    let scenario = scenarios().remove(0);
    assert_eq!(scenario.act, Act::Nothing);
    for failure in FAILURES {
        let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
        let level = Durability::EveryState;
        let on_failure = OnSaveFailure::Park;
        let fault = Fault { failure, from: 1, for_: 1, on_failure, level };
        let journal = Faulty::new(kept.clone(), failure, 1, 1);
        let mut first = Process::new(journal, fault, &clock, 1).await;
        first.publish(&scenario).await;
        let refused = scenario.start(&first.runtime).await.unwrap_err();
        assert!(matches!(refused, StartError::Journal { .. }), "{refused:?}");
        assert_eq!(first.runtime.live_runs(), 0);
        // Its version is free again, and what follows is written without it.
        first.runtime.publish_and_promote(graphs::another("chain")).await.unwrap();
        first.runtime.versions("chain").retire(1).await.unwrap();
        drop(first);
        let second = Process::new(Faulty::whole(kept.clone()), fault, &clock, 2).await;
        assert_eq!(kept.size().await.unwrap().runs, 0, "{failure:?}");
        assert_eq!((second.runtime.live_runs(), second.runtime.stranded()), (0, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_run_starts_when_the_journal_takes_records_again() {
    for failure in FAILURES {
        let whole = Faulty::whole(Arc::default());
        let (clock, journal) = (SystemClock::new(), whole.inner.clone());
        let scenario = with_a_child();
        scenario
            .publish(&scenarios::runtime(&Calls::default()).journal(whole).build().await.unwrap())
            .await;
        let start = scenarios::runtime(&Calls::default()).clock(clock);
        // It takes the start of the run, and says so of nothing after that.
        let faulty = Faulty::new(journal, failure, 1, FOR_EVER);
        let runtime = start.journal(faulty.clone()).build().await.unwrap();
        let run = scenario.start(&runtime).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_secs(60), run.outcome()).await;
        assert!(waits.is_err(), "{failure:?}: {waits:?}");
        faulty.heal();
        let outcome = run.outcome().await;
        assert_eq!(outcome.status, RunStatus::Success, "{failure:?}: {outcome:?}");
    }
}

/// A run whose first node is a sub-graph, which is tried once.
fn with_a_child() -> Scenario {
    let child = Document::builder("child").node(NodeSpec::new("pass").input("n", 1)).build();
    let top = Document::builder("top").retry(RetryPolicy::none());
    let graph = top.node(NodeSpec::new("sub").subgraph("child")).build();
    let (act, delay) = (Act::Nothing, Duration::ZERO);
    Scenario { name: "a child", graph, input: 1, act, delay, before: vec![child] }
}
