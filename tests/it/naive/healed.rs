//! A run whose failures are retried by hand ends as if nothing had failed, whenever they are.
//!
//! `HOTGRAPH_SOAK=1` runs 5,000; `HOTGRAPH_NAIVE_SEED=<seed>` replays one.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Document, Journal, MemoryJournal, Outcome, Rng, Run, Runtime, StateId, StateStatus, StateView,
    Value,
};

use super::executor::execute;
use super::model::Graph;
use super::{
    engine, generate, naive_firings, naive_skips, naive_states, real_firings, real_skips,
    real_states, same, sorted,
};
use crate::fixtures::soak;

/// More rounds than a graph has nodes one below the other.
const ROUNDS: usize = 60;

/// Identifier, status and inputs of a state that was not tried again.
type Described = (String, &'static str, String);

/// The graph of a seed; its mergers fire when nothing is missing, and not before it is healed.
fn graph(seed: u64) -> Graph {
    let mut graph = generate::graph(seed);
    for unites in graph.nodes.iter_mut().filter_map(|node| node.unites.as_mut()) {
        (unites.all_done, unites.tolerate) = (false, false);
    }
    graph
}

/// What a handler failed; an input that cannot be made cannot be made again either.
fn failed(run: &Run) -> Vec<StateId> {
    let is_scripted = |error: &Arc<str>| error.contains("scripted");
    let states = run.states().into_iter();
    let failed = states.filter(|it| it.status == StateStatus::Errored);
    failed.filter(|it| it.error.as_ref().is_some_and(is_scripted)).map(|it| it.id).collect()
}

/// Retries some that failed while others go on, and fail again.
async fn disturb(graph: &Graph, run: &Run, rng: &mut Rng) {
    for round in 0..rng.up_to(8) {
        tokio::time::sleep(Duration::from_millis(rng.up_to(90))).await;
        graph.heal(rng.up_to(1) == 0);
        let failed = failed(run);
        let some = failed.into_iter().filter(|_| rng.up_to(2) > 0);
        for state in some.collect::<Vec<_>>() {
            // One may be retried already.
            let _ = run.retry(state, format!("{round} {state}")).await;
        }
    }
}

/// Retries what failed until nothing does.
async fn heal(graph: &Graph, run: &Run) -> Result<Arc<Outcome>, String> {
    graph.heal(true);
    for round in 0..ROUNDS {
        let outcome = tokio::time::timeout(Duration::from_secs(86_400), run.outcome()).await;
        let outcome = outcome.map_err(|_| format!("a hang: {:?}", run.status()))?;
        let failed = failed(run);
        if failed.is_empty() {
            return Ok(outcome);
        }
        for state in failed {
            let retried = run.retry(state, format!("healed {round} {state}")).await;
            retried.map_err(|error| format!("{state} was not retried: {error}"))?;
        }
    }
    Err(format!("not healed: {:?}", run.status()))
}

/// The states that were not tried again; a manual retry counts attempts anew.
fn last(states: Vec<super::Described>) -> Vec<Described> {
    let last = states.into_iter().filter(|(_, status, ..)| *status != "RETRY_CREATED");
    sorted(last.map(|(node, status, _, inputs)| (node, status, inputs)))
}

fn as_if_nothing_had_failed(
    graph: &Graph,
    outcome: &Outcome,
    states: &[StateView],
) -> Result<(), String> {
    let naive = execute(graph)?;
    same("states", last(naive_states(&naive)), last(real_states(states)))?;
    same("firings", naive_firings(&naive), real_firings(graph, states))?;
    same("skips", naive_skips(&naive), real_skips(outcome))?;
    same("outputs", naive.outputs(), outcome.outputs.clone())
}

async fn open(graph: &Arc<Graph>, seed: u64, journal: &Arc<MemoryJournal>) -> Runtime {
    let is_kept = seed.is_multiple_of(2);
    let builder = engine::builder(graph, seed.wrapping_mul(31));
    let builder = match is_kept {
        true => builder.journal(journal.clone() as Arc<dyn Journal>),
        false => builder,
    };
    builder.build().await.unwrap()
}

/// Whether something failed.
async fn story(seed: u64) -> Result<bool, String> {
    let (graph, journal) = (Arc::new(graph(seed)), Arc::default());
    let mut rng = Rng::seeded(seed);
    let runtime = open(&graph, seed, &journal).await;
    let document = Document::from_json(&graph.document()).unwrap();
    runtime.publish_and_promote(document).await.unwrap();
    let run = runtime.start("random", Value::empty_object()).await.unwrap();
    disturb(&graph, &run, &mut rng).await;
    let outcome = heal(&graph, &run).await?;
    let (status, states) = (run.status(), run.states());
    as_if_nothing_had_failed(&graph, &outcome, &states)?;
    if runtime.storage().is_some() {
        drop(runtime);
        let next = open(&graph, seed, &journal).await;
        let read = next.storage().unwrap().load(run.id()).await.map_err(|why| why.to_string())?;
        same("what is read", (&*outcome, status), (&*read.outcome().await, read.status()))?;
    }
    Ok(states.iter().any(|state| state.status == StateStatus::RetryCreated))
}

#[test]
fn a_run_that_is_healed_ends_as_if_nothing_had_failed() {
    let seeds = match std::env::var("HOTGRAPH_NAIVE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..if soak() { 5_000 } else { 200 }).collect::<Vec<u64>>(),
    };
    let (all, mut healed) = (seeds.len(), 0);
    for seed in seeds {
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = tokio.enable_all().start_paused(true).build().unwrap();
        let failed = tokio.block_on(story(seed));
        let failed = failed.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        healed += usize::from(failed);
    }
    assert!(healed * 4 >= all, "{healed} of {all} had something to heal");
}
