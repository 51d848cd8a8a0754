//! Whole runs: each case under many seeded interleavings on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotgraph::{
    Document, EventKind, EventStream, GraphName, PublishError, Rng, Run, Runtime, StateStatus,
    StateView, Value,
};

use super::script::{Played, Shared, handlers};
use super::{Mismatch, Verdict, differs};
use crate::fixtures::{list, text};

/// How many interleavings each case runs under.
const SEEDS: u64 = 32;

pub fn check(case: &Value) -> Verdict {
    let mut traces = BTreeSet::new();
    let mut is_parallel = false;
    for seed in 0..SEEDS {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let limit = Duration::from_secs(86_400);
        let one = async { tokio::time::timeout(limit, run_once(case, seed)).await };
        let (verdict, trace) = tokio.block_on(one).map_err(|_| differs("an end", "a hang"))?;
        verdict.map_err(|m| Mismatch { got: format!("{} (seed {seed})", m.got), ..m })?;
        is_parallel |= overlaps(&trace);
        traces.insert(trace);
    }
    let distinct = u64::try_from(traces.len()).unwrap();
    if is_parallel && distinct * 2 < SEEDS {
        return Err(differs(format!("at least {} distinct traces", SEEDS / 2), distinct));
    }
    Ok(())
}

/// One event of a trace: when, which node and state, what happened.
type Trace = Vec<(u64, String, u64, &'static str)>;

/// Whether two attempts were ever under way at once.
fn overlaps(trace: &Trace) -> bool {
    let mut live = 0_i64;
    trace.iter().any(|(_, _, _, status)| {
        live += match *status {
            "QUEUED" => 1,
            "SUCCESS" | "ERRORED" | "PRUNED" | "RETRY_CREATED" | "EXECUTED" => -1,
            _ => 0,
        };
        live > 1
    })
}

async fn run_once(case: &Value, seed: u64) -> (Verdict, Trace) {
    let played: Shared = Arc::new(Mutex::new(Played::default()));
    played.lock().unwrap().waits = Some(Rng::seeded(seed));
    let slot = Arc::new(Mutex::new(None));
    let mut builder = Runtime::builder().seed(seed).lanes(1 + usize::try_from(seed % 3).unwrap());
    for handler in handlers(case, &played, &slot) {
        builder = builder.handler(handler);
    }
    let runtime = builder.build().await.unwrap();
    *slot.lock().unwrap() = Some(runtime.clone());
    let mut events = runtime.events();
    let verdict = perform(case, &runtime, &played).await;
    let trace = drain(&mut events);
    // The handlers hold the slot, and the runtime holds the handlers.
    *slot.lock().unwrap() = None;
    let _ = runtime.shutdown(Duration::from_secs(60)).await;
    (verdict, trace)
}

fn drain(events: &mut EventStream) -> Trace {
    let mut trace = Vec::new();
    let mut start = None;
    while let Some(event) = events.try_next() {
        let Ok(event) = event else { continue };
        let start = *start.get_or_insert(event.at.0);
        if let EventKind::State { node, state, status, .. } = &event.kind {
            trace.push((event.at.0 - start, node.to_string(), state.0, *status));
        }
    }
    trace
}

fn name(case: &Value) -> GraphName {
    GraphName::new(text(case, "namespace"), text(case, "graph_name"))
}

fn document(case: &Value, body: &Value) -> Document {
    let mut document = Document::from_json(&body.to_json()).unwrap();
    document.name = Some(text(case, "graph_name").to_owned());
    document.namespace = Some(text(case, "namespace").to_owned());
    document
}

async fn perform(case: &Value, runtime: &Runtime, played: &Shared) -> Verdict {
    let published = runtime.publish_and_promote(document(case, case.get("graph").unwrap())).await;
    expect(case, "expect.graph", if published.is_ok() { "accepted" } else { "rejected" })
        .map_err(|m| Mismatch { got: format!("{} {published:?}", m.got), ..m })?;
    if published.is_err() {
        return Ok(());
    }
    let started = start(case, runtime).await;
    expect(case, "expect.trigger", if started.is_ok() { "accepted" } else { "rejected" })?;
    let Ok(run) = started else { return Ok(()) };
    run.outcome().await;
    let mut answers = played.lock().unwrap().answers.clone();
    for operation in list(case, "operations") {
        if operation.at("when.idle").is_some() {
            answers.push(operate(case, operation, runtime, &run).await);
            run.outcome().await;
        }
    }
    compare(case, &run, played, &answers)
}

async fn start(case: &Value, runtime: &Runtime) -> Result<Run, hotgraph::StartError> {
    let trigger = case.get("trigger").cloned().unwrap_or_default();
    let mut start = runtime.start(name(case), trigger.get("inputs").cloned().unwrap_or_default());
    let store = trigger.get("store").and_then(Value::as_object);
    for (key, value) in store.into_iter().flat_map(|store| store.iter()) {
        start = start.store(key.as_str(), value.clone());
    }
    if let Some(delay) = trigger.get("start_delay").and_then(Value::as_i64) {
        start = start.delay(Duration::from_millis(u64::try_from(delay).unwrap()));
    }
    start.await
}

async fn operate(case: &Value, operation: &Value, runtime: &Runtime, run: &Run) -> String {
    let Some(retry) = operation.get("manual_retry") else {
        return upsert(case, operation, runtime).await;
    };
    let is_meant = |state: &&StateView| {
        *state.node == *text(retry, "identifier")
            && state.status.as_str() == text(retry, "status")
            && retry.get("inputs").is_none_or(|inputs| state.inputs == *inputs)
    };
    let states = run.states();
    let state = states.iter().filter(is_meant).min_by_key(|state| state.inputs.to_json());
    let Some(state) = state else { return "no such state".to_owned() };
    match run.retry(state.id, text(retry, "fanout_id")).await {
        Ok(()) => "accepted".to_owned(),
        Err(hotgraph::RetryError::Duplicate(_)) => "rejected 409".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Publishes the graph of an operation; new starts take it.
pub async fn upsert(case: &Value, operation: &Value, runtime: &Runtime) -> String {
    let body = operation.get("upsert").unwrap();
    match runtime.publish_and_promote(document(case, body)).await {
        Ok(_) => "valid".to_owned(),
        Err(PublishError::Invalid { problems, .. }) => format!("invalid: {problems}"),
        Err(error) => error.to_string(),
    }
}

fn expect(case: &Value, path: &str, got: &str) -> Verdict {
    let expected = case.at(path).and_then(Value::as_str).unwrap_or(got);
    if expected == got { Ok(()) } else { Err(differs(format!("{path} {expected}"), got)) }
}

fn compare(case: &Value, run: &Run, played: &Shared, answers: &[String]) -> Verdict {
    let expected = case.get("expect").unwrap();
    let states = run.states();
    same("states", wanted_states(expected), counted_states(run))?;
    let status = run.status().status;
    if let Some(wanted) = expected.get("run_status").and_then(Value::as_str) {
        same("run_status", wanted, status.as_str())?;
    }
    for (identifier, wanted) in fields(expected, "executions") {
        let executions = played.lock().unwrap().executions.get(identifier).copied();
        same("executions", wanted.as_i64(), Some(executions.unwrap_or(0)))?;
    }
    for (identifier, wanted) in fields(expected, "inputs") {
        same("inputs", sorted(wanted), inputs_of(&states, identifier, false))?;
    }
    for (identifier, wanted) in fields(expected, "unites") {
        let fired = inputs_of(&states, identifier, true);
        same(
            "fires",
            wanted.get("fires").and_then(Value::as_i64),
            i64::try_from(fired.len()).ok(),
        )?;
        if let Some(inputs) = wanted.get("inputs").filter(|inputs| !inputs.is_null()) {
            same("merger inputs", sorted(inputs), fired)?;
        }
    }
    if let Some(wanted) = expected.get("operations") {
        let wanted: Vec<_> = wanted.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        same("operations", wanted, answers.iter().map(String::as_str).collect())?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, got: T) -> Verdict {
    if expected == got { Ok(()) } else { Err(differs((what, expected), (what, got))) }
}

fn fields<'a>(value: &'a Value, field: &str) -> Vec<(&'a str, &'a Value)> {
    let object = value.get(field).and_then(Value::as_object);
    object.into_iter().flat_map(|o| o.iter()).map(|(k, v)| (k.as_str(), v)).collect()
}

type Counts = BTreeMap<(String, String), i64>;

fn wanted_states(expected: &Value) -> Counts {
    let state = |state: &Value| {
        let key = (text(state, "identifier").to_owned(), text(state, "status").to_owned());
        (key, state.get("count").and_then(Value::as_i64).unwrap())
    };
    list(expected, "states").iter().map(state).collect()
}

fn counted_states(run: &Run) -> Counts {
    let mut counts = Counts::new();
    for (node, by_status) in &run.status().nodes {
        for (status, count) in by_status.iter().filter(|(s, _)| **s != StateStatus::Skipped) {
            let key = (node.to_string(), status.as_str().to_owned());
            counts.insert(key, i64::try_from(*count).unwrap());
        }
    }
    counts
}

fn sorted(inputs: &Value) -> Vec<String> {
    let mut inputs: Vec<_> = inputs.as_array().unwrap().iter().map(Value::to_json).collect();
    inputs.sort();
    inputs
}

/// The inputs of first attempts; with `once` per start of the body and not per output.
fn inputs_of(states: &[StateView], identifier: &str, once: bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut inputs: Vec<_> = (states.iter())
        .filter(|state| *state.node == *identifier && state.attempt == 0)
        .filter(|state| state.status != StateStatus::Skipped)
        .filter(|state| !once || seen.insert(state.execution))
        .map(|state| state.inputs.to_json())
        .collect();
    inputs.sort();
    inputs
}
