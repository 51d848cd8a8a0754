//! Mergers of every kind below fanouts in fanouts, while any state is retried by hand, the run is paused
//! and cancelled, commits are slow and processes die: no element is taken twice, none is missing.
//!
//! `HOTGRAPH_SOAK=1` runs 2,000 histories; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use hotgraph::{
    Context, Document, Durability, Emit, Handler, Journal, MemoryJournal, NodeError, NodeSpec,
    RetryPolicy, Rng, Run, Runtime, Signal, StateStatus, StateView, SystemClock, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::live_retries::Number;
use super::retries_anywhere::{Dying, WAIT, no_merger_fired_twice};
use super::seen::{Ended, ended};
use crate::fixtures::soak;

/// The processes of a history; in the last ones nobody does anything to the run, and nothing dies.
const LIVES: u64 = 5;
const QUIET: u64 = 2;

/// What a branch gives to a merger, and what a merger makes of it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct List {
    all: Vec<u64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Lists {
    all: Vec<Vec<u64>>,
}

/// How a merger takes its elements.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Array,
    Fold,
    Ordered,
}

/// The mergers of a graph, each with its kind and whether it joins whatever the branches end with.
type Mergers = [(&'static str, Kind, bool); 4];

struct History {
    rng: Rng,
    level: Durability,
    mergers: Mergers,
    graph: Document,
    kept: Arc<MemoryJournal>,
    clock: SystemClock,
    /// Whether outputs of a fanout failed.
    has_lacked: bool,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let levels = [Durability::EveryState, Durability::OnFanoutAndUnites];
        let level = levels[below(&mut rng, 2)];
        let mergers = ["join", "all", "flat", "late"].map(|name| {
            let kind = [Kind::Array, Kind::Fold, Kind::Ordered][below(&mut rng, 3)];
            (name, kind, below(&mut rng, 3) == 0)
        });
        let graph = graph(&mut rng, mergers);
        let (kept, clock) = (Arc::default(), SystemClock::new());
        Self { rng, level, mergers, graph, kept, clock, has_lacked: false }
    }

    /// One process; says how the run ended, unless the process died.
    async fn live(&mut self, is_quiet: bool) -> Option<Ended> {
        let dies = !is_quiet && below(&mut self.rng, 3) > 0;
        let slowest = [0, 5, 300][below(&mut self.rng, 3)];
        let dies_at = if dies { below(&mut self.rng, 90) } else { usize::MAX };
        let rng = Rng::seeded(self.rng.next_u64());
        let journal = Dying::before(self.kept.clone(), rng, slowest, dies_at);
        let work = async {
            let runtime = self.open(journal.clone()).await;
            let run = runtime.start("nested", Value::Null).idempotency_key("once").await;
            let run = run.unwrap_or_else(|refused| panic!("{refused:?}"));
            if !is_quiet {
                self.disturb(&run).await;
            }
            let outcome = tokio::time::timeout(WAIT, run.outcome()).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("a hang: {:?}", run.status()));
            let states = run.states();
            self.check(&states);
            nothing_is_prevented_by_nothing(&states);
            let failed = StateStatus::NextCreatedError;
            self.has_lacked |=
                run.status().of("outer", failed) + run.status().of("inner", failed) > 0;
            self.check_views(&runtime, &run).await;
            ended(&outcome)
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

    /// Retries any states at any time, pauses the run, cancels it.
    async fn disturb(&mut self, run: &Run) {
        let mut retries = tokio::task::JoinSet::new();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(self.rng.up_to(399))).await;
            match self.rng.up_to(19) {
                0 => run.cancel(),
                1 | 2 => run.pause(),
                _ => {}
            }
            let states = run.states().into_iter().filter(|state| state.status.is_terminal());
            let states: Vec<_> = states.map(|state| state.id).collect();
            let which = below(&mut self.rng, states.len().max(1));
            let one = states.get(which).filter(|_| self.rng.up_to(2) > 0).copied();
            let (run, id) = (run.clone(), self.rng.next_u64().to_string());
            retries.spawn(async move {
                // Many are refused.
                match one {
                    Some(state) => drop(run.retry(state, id).await),
                    None => drop(run.retry_failed(id).await),
                }
            });
            if self.rng.up_to(1) == 0 {
                tokio::time::sleep(Duration::from_millis(self.rng.up_to(999))).await;
            }
        }
        run.resume();
        let all = tokio::time::timeout(WAIT, retries.join_all()).await;
        all.expect("a retry is answered");
        run.resume();
    }

    /// Nothing is joined twice; where nothing may be missing, nothing is.
    fn check(&self, states: &[StateView]) {
        for (name, kind, _) in self.mergers {
            let of = states.iter().filter(|state| &*state.node == name);
            for state in of.filter(|state| state.status == StateStatus::Success) {
                let output = state.output.as_ref().unwrap();
                let mut all: Vec<u64> = hotgraph::from_value::<List>(output).unwrap().all;
                let place = || format!("{name} {:?}: {all:?}", self.mergers);
                if self.is_in_order(name, kind) {
                    assert!(all.is_sorted(), "{}", place());
                }
                let is_complete = match name {
                    "join" | "late" => all.len() == 3,
                    _ => all.len() == 9,
                };
                assert!(is_complete || self.may_miss(name), "{}", place());
                all.sort_unstable();
                assert!(all.is_sorted_by(|a, b| a < b), "twice: {name} {:?} {all:?}", self.mergers);
            }
        }
    }

    fn is_in_order(&self, name: &str, kind: Kind) -> bool {
        let is_join_in_order = self.mergers[0].1 != Kind::Fold;
        kind != Kind::Fold && (name != "all" || is_join_in_order)
    }

    fn may_miss(&self, name: &str) -> bool {
        self.mergers
            .iter()
            .any(|(of, _, all_done)| *all_done && (*of == name || name == "all" && *of == "join"))
    }

    /// The run can be read as it stood after any record, and in the end as it stands.
    async fn check_views(&mut self, runtime: &Runtime, run: &Run) {
        let storage = runtime.storage().unwrap();
        let now = storage.load_at(run.id(), u64::MAX).await.unwrap();
        assert_eq!(now.view, run.status());
        assert_eq!(now.states, run.states());
        let records = storage.history(run.id()).await.unwrap().last().unwrap().seq;
        for _ in 0..10 {
            let at = 1 + self.rng.up_to(records - 1);
            let then = storage.load_at(run.id(), at).await;
            then.unwrap_or_else(|why| panic!("at {at}: {why:?}"));
        }
    }

    async fn open(&mut self, journal: Arc<dyn Journal>) -> Runtime {
        let builder = Runtime::builder().seed(self.rng.next_u64()).durability(self.level);
        let mut builder = builder
            .lanes(1 + below(&mut self.rng, 3))
            .clock(self.clock.clone())
            .journal(journal)
            .handler(Handler::one("work", work))
            .handler(Handler::many("list", list))
            .handler(Handler::many("rows", rows));
        for (name, kind, _) in self.mergers {
            builder = builder.handler(merger(name, kind, self.rng.next_u64()));
        }
        let runtime = builder.build().await.unwrap();
        if runtime.versions("nested").list().is_empty() {
            runtime.publish_and_promote(self.graph.clone()).await.unwrap();
        }
        assert_eq!(runtime.stranded(), []);
        runtime
    }
}

