//! Anything is done to runs of random graphs at any time.
//!
//! `HOTGRAPH_SOAK=1` tells more stories; `HOTGRAPH_REPLAY_SEED=<seed>` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Arity, Document, Emit, EventKind, EventStream, Handler, NodeSpec, Outcome, Rng, Run, RunId,
    RunStatus, Runtime, Schema, SkipReason, SkipReport, StateStatus, StateView, Value,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::fixtures::soak;
use crate::naive::model::Graph;
use crate::naive::{agrees, engine, generate};

/// What is done to the runs of a story, besides pauses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Theme {
    Nothing,
    Limits,
    Cancels,
    Retries,
    CancelsAndRetries,
    Revoke,
    Shutdown,
    Everything,
}

const THEMES: [Theme; 8] = [
    Theme::Nothing,
    Theme::Limits,
    Theme::Cancels,
    Theme::Retries,
    Theme::CancelsAndRetries,
    Theme::Revoke,
    Theme::Shutdown,
    Theme::Everything,
];

/// What was heard of every run, child runs included; of a story that nobody watches, what was started.
struct Heard {
    events: Option<EventStream>,
    told: BTreeMap<RunId, Vec<EventKind>>,
    runs: BTreeMap<RunId, Run>,
    lagged: bool,
}

struct Story {
    rng: Rng,
    theme: Theme,
    graph: Arc<Graph>,
    /// Longer than any run takes.
    patience: Duration,
    heard: Heard,
}

fn heads(rng: &mut Rng) -> bool {
    rng.up_to(1) == 0
}

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> Option<T> {
    let last = u64::try_from(from.len()).unwrap().checked_sub(1)?;
    from.get(usize::try_from(rng.up_to(last)).unwrap()).cloned()
}

impl Heard {
    fn read(&mut self, runtime: Option<&Runtime>) {
        while let Some(event) = self.events.as_mut().and_then(EventStream::try_next) {
            let Ok(event) = event else {
                self.lagged = true;
                continue;
            };
            let Some(id) = event.run else { continue };
            self.told.entry(id).or_default().push(event.kind.clone());
            if let Some(run) = runtime.and_then(|runtime| runtime.run(id)) {
                self.runs.entry(id).or_insert(run);
            }
        }
    }
}

/// The document of a graph with limits: those that change nothing, and those that do.
fn document(graph: &Graph, rng: &mut Rng, is_harsh: bool) -> Document {
    let mut document: serde_json::Value = serde_json::from_str(&graph.document()).unwrap();
    let mut limits = serde_json::Map::new();
    if heads(rng) {
        limits.insert("in_flight".into(), (1 + rng.up_to(4)).into());
    }
    for node in document["nodes"].as_array_mut().unwrap() {
        if rng.up_to(3) == 0 {
            node["concurrency"] = (1 + rng.up_to(1)).into();
        }
        if is_harsh && rng.up_to(3) == 0 {
            let (attempt, total) = (5 + rng.up_to(40), 5 + rng.up_to(100));
            node["timeout"] = serde_json::json!({ "attempt_ms": attempt, "total_ms": total });
        }
    }
    if is_harsh {
        match rng.up_to(4) {
            0 => drop(limits.insert("max_states".into(), (1 + rng.up_to(30)).into())),
            1 => drop(limits.insert("max_fanout".into(), (1 + rng.up_to(1)).into())),
            2 => document["timeout_ms"] = (1 + rng.up_to(300)).into(),
            3 => document["on_failure"] = "fail_fast".into(),
            _ => {}
        }
    }
    document["limits"] = limits.into();
    Document::from_json(&document.to_string()).unwrap()
}

/// Runs the random graph below a fanout.
fn family(depth: u64) -> Document {
    let below = if depth == 0 { "random".to_owned() } else { format!("family{}", depth - 1) };
    Document::builder(format!("family{depth}"))
        .retry(hotgraph::RetryPolicy::none())
        .node(NodeSpec::new("twice").next("sub"))
        .node(NodeSpec::new("sub").subgraph(below).next("last"))
        .node(NodeSpec::new("last").handler("any").unites("twice").all_done())
        .build()
}

