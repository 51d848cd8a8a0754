//! States of nested fanouts are retried by hand at any time, while commits are slow and processes die.
//!
//! `HOTGRAPH_SOAK=1` runs 2,000 histories; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use hotgraph::{
    Context, Document, Durability, Emit, Epoch, Handler, Journal, JournalFuture, MemoryJournal,
    NodeError, NodeSpec, RetryPolicy, Rng, Run, RunQuery, Runtime, Stream, SystemClock, Value,
    Write,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::before::{Before, Hook};
use super::live_retries::{Number, Numbers};
use super::seen::{Ended, ended};
use crate::fixtures::soak;

/// The processes of a history; in the last ones nobody retries anything, and nothing dies.
const LIVES: u64 = 5;
const QUIET: u64 = 2;

/// Histories whose journals could not be read once.
const FOUND: [u64; 1] = [205];

/// Longer than any run takes.
pub const WAIT: Duration = Duration::from_secs(600);

/// A journal whose commits take their time, and whose process dies at one of them.
#[derive(Debug)]
pub struct Dying {
    inner: Arc<MemoryJournal>,
    rng: Mutex<Rng>,
    slowest: u64,
    dies_at: usize,
    commits: AtomicUsize,
    pub died: Notify,
}

impl Dying {
    /// Before a journal: a commit takes so many milliseconds at most, and at that one it dies.
    pub fn before(
        inner: Arc<MemoryJournal>,
        rng: Rng,
        slowest: u64,
        dies_at: usize,
    ) -> Arc<Before<Self>> {
        let (rng, commits, died) = (Mutex::new(rng), AtomicUsize::new(0), Notify::new());
        Arc::new(Before(Self { inner, rng, slowest, dies_at, commits, died }))
    }
}

impl Hook for Dying {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        Box::pin(async move {
            let wait = self.rng.lock().up_to(self.slowest);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if self.commits.fetch_add(1, Ordering::SeqCst) < self.dies_at {
                return self.inner.commit(epoch, writes).await;
            }
            self.died.notify_one();
            std::future::pending().await
        })
    }
}

/// A random history of one run.
struct History {
    rng: Rng,
    level: Durability,
    graph: Document,
    kept: Arc<MemoryJournal>,
    clock: SystemClock,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let levels = [Durability::EveryState, Durability::OnFanoutAndUnites];
        let level = levels[usize::from(heads(&mut rng))];
        let inner = if heads(&mut rng) { "rows" } else { "list" };
        let graph = graph(inner, heads(&mut rng), heads(&mut rng));
        Self { rng, level, graph, kept: Arc::default(), clock: SystemClock::new() }
    }

    /// One process; says how the run ended, unless the process died.
    async fn live(&mut self, is_quiet: bool) -> Option<Ended> {
        let dies = !is_quiet && self.rng.up_to(2) > 0;
        let rng = Rng::seeded(self.rng.next_u64());
        let slowest = [0, 5, 300][usize::try_from(self.rng.up_to(2)).unwrap()];
        let dies_at = if dies { usize::try_from(self.rng.up_to(60)).unwrap() } else { usize::MAX };
        let journal = Dying::before(self.kept.clone(), rng, slowest, dies_at);
        let work = async {
            let runtime = self.open(journal.clone()).await;
            let run = runtime.start("nested", Value::Null).idempotency_key("once").await;
            let run = run.unwrap_or_else(|refused| panic!("{refused:?}"));
            if !is_quiet {
                self.retry(&run).await;
            }
            let outcome = tokio::time::timeout(WAIT, run.outcome()).await;
            ended(&outcome.unwrap_or_else(|_| panic!("a hang: {:?}", run.status())))
        };
        let found = tokio::select! {
            biased;
            found = work => Some(found),
            () = journal.died.notified() => None,
        };
        // What the process still had is gone.
        tokio::time::sleep(Duration::from_secs(30)).await;
        found
    }

    /// Retries any states at any time.
    async fn retry(&mut self, run: &Run) {
        let mut retries = tokio::task::JoinSet::new();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(self.rng.up_to(399))).await;
            let states = run.states().into_iter().filter(|state| state.status.is_terminal());
            let states: Vec<_> = states.map(|state| state.id).collect();
            let which = usize::try_from(self.rng.next_u64() >> 32).unwrap();
            let one =
                (!states.is_empty() && self.rng.up_to(2) > 0).then(|| states[which % states.len()]);
            let (run, id) = (run.clone(), self.rng.next_u64().to_string());
            retries.spawn(async move {
                // Many are refused.
                match one {
                    Some(state) => drop(run.retry(state, id).await),
                    None => drop(run.retry_failed(id).await),
                }
            });
        }
        let all = tokio::time::timeout(WAIT, retries.join_all()).await;
        all.expect("a retry is answered");
    }

    async fn open(&mut self, journal: Arc<dyn Journal>) -> Runtime {
        let builder = Runtime::builder().seed(self.rng.next_u64()).durability(self.level);
        let builder = builder.lanes(1 + usize::try_from(self.rng.up_to(2)).unwrap());
        let runtime = builder
            .clock(self.clock.clone())
            .journal(journal)
            .handler(Handler::one("work", work))
            .handler(Handler::many("list", list))
            .handler(Handler::many("rows", rows))
            .handler(Handler::one("gather", gather))
            .build()
            .await
            .unwrap();
        for graph in [child(), self.graph.clone()] {
            let name = graph.name.clone().expect("it has a name");
            if runtime.versions(name.as_str()).list().is_empty() {
                runtime.publish_and_promote(graph).await.unwrap();
            }
        }
        assert_eq!(runtime.stranded(), []);
        runtime
    }
}