/// A merger is skipped only as long as something keeps it from joining.
fn nothing_is_prevented_by_nothing(states: &[StateView]) {
    use StateStatus::{RetryCreated, Skipped, Success};
    let is_well = |state: &StateView| matches!(state.status, RetryCreated | Skipped | Success);
    if !states.iter().all(is_well) {
        return;
    }
    // What `late` waits for never comes in a draw that was given up for another one.
    let is_redrawn = states.iter().any(|it| &*it.node == "outer" && it.status == RetryCreated);
    let is_over = |state: &StateView| is_redrawn && &*state.node == "late";
    let skipped = states.iter().find(|state| state.status == Skipped && !is_over(state));
    assert_eq!(skipped, None, "{states:?}");
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.up_to(bound as u64 - 1)).unwrap()
}

/// The first time some fail, some are requeued, and some are pruned.
async fn work(input: Number, ctx: Context) -> Result<List, NodeError> {
    ctx.sleep(Duration::from_millis(100 + (input.n * 377) % 1_000)).await;
    let is_first = ctx.store().put(format!("seen {}", input.n), true).is_none();
    match input.n {
        1 | 4 if is_first => Err(NodeError::permanent("first")),
        2 if is_first => Err(Signal::RequeueAfter(Duration::from_millis(150)).into()),
        5 if is_first => Err(Signal::Prune(Value::Null).into()),
        n => Ok(List { all: vec![n] }),
    }
}