async fn open(graph: &Arc<Graph>, rng: &mut Rng, theme: Theme) -> Runtime {
    let schemas = || (Schema::any(), Schema::any());
    let twice = |_: Value| async { Ok(Emit::each([1, 2].map(|n| Value::object([("n", n)])))) };
    let any = |_: Value| async { Ok(Emit::one(Value::empty_object())) };
    let keep = [0, 1, 2, 256][usize::try_from(rng.up_to(3)).unwrap()];
    let builder = engine::builder(graph, rng.next_u64()).cancel_grace(Duration::from_millis(200));
    let builder = builder.handler(Handler::dynamic("twice", schemas(), Arity::Many, twice));
    let builder = builder.handler(Handler::dynamic("any", schemas(), Arity::One, any));
    let runtime = builder.keep_ended(keep).build().await.unwrap();
    let is_harsh = matches!(theme, Theme::Limits | Theme::Everything);
    for document in [document(graph, rng, is_harsh), family(0), family(1)] {
        runtime.publish_and_promote(document).await.unwrap();
    }
    runtime
}

impl Story {
    async fn tell(mut self, runtime: Runtime) {
        let mut runtime = Some(runtime);
        let mut work = JoinSet::new();
        for _ in 0..1 + self.rng.up_to(2) {
            let graph = ["random", "random", "family0", "family1"];
            let graph = pick(&mut self.rng, &graph).unwrap();
            let delay = Duration::from_millis([0, 20][usize::from(heads(&mut self.rng))]);
            let start = runtime.as_ref().unwrap().start(graph, Value::empty_object()).delay(delay);
            match self.rng.up_to(2) {
                _ if self.heard.events.is_none() => {
                    let run = start.await.unwrap();
                    self.heard.runs.insert(run.id(), run);
                }
                0 => drop(work.spawn(async move { drop(start.run().await) })),
                1 => drop(work.spawn(async move { drop(start.into_future().await) })),
                // Its handle is dropped at once.
                _ => drop(start.await),
            }
        }
        for round in 0..self.rng.up_to(14) {
            sleep(Duration::from_millis(self.rng.up_to(25))).await;
            self.heard.read(runtime.as_ref());
            self.watch(runtime.as_ref());
            self.act(round, &mut runtime, &mut work).await;
        }
        self.end(runtime, work).await;
    }

    /// Somebody begins to watch in the midst of it, maybe.
    fn watch(&mut self, runtime: Option<&Runtime>) {
        if self.heard.events.is_none() && self.rng.up_to(5) == 0 {
            self.heard.events = runtime.map(Runtime::events);
            // Of what went before nothing was heard.
            self.heard.lagged = true;
        }
    }

    /// Does something.
    async fn act(&mut self, round: u64, runtime: &mut Option<Runtime>, work: &mut JoinSet<()>) {
        let runs: Vec<_> = self.heard.runs.values().cloned().collect();
        let Some(run) = pick(&mut self.rng, &runs) else { return };
        let all = self.theme == Theme::Everything;
        let may = |themes: &[Theme]| all || themes.contains(&self.theme);
        let (cancels, retries) = (
            may(&[Theme::Cancels, Theme::CancelsAndRetries]),
            may(&[Theme::Retries, Theme::CancelsAndRetries]),
        );
        let (revokes, shuts) = (may(&[Theme::Revoke]), may(&[Theme::Shutdown]));
        let graph = ["random", "family0"][usize::from(heads(&mut self.rng))];
        match (self.rng.up_to(9), runtime.as_ref()) {
            (0..2, _) => run.pause(),
            (2..4, _) => run.resume(),
            (4, _) if cancels => run.cancel(),
            (5..8, _) if retries => {
                let states = run.states();
                let state = pick(&mut self.rng, &states).filter(|_| heads(&mut self.rng));
                let id = format!("retry {}", round / 2);
                work.spawn(async move {
                    // Many are refused.
                    match state {
                        Some(state) => drop(run.retry(state.id, id).await),
                        None => drop(run.retry_failed(id).await),
                    }
                });
            }
            (8, Some(runtime)) if revokes => {
                // Only the first is not refused.
                drop(runtime.versions(graph).revoke(1).await);
            }
            (8, Some(runtime)) if shuts => {
                let (runtime, grace) = (runtime.clone(), self.rng.up_to(60));
                work.spawn(async move {
                    drop(runtime.shutdown(Duration::from_millis(grace)).await);
                });
            }
            (9, _) if round > 4 && heads(&mut self.rng) => *runtime = None,
            _ => {}
        }
    }

