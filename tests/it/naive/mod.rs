//! A naive executor and the real one agree on random graphs.
//!
//! `HOTGRAPH_SOAK=1` runs ten times as many; `HOTGRAPH_NAIVE_SEED=<seed>` replays one and prints it.

pub mod engine;
mod executor;
pub mod generate;
mod healed;
pub mod model;
mod outcome;
mod scope;
mod script;
mod shape;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use hotgraph::{Outcome, RunStatus, SkipReason, StateStatus, StateView};

use crate::fixtures::soak;
use executor::{Naive, execute, is_bad};
use model::Graph;

/// How many graphs have each of the traits that the suite is about.
#[derive(Default, Debug)]
struct Shares {
    nested: u64,
    harmed: u64,
    two_mergers: u64,
    conditions: u64,
    retries: u64,
}

#[test]
fn naive_executor_agrees() {
    if let Ok(seed) = std::env::var("HOTGRAPH_NAIVE_SEED") {
        let seed = seed.parse().expect("HOTGRAPH_NAIVE_SEED is a number");
        println!("{}", generate::graph(seed).document());
        let mut shares = Shares::default();
        agree(seed, &mut shares).unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        return;
    }
    let graphs = if soak() { 10_000 } else { 1_000 };
    let mut shares = Shares::default();
    let mut failed = Vec::new();
    for seed in 0..graphs {
        if let Err(difference) = agree(seed, &mut shares) {
            println!("seed {seed}: {difference}");
            println!(
                "  replay: HOTGRAPH_NAIVE_SEED={seed} cargo test --test it naive -- --nocapture"
            );
            failed.push(seed);
        }
    }
    println!("{graphs} graphs: {shares:?}");
    assert!(failed.is_empty(), "{} of {graphs} graphs differ: {failed:?}", failed.len());
    assert!(shares.nested * 3 >= graphs, "too few mergers over nested fanouts: {shares:?}");
    assert!(shares.harmed * 3 >= graphs, "too few failures below mergers: {shares:?}");
    assert!(shares.two_mergers * 5 >= graphs, "too few pairs of mergers on a node: {shares:?}");
    assert!(shares.conditions * 5 >= graphs, "too few conditions: {shares:?}");
    assert!(shares.retries * 5 >= graphs, "too few retries: {shares:?}");
}

/// Runs the graph of a seed on both executors.
fn agree(seed: u64, shares: &mut Shares) -> Result<(), String> {
    let graph = Arc::new(generate::graph(seed));
    shares.add(&execute(&graph)?);
    let (outcome, states) = engine::run(&graph, seed.wrapping_mul(31))?;
    agrees(&graph, &outcome, &states)
}

/// Compares how a run ended with what the naive executor says of its graph.
pub fn agrees(graph: &Graph, outcome: &Outcome, states: &[StateView]) -> Result<(), String> {
    let naive = execute(graph)?;
    same("states", naive_states(&naive), real_states(states))?;
    same("firings", naive_firings(&naive), real_firings(graph, states))?;
    same("skips", naive_skips(&naive), real_skips(outcome))?;
    same("failures", naive_failures(&naive), real_failures(outcome))?;
    same("outputs", naive.outputs(), outcome.outputs.clone())?;
    let handled = naive_failures(&naive).iter().all(|(.., tolerated)| *tolerated);
    let status = if handled { RunStatus::Success } else { RunStatus::Failed };
    same("status", status, outcome.status)
}

fn same<T: PartialEq + Debug>(what: &str, naive: T, real: T) -> Result<(), String> {
    if naive == real {
        return Ok(());
    }
    Err(format!("{what} differ\n  naive {naive:?}\n  real  {real:?}"))
}

