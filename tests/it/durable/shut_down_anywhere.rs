//! Processes are shut down in the middle of any scenario, again and again, with any grace, on journals
//! that are slow and fail: the run ends as if they had not been.
//!
//! `HOTGRAPH_SOAK=1` runs 60 histories of each scenario; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one of
//! each.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Durability, Epoch, Journal, JournalError, JournalFuture, MemoryJournal, Rng, Runtime,
    SystemClock, Write,
};
use parking_lot::Mutex;

use super::before::{Before, Hook};
use super::graphs;
use super::scenarios::{self, Act, Calls, Scenario};
use super::seen::{Ended, ended_roughly, on_record};
use crate::fixtures::soak;

/// How often a process is shut down, at most; then one may work as long as it takes.
const SHUTDOWNS: u64 = 4;

/// A journal whose commits take their time, and fail now and then, written or not.
#[derive(Debug)]
struct Moody {
    inner: Arc<dyn Journal>,
    rng: Mutex<Rng>,
    slowest: u64,
    fails: u64,
}

impl Hook for Moody {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            let (wait, mood) = {
                let mut rng = self.rng.lock();
                (rng.up_to(self.slowest), rng.up_to(99))
            };
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let failed = || JournalError::Unavailable("a mood".into());
            if mood < self.fails / 2 {
                return Err(failed());
            }
            self.inner.commit(epoch, writes).await?;
            if mood < self.fails { Err(failed()) } else { Ok(()) }
        })
    }
}

struct History<'a> {
    scenario: &'a Scenario,
    level: Durability,
    rng: Rng,
    kept: Arc<dyn Journal>,
    clock: SystemClock,
}

impl History<'_> {
    /// One process; says how the run ended, unless it was shut down before.
    async fn live(&mut self, is_last: bool, place: &str) -> Option<Ended> {
        let calls = Calls::default();
        let recorded = on_record(&*self.kept).await;
        let journal = Arc::new(Before(Moody {
            inner: self.kept.clone(),
            rng: Mutex::new(Rng::seeded(self.rng.next_u64())),
            slowest: [0, 5, 900][self.below(3)],
            fails: [0, 0, 30][self.below(3)] * u64::from(!is_last),
        }));
        let builder = scenarios::runtime(&calls).seed(self.rng.next_u64()).durability(self.level);
        let builder = builder.lanes(1 + self.below(3)).clock(self.clock.clone());
        let runtime = builder.journal(journal).build().await.unwrap();
        assert_eq!(runtime.stranded(), [], "{place}");
        let ended = {
            let (wait, grace) = (self.wait(), self.wait());
            let work = self.work(&runtime);
            tokio::pin!(work);
            match is_last {
                true => {
                    let ended = tokio::time::timeout(Duration::from_secs(86_400), work).await;
                    ended.unwrap_or_else(|_| panic!("{place}: it hangs"))
                }
                false => {
                    let shutdown = async {
                        tokio::time::sleep(wait).await;
                        let _ = runtime.shutdown(grace).await;
                    };
                    tokio::select! {
                        biased;
                        ended = &mut work => ended,
                        () = shutdown => None,
                    }
                }
            }
        };
        let _ = runtime.shutdown(Duration::from_secs(600)).await;
        assert_eq!(runtime.live_runs(), 0, "{place}");
        let is_retried = matches!(self.scenario.act, Act::RetryFailed | Act::RetryOne);
        if self.level == Durability::EveryState && !is_retried {
            let calls = calls.lock();
            let again: Vec<_> = calls.iter().filter(|call| recorded.contains(*call)).collect();
            assert!(again.is_empty(), "{place}: ran again although on record: {again:?}");
        }
        ended
    }

    /// Starts what was not started, and waits for its end.
    async fn work(&self, runtime: &Runtime) -> Option<Ended> {
        for graph in self.scenario.before.iter().chain([&self.scenario.graph]) {
            let name = graph.name.clone().unwrap();
            while runtime.versions(name.as_str()).active().is_none() {
                let refused = runtime.publish_and_promote(graph.clone()).await.err();
                if refused.is_some_and(|why| format!("{why:?}").contains("Stopped")) {
                    return None;
                }
            }
        }
        let run = loop {
            match self.scenario.start(runtime).await {
                Ok(run) => break run,
                Err(hotgraph::StartError::ShuttingDown) => return None,
                Err(hotgraph::StartError::Journal { .. }) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(other) => panic!("{}: {other:?}", self.scenario.name),
            }
        };
        let outcome = self.scenario.carry_out(run, runtime).await;
        outcome.status.is_terminal().then(|| ended_roughly(&outcome))
    }

    fn below(&mut self, most: u64) -> usize {
        usize::try_from(self.rng.up_to(most - 1)).unwrap()
    }

    fn wait(&mut self) -> Duration {
        let most = [0, 3, 300, 4_000, 12_000][self.below(5)];
        Duration::from_millis(self.rng.up_to(most))
    }
}

/// Others depend on the time, which goes on between processes and while a commit waits.
fn is_fit(scenario: &Scenario) -> bool {
    let is_hurried = scenario.name == "a failure that stops the run";
    !is_hurried && matches!(scenario.act, Act::Nothing | Act::RetryFailed | Act::RetryOne)
}

async fn uninterrupted(scenario: &Scenario, level: Durability) -> Ended {
    let kept: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let runtime = scenarios::runtime(&Calls::default()).durability(level).journal(kept).build();
    let runtime = runtime.await.unwrap();
    scenario.publish(&runtime).await;
    let run = scenario.start(&runtime).await.unwrap();
    let outcome = scenario.carry_out(run, &runtime).await;
    ended_roughly(&outcome)
}

async fn check(scenario: &Scenario, level: Durability, seed: u64, kept: Arc<dyn Journal>) {
    let expected = uninterrupted(scenario, level).await;
    let place = format!("{}, {level:?}, seed {seed}", scenario.name);
    let (rng, clock) = (Rng::seeded(seed), SystemClock::new());
    let mut history = History { scenario, level, rng, kept, clock };
    for _ in 0..SHUTDOWNS {
        let ended = history.live(false, &place).await;
        // A retry may be refused by the shutdown.
        if let (Some(ended), Act::Nothing) = (ended, scenario.act) {
            assert_eq!(ended, expected, "{place}");
        }
    }
    for _ in 0..2 {
        assert_eq!(history.live(true, &place).await.as_ref(), Some(&expected), "{place}");
    }
}

fn seeds(few: u64) -> Vec<u64> {
    match std::env::var("HOTGRAPH_REPLAY_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..if soak() { 60 } else { few }).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_shut_down_anywhere_ends_as_if_it_had_not_been() {
    for scenario in graphs::all().iter().filter(|scenario| is_fit(scenario)) {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            for seed in seeds(1) {
                check(scenario, level, seed, Arc::new(MemoryJournal::new())).await;
            }
        }
    }
}
