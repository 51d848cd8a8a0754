//! A run is the same whether anybody watches it, and whether it has a journal: what follows an attempt
//! is decided in a loop of its own where nobody does.
//!
//! `HOTGRAPH_SOAK=1` runs 3,000; `HOTGRAPH_NAIVE_SEED=<seed>` replays one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Durability, Journal, MemoryJournal, Outcome, Rng, Run, RunView, Runtime, SkipReason,
    StateId, StateRetention, StateStatus, StateView, Value,
};

use super::{engine, generate, model::Graph};
use crate::fixtures::soak;

/// How a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Alone,
    Awaited,
    Watched,
    Kept(Durability),
}

const WAYS: [Way; 6] = [
    Way::Alone,
    Way::Awaited,
    Way::Watched,
    Way::Kept(Durability::EveryState),
    Way::Kept(Durability::OnFanoutAndUnites),
    Way::Kept(Durability::None),
];

/// What can be told of a run without the numbers of its states.
#[derive(Debug, PartialEq)]
struct Told {
    view: RunView,
    states: Vec<String>,
    outputs: String,
    failures: Vec<String>,
    skipped: Vec<String>,
}

/// Of two failures below a state, the one that was made first counts.
fn branch(status: StateStatus) -> &'static str {
    use StateStatus::{Errored, NextCreatedError, TimedOut};
    match status {
        Errored | NextCreatedError | TimedOut => "a failure",
        other => other.as_str(),
    }
}

/// A state, with those that led to it.
fn name(states: &BTreeMap<StateId, &StateView>, id: StateId) -> String {
    let Some(state) = states.get(&id) else { return "gone".into() };
    let above = state.parent.map(|above| name(states, above)).unwrap_or_default();
    let StateView { execution, node, status, attempt, inputs, output, error, .. } = state;
    let (output, branch) = (output.as_ref().map(Value::to_json), branch(state.branch_status));
    let inputs = inputs.to_json();
    format!("{above}/{execution} {node} {status} {branch} {attempt} {inputs} {output:?} {error:?}")
}

impl Told {
    fn of(outcome: &Outcome, view: RunView, states: &[StateView]) -> Self {
        let by_id: BTreeMap<_, _> = states.iter().map(|state| (state.id, state)).collect();
        let name = |id: StateId| name(&by_id, id);
        let mut named: Vec<_> = states.iter().map(|state| name(state.id)).collect();
        named.sort();
        let failures = outcome.failures.iter().map(|failure| {
            let (of, error, attempts) = (name(failure.state), &failure.error, failure.attempts);
            format!("{of}: {error} {attempts} {}", failure.tolerated)
        });
        let skipped = outcome.skipped.iter().map(|skip| {
            let why = match &skip.reason {
                SkipReason::Prevented { by } if by.is_empty() => "by nothing".into(),
                SkipReason::Prevented { .. } => String::new(),
                other => format!("{other:?}"),
            };
            format!("{}: {why}", name(skip.state))
        });
        Self {
            view,
            states: named,
            outputs: Value::Object(outcome.outputs.clone()).to_json(),
            failures: failures.collect(),
            skipped: skipped.collect(),
        }
    }

    async fn by(run: &Run) -> Self {
        let outcome = tokio::time::timeout(Duration::from_secs(86_400), run.outcome()).await;
        Self::of(&outcome.expect("it ends"), run.status(), &run.states())
    }
}

fn document(graph: &Graph, seed: u64) -> Document {
    let mut rng = Rng::seeded(seed ^ 0x7a7c);
    let mut document: serde_json::Value = serde_json::from_str(&graph.document()).unwrap();
    for node in document["nodes"].as_array_mut().unwrap() {
        match rng.up_to(7) {
            0 => node["concurrency"] = (1 + rng.up_to(1)).into(),
            1 => node["timeout"] = serde_json::json!({ "attempt_ms": 100_000 }),
            2 => node["timeout"] = serde_json::json!({ "total_ms": 100_000_000 }),
            _ => {}
        }
    }
    Document::from_json(&document.to_string()).unwrap()
}

async fn open(graph: &Arc<Graph>, seed: u64, journal: Option<Arc<dyn Journal>>) -> Runtime {
    let builder = engine::builder(graph, seed).state_retention(match seed % 5 {
        0 => StateRetention::Failures,
        _ => StateRetention::All,
    });
    let builder = match journal {
        Some(journal) => builder.journal(journal),
        None => builder,
    };
    builder.build().await.unwrap()
}

async fn told(graph: &Arc<Graph>, seed: u64, way: Way) -> Vec<Told> {
    let journal = Arc::new(MemoryJournal::new());
    let is_kept = matches!(way, Way::Kept(_));
    let runtime = open(graph, seed, is_kept.then(|| journal.clone() as Arc<dyn Journal>)).await;
    runtime.publish_and_promote(document(graph, seed)).await.unwrap();
    let events = (way == Way::Watched).then(|| runtime.events());
    let start = runtime.start("random", Value::empty_object());
    let start = match way {
        Way::Kept(level) => start.durability(level),
        _ => start,
    };
    let run = match way {
        Way::Awaited => {
            let run = start.run().await.unwrap().run;
            runtime.run(run).unwrap()
        }
        _ => start.await.unwrap(),
    };
    let mut told = vec![Told::by(&run).await];
    drop(events);
    let _ = runtime.shutdown(Duration::from_secs(60)).await;
    if matches!(way, Way::Kept(level) if level != Durability::None) {
        let again = open(graph, seed, Some(journal)).await;
        let run = again.storage().unwrap().load(run.id()).await.unwrap();
        told.push(Told::by(&run).await);
    }
    told
}

#[test]
fn a_run_is_the_same_whoever_looks_at_it() {
    let seeds = match std::env::var("HOTGRAPH_NAIVE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..if soak() { 3_000 } else { 60 }).collect::<Vec<u64>>(),
    };
    for seed in seeds {
        let graph = Arc::new(generate::graph(seed));
        let mut first = None;
        for way in WAYS {
            let mut tokio = tokio::runtime::Builder::new_current_thread();
            let tokio = tokio.enable_all().start_paused(true).build().unwrap();
            for told in tokio.block_on(told(&graph, seed, way)) {
                match &first {
                    None => first = Some(told),
                    Some(first) => assert_eq!(*first, told, "seed {seed}, {way:?}"),
                }
            }
        }
    }
}