/// Identifier, status, attempt and, of those that ran, inputs.
type Described = (String, &'static str, u32, String);

fn naive_states(naive: &Naive<'_>) -> Vec<Described> {
    let states = naive.states.iter().map(|state| {
        let name = naive.graph.nodes[state.node].name.clone();
        (name, state.status, state.attempt, state.inputs.clone())
    });
    sorted(states)
}

fn real_states(states: &[StateView]) -> Vec<Described> {
    let states = states.iter().map(|state| {
        let inputs = match state.status {
            StateStatus::Skipped => String::new(),
            _ => state.inputs.to_json(),
        };
        let attempt = if inputs.is_empty() { 0 } else { state.attempt };
        (state.node.to_string(), state.status.as_str(), attempt, inputs)
    });
    sorted(states)
}

fn naive_firings(naive: &Naive<'_>) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let mergers = naive.states.iter().filter(|state| naive.graph.united(state.node).is_some());
    let fired = mergers.filter(|state| state.exec.is_some_and(|exec| seen.insert(exec)));
    sorted(fired.map(|state| (naive.graph.nodes[state.node].name.clone(), state.inputs.clone())))
}

fn real_firings(graph: &Graph, states: &[StateView]) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let is_merger = |state: &&StateView| {
        graph.nodes.iter().any(|n| n.unites.is_some() && *n.name == *state.node)
    };
    let ran = states.iter().filter(|state| state.status != StateStatus::Skipped).filter(is_merger);
    let fired = ran.filter(|state| seen.insert(state.execution));
    sorted(fired.map(|state| (state.node.to_string(), state.inputs.to_json())))
}

fn naive_skips(naive: &Naive<'_>) -> Vec<(String, &'static str)> {
    let skipped = naive.states.iter().filter(|state| state.status == "SKIPPED").map(|state| {
        let reason = match naive.graph.united(state.node) {
            None => "condition",
            Some(_) if state.no_way => "no way",
            Some(_) => "prevented",
        };
        (naive.graph.nodes[state.node].name.clone(), reason)
    });
    sorted(skipped)
}

fn real_skips(outcome: &Outcome) -> Vec<(String, &'static str)> {
    let skipped = outcome.skipped.iter().map(|skip| {
        let reason = match &skip.reason {
            SkipReason::Condition { .. } => "condition",
            SkipReason::NoWay => "no way",
            SkipReason::Prevented { by } if by.is_empty() => "prevented by nothing",
            SkipReason::Prevented { .. } => "prevented",
            _ => "unknown",
        };
        (skip.node.to_string(), reason)
    });
    sorted(skipped)
}

/// Identifier, status, attempts and whether a merger handled it.
type Failed = (String, &'static str, u32, bool);

fn naive_failures(naive: &Naive<'_>) -> Vec<Failed> {
    let failures = naive.states.iter().filter(|s| is_bad(s.status) && s.status != "PRUNED");
    sorted(failures.map(|state| {
        let name = naive.graph.nodes[state.node].name.clone();
        (name, state.status, state.attempt + 1, naive.is_tolerated(state))
    }))
}

fn real_failures(outcome: &Outcome) -> Vec<Failed> {
    sorted(outcome.failures.iter().map(|failure| {
        let (node, status) = (failure.node.to_string(), failure.status.as_str());
        (node, status, failure.attempts, failure.tolerated)
    }))
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort();
    items
}

impl Shares {
    fn add(&mut self, naive: &Naive<'_>) {
        let graph = naive.graph;
        let mergers = (0..graph.nodes.len()).filter_map(|node| Some((node, graph.united(node)?)));
        let fanouts_between = |(merger, united): (usize, usize)| {
            let above = graph.above(merger);
            let inner = above.into_iter().filter(|node| *node != merger && *node != united);
            inner.filter(|node| graph.nodes[*node].many && graph.leads(united, *node)).count()
        };
        let is_nested =
            |pair: (usize, usize)| graph.nodes[pair.1].many && fanouts_between(pair) > 0;
        self.nested += u64::from(mergers.clone().any(is_nested));
        let mut united = BTreeMap::<usize, usize>::new();
        mergers.for_each(|(_, node)| *united.entry(node).or_default() += 1);
        self.two_mergers += u64::from(united.values().any(|count| *count > 1));
        let harmed = |group| naive.region(group).any(|state| is_bad(state.status));
        self.harmed += u64::from(naive.groups.iter().any(harmed));
        let mut edges = graph.nodes.iter().flat_map(|node| &node.next);
        self.conditions += u64::from(edges.any(|edge| edge.when.is_some()));
        let retried = naive.states.iter().any(|state| state.status == "RETRY_CREATED");
        self.retries += u64::from(retried);
    }
}