fn heads(rng: &mut Rng) -> bool {
    rng.up_to(1) == 0
}

/// Every second one fails the first time.
async fn work(input: Number, ctx: Context) -> Result<Number, NodeError> {
    ctx.sleep(Duration::from_millis(100 + (input.n * 377) % 1_000)).await;
    let is_first = ctx.store().put(format!("seen {}", input.n), true).is_none();
    if is_first && input.n % 2 == 1 { Err(NodeError::permanent("odd")) } else { Ok(input) }
}

async fn list(input: Number, ctx: Context) -> Result<Emit<Number>, NodeError> {
    ctx.sleep(Duration::from_millis(50)).await;
    Ok(Emit::each((0..3).map(move |n| Number { n: 3 * input.n + n })))
}

async fn rows(input: Number, ctx: Context) -> Result<Emit<Number>, NodeError> {
    let from = ctx.cursor::<u64>()?.unwrap_or(0);
    let row = move |n| {
        let ctx = ctx.clone();
        async move {
            ctx.sleep(Duration::from_millis(120)).await;
            Ok((Number { n: 3 * input.n + n }, n + 1))
        }
    };
    Ok(Emit::resumable(futures_util::stream::iter(from..3).then(row)))
}

async fn gather(all: Numbers, ctx: Context) -> Result<Number, NodeError> {
    ctx.sleep(Duration::from_millis(30)).await;
    Ok(Number { n: all.n.iter().sum() })
}

fn reads(name: &str, from: &str) -> NodeSpec {
    NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
}

/// A fanout in a fanout, each with its merger.
fn graph(inner: &str, has_child: bool, is_all_done: bool) -> Document {
    let work = reads("work", "inner").next("join");
    let work = if has_child { work.subgraph("child") } else { work };
    let join = reads("join", "work").handler("gather").unites("inner").next("all");
    let all = reads("all", "join").handler("gather").unites("outer");
    let (join, all) = if is_all_done { (join.all_done(), all.all_done()) } else { (join, all) };
    Document::builder("nested")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("outer").handler("list").input("n", 0).next("inner"))
        .node(reads("inner", "outer").handler(inner).next("work"))
        .node(work)
        .node(join)
        .node(all)
        .build()
}

fn child() -> Document {
    let work = NodeSpec::new("work").input("n", 1);
    Document::builder("child").retry(RetryPolicy::none()).node(work).build()
}

/// Of a merger's execution there is one, on record.
pub async fn no_merger_fired_twice(kept: &MemoryJournal) {
    for row in kept.runs(&RunQuery::default()).await.unwrap() {
        let mut fired = BTreeSet::new();
        for record in kept.read(Stream::Run(row.run), 0, usize::MAX).await.unwrap() {
            let entry: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
            if let Some(of) = entry.get("Fired") {
                assert!(fired.insert(of["merger"].to_string()), "{of}");
            }
        }
    }
}

#[test]
fn a_run_comes_back_whatever_was_retried_and_whenever() {
    let replayed = std::env::var("HOTGRAPH_REPLAY_SEED").ok().map(|seed| seed.parse().unwrap());
    let histories = if soak() { 2_000 } else { 100 };
    let seeds: Vec<u64> = match replayed {
        Some(seed) => vec![seed],
        None => FOUND.into_iter().chain(0..histories).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        tokio.enable_all().start_paused(true).build().unwrap().block_on(async {
            let (mut history, mut last) = (History::new(seed), None);
            for life in 0..LIVES {
                let is_quiet = life >= LIVES - QUIET;
                let found = history.live(is_quiet).await;
                no_merger_fired_twice(&history.kept).await;
                if life == LIVES - 1 {
                    assert_eq!(found, last, "another process reads another end");
                }
                last = found;
            }
        });
    }
}