    /// Everything ends, and agrees with what was heard of it.
    async fn end(mut self, runtime: Option<Runtime>, mut work: JoinSet<()>) {
        let ends = async {
            loop {
                sleep(Duration::from_millis(20)).await;
                self.heard.read(runtime.as_ref());
                self.heard.runs.values().for_each(Run::resume);
                while work.try_join_next().is_some_and(|joined| joined.is_ok()) {}
                if work.is_empty() && self.heard.runs.values().all(Run::is_ended) {
                    return;
                }
            }
        };
        let ended = timeout(self.patience, ends).await;
        let status = || self.heard.runs.values().map(Run::status).collect::<Vec<_>>();
        ended.unwrap_or_else(|_| panic!("a hang: {} tasks, {:?}", work.len(), status()));
        // Runs whose handles nobody has.
        while runtime.as_ref().is_some_and(|runtime| runtime.live_runs() > 0) {
            sleep(Duration::from_millis(20)).await;
        }
        self.heard.read(runtime.as_ref());
        for run in self.heard.runs.values() {
            self.check(run).await;
        }
        self.heard.told.iter().for_each(|(run, told)| {
            if !self.heard.lagged {
                check_told(told).unwrap_or_else(|why| panic!("{run}: {why}: {told:#?}"));
            }
        });
        if let Some(runtime) = runtime {
            for graph in ["random", "family0", "family1"] {
                let versions = runtime.versions(graph).list();
                assert!(versions.iter().all(|version| version.live == 0), "pins: {versions:?}");
            }
            let report = timeout(self.patience, runtime.shutdown(Duration::ZERO)).await;
            assert_eq!(report.expect("a shutdown ends").cancelled, [], "nothing was live");
        }
    }

    async fn check(&self, run: &Run) {
        let (outcome, view, states) = (run.outcome().await, run.status(), run.states());
        assert_eq!(view.status, outcome.status);
        if outcome.stopped.is_none() {
            let is_bad = outcome.failures.iter().any(|failure| !failure.tolerated);
            let status = if is_bad { RunStatus::Failed } else { RunStatus::Success };
            assert_eq!(outcome.status, status, "{outcome:#?}");
        }
        let count = |status| view.count(status);
        for live in [StateStatus::Created, StateStatus::Queued, StateStatus::Executed] {
            assert_eq!(count(live), 0, "{view:?}");
        }
        // Of runs that are not the latest ones some records may be gone.
        if !states.is_empty() {
            check_states(&outcome, &states);
            if run.graph().name() == "random" {
                self.check_prevented(&outcome, &states);
            }
            let mut listed = BTreeMap::<_, BTreeMap<_, u64>>::new();
            for state in &states {
                let node = listed.entry(state.node.clone()).or_default();
                *node.entry(state.status).or_default() += 1;
            }
            let counted = view.nodes.iter().map(|(node, counts)| {
                let counts = counts.iter().filter(|(_, count)| **count > 0);
                (node.clone(), counts.map(|(status, count)| (*status, *count)).collect())
            });
            let counted: BTreeMap<_, BTreeMap<_, u64>> = counted.collect();
            assert_eq!(counted, listed, "{outcome:#?}");
        }
        if self.theme == Theme::Nothing && run.graph().name() == "random" {
            let agreed = agrees(&self.graph, &outcome, &states);
            agreed.unwrap_or_else(|difference| panic!("{difference}"));
        }
    }
}

