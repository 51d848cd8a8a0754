//! A fanout of a million branches finishes in memory bounded by what is in flight.

use futures_util::stream;
use hotgraph::{Document, Emit, Handler, NodeSpec, Runtime, StateStatus, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fixtures::soak;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// The most that the peak of resident memory may grow by, in kilobytes, whatever the width.
const BOUND_KB: u64 = 64 * 1024;

/// The peak of resident memory in kilobytes, where the system tells.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_branches_need_memory_for_those_in_flight() {
    let branches = if soak() { 1_000_000 } else { 200_000 };
    let split = |input: Number| async move {
        Ok(Emit::stream(stream::iter((0..input.n).map(|n| Ok(Number { n })))))
    };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("split", split))
        .handler(Handler::one("pass", |input: Number| async move { Ok(input) }))
        .handler(Handler::fold("sum", || 0, add, |n| Ok(Number { n })))
        .build()
        .await
        .unwrap();
    let graph = Document::builder("wide")
        .node(NodeSpec::new("split").input("n", 0).next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{split.outputs.n}}").next("sum"))
        .node(NodeSpec::new("sum").unites("split").input("n", "${{pass.outputs.n}}"));
    runtime.publish_and_promote(graph.build()).await.unwrap();

    let before = peak_kb();
    let run = runtime.start("wide", Value::object([("n", branches)])).await.unwrap();
    let outcome = run.outcome().await;
    assert_eq!(outcome.output::<Number>().unwrap().n, branches * (branches - 1) / 2);
    assert_eq!(run.status().of("pass", StateStatus::Success), branches);
    match before.zip(peak_kb()) {
        Some((before, after)) => {
            println!("{branches} branches: the peak grew by {} kB", after - before);
            assert!(after - before < BOUND_KB, "the peak grew by {} kB", after - before);
        }
        None => println!("SKIPPED: the system does not tell the peak of resident memory"),
    }
}
