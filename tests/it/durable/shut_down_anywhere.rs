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

#[cfg(feature = "sqlite")]
use hotgraph::{Record, RunQuery, RunRow, SqliteJournal, Stream};

use super::before::{Before, Hook};
use super::graphs;
use super::scenarios::{self, Act, Calls, Scenario};
use super::seen::{Ended, ended_roughly, on_record};
use crate::fixtures::soak;
#[cfg(feature = "sqlite")]
use crate::journal::folder::Folder;

/// How often a process is shut down, at most; then one may work as long as it takes.
const SHUTDOWNS: u64 = 4;

/// A journal whose commits take their time, and fail now and then, written or not.
#[derive(Debug)]
pub struct Moody {
    inner: Arc<dyn Journal>,
    rng: Mutex<Rng>,
    slowest: u64,
    fails: u64,
}

impl Moody {
    /// A journal of some mood; the last process of a history has one whose commits do not fail.
    pub fn before(inner: Arc<dyn Journal>, rng: &mut Rng, is_last: bool) -> Arc<dyn Journal> {
        let slowest = [0, 5, 900][below(rng, 3)];
        let fails = [0, 0, 30][below(rng, 3)] * u64::from(!is_last);
        let rng = Mutex::new(Rng::seeded(rng.next_u64()));
        Arc::new(Before(Self { inner, rng, slowest, fails }))
    }
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

/// What is left of a process.
enum Kept {
    Memory(Arc<MemoryJournal>),
    #[cfg(feature = "sqlite")]
    File(Folder),
}

impl Kept {
    async fn open(&self) -> Arc<dyn Journal> {
        match self {
            Self::Memory(journal) => journal.clone(),
            #[cfg(feature = "sqlite")]
            Self::File(folder) => {
                let path = folder.path().join("store.db");
                Arc::new(Before(Still(still(SqliteJournal::open(&*path)).await.unwrap())))
            }
        }
    }
}

/// A file whose thread is waited for while the clock stands.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
struct Still(SqliteJournal);

/// The paused clock goes on when nothing is left to poll.
#[cfg(feature = "sqlite")]
async fn still<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

#[cfg(feature = "sqlite")]
impl Hook for Still {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch> {
        Box::pin(still(self.0.claim(owner)))
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(still(self.0.commit(epoch, writes)))
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(still(self.0.read(stream, after, limit)))
    }

    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>> {
        Box::pin(still(self.0.runs(query)))
    }
}

struct History<'a> {
    scenario: &'a Scenario,
    level: Durability,
    rng: Rng,
    kept: Kept,
    clock: SystemClock,
}

impl History<'_> {
    /// One process; says how the run ended, unless it was shut down before.
    async fn live(&mut self, is_last: bool, place: &str) -> Option<Ended> {
        let calls = Calls::default();
        let kept = self.kept.open().await;
        let recorded = on_record(&*kept).await;
        let journal = Moody::before(kept, &mut self.rng, is_last);
        let builder = scenarios::runtime(&calls).seed(self.rng.next_u64()).durability(self.level);
        let builder = builder.lanes(1 + below(&mut self.rng, 3)).clock(self.clock.clone());
        let runtime = builder.journal(journal).build().await.unwrap();
        assert_eq!(runtime.stranded(), [], "{place}");
        let ended = {
            let (wait, grace) = (wait(&mut self.rng), wait(&mut self.rng));
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
}

fn below(rng: &mut Rng, most: u64) -> usize {
    usize::try_from(rng.up_to(most - 1)).unwrap()
}

/// How long a process works before it is shut down, or the grace that it gets then.
pub fn wait(rng: &mut Rng) -> Duration {
    let most = [0, 3, 300, 4_000, 12_000][below(rng, 5)];
    Duration::from_millis(rng.up_to(most))
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

async fn check(scenario: &Scenario, level: Durability, seed: u64, kept: Kept) {
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

pub fn seeds(few: u64) -> Vec<u64> {
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
                check(scenario, level, seed, Kept::Memory(Arc::default())).await;
            }
        }
    }
}

/// Every commit of a file is waited for, so it takes fewer histories.
#[cfg(feature = "sqlite")]
#[tokio::test(start_paused = true)]
async fn a_run_in_a_file_that_is_shut_down_anywhere_ends_as_if_it_had_not_been() {
    for scenario in graphs::all().iter().filter(|scenario| is_fit(scenario)) {
        for seed in seeds(1) {
            let level =
                [Durability::EveryState, Durability::OnFanoutAndUnites][usize::from(seed % 2 == 1)];
            check(scenario, level, seed, Kept::File(Folder::new())).await;
        }
    }
}
