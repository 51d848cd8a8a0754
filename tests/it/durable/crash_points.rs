//! A process that dies at any commit loses nothing that was acknowledged, and ends as if it had not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Durability, Journal, MemoryJournal, Outcome, RunQuery, SkipReason, Stream};
use serde_json::Value as Json;

use super::cut::{Cut, CutJournal};
use super::scenarios::{self, Act, Calls, Scenario};

/// How a run ended, without what differs from run to run.
type Ended = (String, Vec<(String, String)>, Vec<String>, Vec<String>);

fn ended(outcome: &Outcome) -> Ended {
    let outputs = outcome.outputs.iter().map(|(node, value)| (node.clone(), value.to_json()));
    let failures = outcome.failures.iter().map(|failure| {
        let (node, status, error) = (&failure.node, failure.status, &failure.error);
        format!("{node} {status} {error} {} {}", failure.attempts, failure.tolerated)
    });
    let skipped = outcome.skipped.iter().map(|skip| {
        let why = match &skip.reason {
            SkipReason::Prevented { by } => {
                by.iter().map(|(node, _, status)| format!("{node} {status} ")).collect()
            }
            other => format!("{other:?}"),
        };
        format!("{} {why}", skip.node)
    });
    let status = outcome.status.to_string();
    (status, outputs.collect(), failures.collect(), skipped.collect())
}

/// The attempts whose ends are on record, by idempotency key.
async fn on_record(journal: &MemoryJournal) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    for row in journal.runs(&RunQuery::default()).await.unwrap() {
        let stream = Stream::Run(row.run);
        for record in journal.read(stream, 0, usize::MAX).await.unwrap() {
            assert!(record.is_intact(stream));
            let entry: Json = serde_json::from_slice(&record.body).unwrap();
            let step = entry.as_object().and_then(|entry| entry.values().next().cloned());
            let Some(of) = step.as_ref().and_then(|step| step.get("of")?.as_array().cloned())
            else {
                continue;
            };
            if entry.get("Kept").is_some() || entry.get("Requeued").is_some() {
                continue;
            }
            let id = of[0].as_u64().unwrap();
            found.insert((format!("{}-{id:016x}", row.run), of[1].as_u64().unwrap() as u32));
        }
    }
    found
}

struct Process {
    journal: Arc<CutJournal>,
    calls: Calls,
}

impl Process {
    /// Runs a scenario until it has ended or the process has died.
    async fn run(&self, scenario: &Scenario, level: Durability, seed: u64) -> Option<Ended> {
        let runtime = scenarios::runtime(&self.calls).seed(seed).durability(level);
        let runtime = runtime.journal(self.journal.clone()).build();
        let work = async {
            let runtime = runtime.await.unwrap();
            runtime.publish_and_promote(scenario.graph.clone()).await.unwrap();
            assert_eq!(runtime.stranded(), []);
            let run = scenario.start(&runtime).await.unwrap();
            ended(&*scenario.carry_out(run).await)
        };
        tokio::select! {
            biased;
            ended = work => Some(ended),
            () = self.journal.died() => None,
        }
    }
}

async fn uninterrupted(scenario: &Scenario, level: Durability) -> (Ended, usize) {
    let journal = CutJournal::new(Arc::default(), Cut::Never);
    let process = Process { journal: journal.clone(), calls: Calls::default() };
    let ended = process.run(scenario, level, 1).await.unwrap();
    (ended, journal.commits())
}

async fn cut_off(scenario: &Scenario, level: Durability, cut: Cut, expected: &Ended) {
    let kept = Arc::new(MemoryJournal::new());
    let first = Process { journal: CutJournal::new(kept.clone(), cut), calls: Calls::default() };
    if let Some(ended) = first.run(scenario, level, 1).await {
        assert_eq!(ended, *expected);
        return;
    }
    // What is under way in the dead process goes as far as it goes without its journal.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let recorded = on_record(&kept).await;
    let second =
        Process { journal: CutJournal::new(kept.clone(), Cut::Never), calls: Calls::default() };
    let ended = second.run(scenario, level, 2).await.unwrap();
    assert_eq!(kept.size().await.unwrap().runs, 1, "a second run was started");
    let place = format!("{}, {level:?}, {cut:?}", scenario.name);
    assert_eq!(ended, *expected, "{place}");
    // A manual retry calls with the key of the state that it repeats.
    if level == Durability::EveryState && scenario.act != Act::RetryFailed {
        let again: Vec<_> =
            second.calls.lock().iter().filter(|call| recorded.contains(*call)).cloned().collect();
        assert_eq!(again, [], "{place}: ran again although it was on record");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_at_any_commit_ends_as_if_it_had_not_been() {
    let mut cuts = 0;
    for scenario in scenarios::all() {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            let (expected, commits) = uninterrupted(&scenario, level).await;
            println!("{} {level:?}: {commits} commits, {expected:?}", scenario.name);
            for at in 0..commits + 2 {
                for cut in [Cut::Before(at), Cut::After(at)] {
                    cut_off(&scenario, level, cut, &expected).await;
                    cuts += 1;
                }
            }
        }
    }
    println!("{cuts} cuts");
}