/// An output of a list, which may lack what its children read.
#[derive(Serialize, JsonSchema)]
struct Lacking {
    n: Option<u64>,
}

/// Two of its outputs may lack something the first time.
async fn list(input: Number, ctx: Context) -> Result<Emit<Lacking>, NodeError> {
    ctx.sleep(Duration::from_millis(50)).await;
    let is_first = ctx.store().put(format!("list {}", input.n), true).is_none();
    let lacks = move |n| is_first && input.n.is_multiple_of(2) && n > 0;
    Ok(Emit::each((0..3).map(move |n| Lacking { n: (!lacks(n)).then_some(3 * input.n + n) })))
}

async fn rows(input: Number, ctx: Context) -> Result<Emit<Number>, NodeError> {
    let from = ctx.cursor::<u64>()?.unwrap_or(0);
    let row = move |n| {
        let ctx = ctx.clone();
        async move {
            ctx.sleep(Duration::from_millis(120)).await;
            let is_first = ctx.store().put(format!("row {}", input.n), true).is_none();
            if n == 2 && is_first {
                return Err(NodeError::new("cut off"));
            }
            Ok((Number { n: 3 * input.n + n }, n + 1))
        }
    };
    Ok(Emit::resumable(futures_util::stream::iter(from..3).then(row)))
}

/// Each fails now and then.
fn merger(name: &str, kind: Kind, seed: u64) -> Handler {
    let calls = AtomicU64::new(seed);
    let may_end = move || match calls.fetch_add(1, Ordering::Relaxed) % 4 {
        0 => Err(NodeError::new("not yet")),
        _ => Ok(()),
    };
    if kind == Kind::Array {
        let gather = move |lists: Lists, ctx: Context| {
            let may_end = may_end();
            async move {
                ctx.sleep(Duration::from_millis(30)).await;
                may_end.map(|()| List { all: lists.all.concat() })
            }
        };
        return Handler::one(name, gather);
    }
    let step = |sum: &mut List, one: List| {
        sum.all.extend(one.all);
        Ok(())
    };
    let finish = move |sum| may_end().map(|()| sum);
    let fold = Handler::fold(name, || List { all: Vec::new() }, step, finish);
    if kind == Kind::Ordered { fold.ordered() } else { fold }
}

fn reads(name: &str, field: &str, from: &str) -> NodeSpec {
    NodeSpec::new(name).input(field, format!("${{{{{from}.outputs.{field}}}}}"))
}

/// A fanout in a fanout: a merger for each, one that joins all branches at once, and one for each inner
/// fanout that waits for that.
fn graph(rng: &mut Rng, mergers: Mergers) -> Document {
    let mut fan = || if below(rng, 2) == 0 { "list" } else { "rows" };
    let (outer, inner) = (fan(), fan());
    let [join, all, flat, late] = mergers.map(|(name, _, is_all_done)| {
        let (of, from) = match name {
            "join" | "late" => ("inner", "work"),
            "all" => ("outer", "join"),
            _ => ("outer", "work"),
        };
        let merger = reads(name, "all", from).unites(of);
        if is_all_done { merger.all_done() } else { merger }
    });
    Document::builder("nested")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("outer").handler(outer).input("n", 0).next("inner"))
        .node(reads("inner", "n", "outer").handler(inner).next("work"))
        .node(reads("work", "n", "inner").next("join").next("flat").next("late"))
        .node(join.next("all"))
        .node(all)
        .node(flat.next("late"))
        .node(late)
        .build()
}

#[test]
fn mergers_take_each_element_once_whatever_is_done_to_their_run() {
    let replayed = std::env::var("HOTGRAPH_REPLAY_SEED").ok().map(|seed| seed.parse().unwrap());
    let histories = if soak() { 2_000 } else { 60 };
    let seeds: Vec<u64> = match replayed {
        Some(seed) => vec![seed],
        None => (0..histories).collect(),
    };
    let mut lacking = 0;
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
            lacking += u32::from(history.has_lacked);
        });
    }
    assert!(lacking > 5 || replayed.is_some(), "{lacking}");
}