impl Story {
    /// What nothing keeps from running was not skipped for it.
    fn check_prevented(&self, outcome: &Outcome, states: &[StateView]) {
        use StateStatus::{RetryCreated, Skipped, Success};
        let is_well = |state: &StateView| matches!(state.status, RetryCreated | Skipped | Success);
        let is_fanout = |name: &str| self.graph.nodes.iter().any(|it| it.many && it.name == name);
        // What waits for a merger of a draw that was given up for another one waits for nothing.
        let is_redrawn = |it: &StateView| it.status == RetryCreated && is_fanout(&it.node);
        if states.iter().all(is_well) && !states.iter().any(is_redrawn) {
            let is_prevented =
                |skip: &&SkipReport| matches!(skip.reason, SkipReason::Prevented { .. });
            assert_eq!(outcome.skipped.iter().find(is_prevented), None, "{outcome:#?}");
        }
    }
}

fn check_states(outcome: &Outcome, states: &[StateView]) {
    let failed = states.iter().filter(|state| {
        use StateStatus::{Errored, NextCreatedError, TimedOut};
        matches!(state.status, Errored | NextCreatedError | TimedOut)
    });
    let failed: BTreeSet<_> = failed.map(|state| state.id).collect();
    let reported: BTreeSet<_> = outcome.failures.iter().map(|failure| failure.state).collect();
    assert_eq!(failed, reported, "{outcome:#?}");
    let skipped = states.iter().filter(|state| state.status == StateStatus::Skipped);
    let skipped: BTreeSet<_> = skipped.map(|state| state.id).collect();
    let reported: BTreeSet<_> = outcome.skipped.iter().map(|skip| skip.state).collect();
    assert_eq!(skipped, reported, "{outcome:#?}");
    let ids: BTreeSet<_> = states.iter().map(|state| state.id).collect();
    for state in states {
        assert!(state.parent.is_none_or(|parent| ids.contains(&parent)), "{state:?}");
    }
}

/// Episodes follow each other; nothing is told between them.
fn check_told(told: &[EventKind]) -> Result<(), &'static str> {
    // The run above may be paused before a run begins.
    let mut is_over = false;
    for event in told {
        match event {
            // A retry of a live run says so, too.
            EventKind::RunStarted => is_over = false,
            _ if is_over => return Err("told after the end"),
            EventKind::RunEnded { .. } => is_over = true,
            _ => {}
        }
    }
    if is_over { Ok(()) } else { Err("no end") }
}

fn seeds(few: u64, many: u64) -> Vec<u64> {
    match std::env::var("HOTGRAPH_REPLAY_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..if soak() { many } else { few }).collect(),
    }
}

fn story(tokio: &tokio::runtime::Runtime, seed: u64, patience: Duration) {
    println!("seed {seed}");
    let mut rng = Rng::seeded(seed ^ 0x5eed);
    let graph = Arc::new(generate::graph(seed));
    let theme = pick(&mut rng, &THEMES).unwrap();
    tokio.block_on(async {
        let runtime = open(&graph, &mut rng, theme).await;
        // What nobody watches is walked another way.
        let events = heads(&mut rng).then(|| runtime.events());
        let heard = Heard { events, told: BTreeMap::new(), runs: BTreeMap::new(), lagged: false };
        let story = Story { rng, theme, graph: graph.clone(), patience, heard };
        story.tell(runtime).await;
        let quiet = async {
            let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
            while tasks() > 0 || Arc::strong_count(&graph) > 1 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let is_quiet = timeout(Duration::from_secs(20), quiet).await.is_ok();
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let holders = Arc::strong_count(&graph) - 1;
        assert!(is_quiet, "{theme:?}: {tasks} tasks are left, {holders} hold the graph");
    });
}

#[test]
fn a_run_ends_once_and_leaves_nothing_whatever_is_done_to_it() {
    for seed in seeds(150, 5_000) {
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = tokio.enable_all().start_paused(true).build().unwrap();
        story(&tokio, seed, Duration::from_secs(3_600));
    }
}

#[test]
fn a_run_ends_once_and_leaves_nothing_whatever_is_done_to_it_at_once() {
    for seed in seeds(12, 400) {
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let tokio = tokio.worker_threads(3).enable_all().build().unwrap();
        story(&tokio, seed, Duration::from_secs(60));
    }
}
