//! Processes are shut down in the middle of any session, again and again, on journals that are slow and
//! fail: its inputs, given again by their ids, end as if they had not been.
//!
//! `HOTGRAPH_SOAK=1` runs 60 histories; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, MemoryJournal, NodeSpec, RetryPolicy, Rng, Runtime, SessionError,
    StartError, StrandedReason, SystemClock,
};

use super::{Calls, TOTAL, builder, n, number, single};
use crate::durable::shut_down_anywhere::{Moody, seeds, wait};

/// How often a process is shut down; the last ones may work as long as it takes.
const SHUTDOWNS: u64 = 5;
const QUIET: u64 = 2;

/// What is given to the session, and where it begins.
const INPUTS: [(u64, Option<&str>); 8] = [
    (3, None),
    (5, Some("list")),
    (13, None),
    (2, None),
    (0, Some("list")),
    (7, None),
    (4, Some("list")),
    (1, None),
];

/// The step of an input, its status and its number; in the end the total.
type Seen = (Vec<(u64, String, Option<u64>)>, Option<u64>);

fn graph() -> Document {
    let reads = |name: &str, from: &str| {
        NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
    };
    Document::builder("sums")
        .node(NodeSpec::new("add").input("n", 1).next("list"))
        .node(reads("list", "add").next("twice"))
        .node(reads("twice", "list").subgraph("slow").next("gather"))
        .node(reads("gather", "twice").unites("list"))
        .retry(RetryPolicy::fixed(0, Duration::from_secs(1)))
        .build()
}

/// Tries again what a journal or a shutdown refused.
async fn persist<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: IntoFuture<Output = Result<T, SessionError>>,
{
    loop {
        let refused = match ask().into_future().await {
            Ok(done) => return done,
            Err(refused) => refused,
        };
        let is_cut_off = match &refused {
            SessionError::Journal { .. } | SessionError::Parked { .. } => true,
            SessionError::CutOff { .. } => true,
            // The run was parked, and forgotten.
            SessionError::Stranded { reason, .. } => **reason == StrandedReason::ShuttingDown,
            SessionError::Start { source, .. } => {
                matches!(**source, StartError::ShuttingDown | StartError::Journal { .. })
            }
            _ => false,
        };
        assert!(is_cut_off, "{refused:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn script(runtime: &Runtime) -> Seen {
    for graph in [single("slow"), graph()] {
        let name = graph.name.clone().unwrap();
        while runtime.versions(name.as_str()).active().is_none() {
            let _ = runtime.publish_and_promote(graph.clone()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let session = runtime.session("s").graph("sums");
    let mut ended = Vec::new();
    for (place, (value, entry)) in INPUTS.into_iter().enumerate() {
        let one = persist(|| {
            let next = session.next(n(value)).input_id(place.to_string());
            match entry {
                Some(entry) => next.entry(entry),
                None => next,
            }
        });
        let one = one.await;
        let output = one.outcome.is_success().then(|| number(&one));
        ended.push((one.step, one.outcome.status.to_string(), output));
    }
    let slot = session.slot(&TOTAL);
    let total = persist(|| slot.get()).await;
    persist(|| session.finish()).await;
    (ended, total)
}

struct History {
    rng: Rng,
    level: Durability,
    kept: Arc<MemoryJournal>,
    clock: SystemClock,
}

impl History {
    /// One process; says what it saw, unless it was shut down before.
    async fn live(&mut self, is_last: bool) -> Option<Seen> {
        let journal = Moody::before(self.kept.clone(), &mut self.rng, is_last);
        let builder = builder(&Calls::default()).seed(self.rng.next_u64()).durability(self.level);
        let builder = builder.clock(self.clock.clone()).journal(journal);
        let builder = builder.keep_ended(usize::try_from(self.rng.up_to(2)).unwrap());
        let runtime = builder.build().await.unwrap();
        assert_eq!(runtime.stranded(), []);
        let (lives, grace) = (wait(&mut self.rng) * 3, wait(&mut self.rng));
        let seen = {
            let work = std::pin::pin!(script(&runtime));
            let work = tokio::time::timeout(Duration::from_secs(86_400), work);
            let shutdown = async {
                if is_last {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(lives).await;
                let _ = runtime.shutdown(grace).await;
            };
            tokio::select! {
                biased;
                seen = work => Some(seen.expect("it ends")),
                () = shutdown => None,
            }
        };
        let _ = runtime.shutdown(Duration::from_secs(600)).await;
        assert_eq!(runtime.live_runs(), 0);
        seen
    }
}

async fn check(seed: u64, level: Durability) {
    let whole = builder(&Calls::default()).journal(Arc::new(MemoryJournal::new()));
    let expected = script(&whole.build().await.unwrap()).await;
    let numbers: Vec<_> = expected.0.iter().map(|(_, _, number)| *number).collect();
    assert_eq!(numbers, [Some(3), Some(10), None, Some(10), Some(0), Some(66), Some(6), Some(78)]);
    let (rng, kept, clock) = (Rng::seeded(seed), Arc::default(), SystemClock::new());
    let mut history = History { rng, level, kept, clock };
    for life in 0..SHUTDOWNS + QUIET {
        let is_last = life >= SHUTDOWNS;
        let seen = history.live(is_last).await;
        if is_last || seen.is_some() {
            assert_eq!(seen.as_ref(), Some(&expected), "seed {seed}, {level:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_shut_down_anywhere_ends_as_if_it_had_not_been() {
    for seed in seeds(6) {
        for level in [Durability::EveryState, Durability::OnFanoutAndUnites] {
            check(seed, level).await;
        }
    }
}
