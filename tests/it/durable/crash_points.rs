//! A process that dies at any commit loses nothing that was acknowledged, and ends as if it had not.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Durability, Journal, MemoryJournal, SystemClock};

use super::cut::{Cut, Process};
use super::graphs;
use super::scenarios::{self, Act, Scenario};
use super::seen::{Ended, ended_roughly, on_record};

impl Process {
    /// Runs a scenario until it has ended or the process has died.
    async fn run_scenario(
        &self,
        scenario: &Scenario,
        level: Durability,
        seed: u64,
    ) -> Option<Ended> {
        let runtime = scenarios::runtime(&self.calls).seed(seed).durability(level);
        let runtime = runtime.clock(self.clock.clone()).journal(self.journal.clone()).build();
        let work = async {
            let runtime = runtime.await.unwrap();
            scenario.publish(&runtime).await;
            assert_eq!(runtime.stranded(), []);
            let run = scenario.start(&runtime).await.unwrap();
            let outcome = scenario.carry_out(run, &runtime).await;
            let ended = ended_roughly(&outcome);
            // Others that it started may end a little later.
            while runtime.live_runs() > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            ended
        };
        self.until_it_dies(work).await
    }
}

/// How a run of a scenario ended, and what its journal had then.
struct Expected {
    ended: Ended,
    commits: usize,
    runs: u64,
}

async fn uninterrupted(scenario: &Scenario, level: Durability) -> Expected {
    let process = Process::new(Arc::default(), Cut::Never, &SystemClock::new());
    let ended = process.run_scenario(scenario, level, 1).await.unwrap();
    let runs = process.journal.inner.size().await.unwrap().runs;
    Expected { ended, commits: process.journal.commits(), runs }
}

async fn cut_off(scenario: &Scenario, level: Durability, cut: Cut, expected: &Expected) {
    let place = format!("{}, {level:?}, {cut:?}", scenario.name);
    let (kept, clock) = (Arc::new(MemoryJournal::new()), SystemClock::new());
    let first = Process::new(kept.clone(), cut, &clock);
    if let Some(ended) = first.run_scenario(scenario, level, 1).await {
        assert_eq!(ended, expected.ended, "{place}");
        return;
    }
    // What is under way in the dead process goes as far as it goes without its journal.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let recorded = on_record(&*kept).await;
    let second = Process::new(kept.clone(), Cut::Never, &clock);
    let again =
        tokio::time::timeout(Duration::from_secs(86_400), second.run_scenario(scenario, level, 2));
    let ended = again.await.unwrap_or_else(|_| panic!("{place}: it hangs")).unwrap();
    assert_eq!(ended, expected.ended, "{place}");
    assert_eq!(kept.size().await.unwrap().runs, expected.runs, "{place}: another run was started");
    // A manual retry calls with the key of the state that it repeats.
    let is_retried = matches!(scenario.act, Act::RetryFailed | Act::RetryOne);
    if level == Durability::EveryState && !is_retried {
        let again: Vec<_> =
            second.calls.lock().iter().filter(|call| recorded.contains(*call)).cloned().collect();
        assert_eq!(again, [], "{place}: ran again although it was on record");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_at_any_commit_ends_as_if_it_had_not_been() {
    let mut cuts = 0;
    for scenario in graphs::all() {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            let expected = uninterrupted(&scenario, level).await;
            let Expected { ended, commits, .. } = &expected;
            println!("{} {level:?}: {commits} commits, {ended:?}", scenario.name);
            for at in 0..commits + 2 {
                for cut in [Cut::Before(at), Cut::After(at)] {
                    cut_off(&scenario, level, cut, &expected).await;
                    cuts += 1;
                }
            }
        }
    }
    println!("{cuts} cuts in {} scenarios", graphs::all().len());
}
