//! A wide fanout that a fold joins finishes in memory that does not follow its width.
//!
//! The width is 200,000 branches, a million if `HOTGRAPH_SOAK` is set. The system tells the peak of
//! a whole process, so the test starts its own binary once more, for itself alone, and measures
//! there.

use std::process::Command;

use futures_util::stream;
use hotgraph::{Document, Emit, Handler, NodeSpec, Runtime, StateStatus, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fixtures::soak;

/// Set in the process that measures.
const MEASURES: &str = "HOTGRAPH_MEASURES_MEMORY";

/// The name of the test in this binary.
const TEST: &str = "million::a_wide_fanout_with_a_fold_adds_less_than_64_mib_to_the_peak_of_memory";

/// The most that the peak of resident memory may grow by, in kibibytes, whatever the width.
const BOUND_KIB: u64 = 64 * 1024;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[test]
fn a_wide_fanout_with_a_fold_adds_less_than_64_mib_to_the_peak_of_memory() {
    if std::env::var_os(MEASURES).is_some() {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
        return tokio.block_on(measure());
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args([TEST, "--exact", "--nocapture"]).env(MEASURES, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told = said.lines().find_map(|line| line.split_once("MEMORY: "));
    let (_, told) = told.unwrap_or_else(|| panic!("`{TEST}` did not run: {said}"));
    println!("{told}");
}

/// The peak of resident memory in kibibytes, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A runtime with the graph `wide`: numbers, each passed on, and their sum.
async fn runtime() -> Runtime {
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
    runtime
}

async fn measure() {
    let branches = if soak() { 1_000_000 } else { 200_000 };
    let runtime = runtime().await;
    let before = peak_kib();
    let run = runtime.start("wide", Value::object([("n", branches)])).await.unwrap();
    let outcome = run.outcome().await;
    assert_eq!(outcome.output::<Number>().unwrap().n, branches * (branches - 1) / 2);
    assert_eq!(run.status().of("pass", StateStatus::Success), branches);
    match before.zip(peak_kib()) {
        Some((before, after)) => {
            let grown = after - before;
            println!("MEMORY: {branches} branches: the peak grew by {grown} KiB");
            assert!(grown < BOUND_KIB, "the peak grew by {grown} KiB");
        }
        None => println!("MEMORY: SKIPPED: the system does not tell the peak of resident memory"),
    }
}
