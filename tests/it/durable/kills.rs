//! A process that is killed again and again finishes its run, and makes no recorded call twice.
//!
//! 300 kills, or 1,000 with `HOTGRAPH_SOAK=1`.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hotgraph::{
    Context, Document, Emit, Handler, NodeError, NodeSpec, RetryPolicy, Runtime, SqliteJournal,
    Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::on_record;
use crate::fixtures::soak;
use crate::journal::folder::Folder;
use crate::journal::sqlite::child;

const BRANCHES: u64 = 300;

/// What a child says before how its run ended.
const ENDED: &str = "ended ";

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

fn calls_of(store: &Path) -> PathBuf {
    store.with_extension("calls")
}

/// The graph; its versions differ by how often a branch is tried.
fn graph(retries: u32) -> Document {
    let reads = |name: &str, from: &str| {
        NodeSpec::new(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
    };
    Document::builder("killed")
        .node(NodeSpec::new("list").input("n", BRANCHES).next("work"))
        .node(reads("work", "list").next("gather"))
        .node(reads("gather", "work").unites("list"))
        .retry(RetryPolicy::fixed(retries, Duration::from_millis(5)))
        .build()
}

fn runtime(store: &Path) -> hotgraph::RuntimeBuilder {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let calls = calls_of(store);
    let work = move |input: Number, ctx: Context| {
        let calls = calls.clone();
        async move {
            ctx.sleep(Duration::from_millis(input.n % 7)).await;
            // One write, so that a kill leaves a whole line or none.
            let mut file = OpenOptions::new().create(true).append(true).open(calls).unwrap();
            let line = format!("{} {}\n", ctx.idempotency_key(), ctx.attempt());
            file.write_all(line.as_bytes()).unwrap();
            match input.n.is_multiple_of(5) && ctx.attempt() == 0 {
                true => Err(NodeError::new("not yet")),
                false => Ok(input),
            }
        }
    };
    let gather = |all: Numbers| async move { Ok(Number { n: all.n.iter().sum() }) };
    Runtime::builder()
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", work))
        .handler(Handler::one("gather", gather))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_runs_until_it_is_killed() {
    let Some(store) = child::store() else { return };
    // The one before was killed, and holds nothing up.
    let journal = Arc::new(SqliteJournal::open(&*store).await.unwrap());
    let runtime = runtime(&store).journal(journal).build().await.unwrap();
    assert_eq!(runtime.stranded(), []);
    if runtime.versions("killed").active().is_none() {
        runtime.publish_and_promote(graph(3)).await.unwrap();
    }
    let start = runtime.start("killed", Value::empty_object()).idempotency_key("once");
    let run = start.await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    runtime.publish_and_promote(graph(0)).await.unwrap();
    let outcome = run.outcome().await;
    let outputs: Vec<_> = outcome.outputs.iter().map(|(_, output)| output.to_json()).collect();
    println!("{ENDED}{} on {} with {}", outcome.status, outcome.version, outputs.join(", "));
}

/// What was called, from that line on.
fn calls(store: &Path, from: usize) -> Vec<(String, u32)> {
    let text = fs::read_to_string(calls_of(store)).unwrap_or_default();
    let calls = text.lines().skip(from).map(|line| line.split_once(' ').unwrap());
    calls.map(|(key, attempt)| (key.to_owned(), attempt.parse().unwrap())).collect()
}

/// Starts a child, and kills it after a while; gives back how its run ended, if it did before.
fn kill_after(delay: Duration, store: &Path) -> Option<String> {
    let test = concat!(module_path!(), "::child_that_runs_until_it_is_killed");
    let mut child = child::command(test, store.to_owned(), None).spawn().unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ended = lines.filter_map(|line| child::said(&line, ENDED).map(str::to_owned)).last();
    child.wait().unwrap();
    ended
}

/// Kills the processes of one run until it has ended, and says how many.
async fn kill_until_it_ends(rng: &mut Rng) -> u64 {
    let folder = Folder::new();
    let store = folder.path().join("store.db");
    let (mut kills, mut recorded, mut lines) = (0, BTreeSet::new(), 0);
    // Each of them gets further in the end: they live longer and longer.
    let mut longest = 150;
    loop {
        let ended = kill_after(Duration::from_millis(rng.u64(10..longest)), &store);
        let called = calls(&store, lines);
        lines += called.len();
        let again: Vec<_> = called.into_iter().filter(|call| recorded.contains(call)).collect();
        assert_eq!(again, [], "kill {kills}: called again although it was on record");
        if let Some(ended) = ended {
            let sum = BRANCHES * (BRANCHES - 1) / 2;
            assert_eq!(ended, format!("SUCCESS on v1 with {{\"n\":{sum}}}"));
            return kills;
        }
        let journal = SqliteJournal::open(&*store).await.unwrap();
        recorded = on_record(&journal).await;
        kills += 1;
        longest += 10;
    }
}

#[tokio::test]
async fn a_run_whose_processes_are_killed_ends_and_makes_no_recorded_call_twice() {
    let wanted = if soak() { 1_000 } else { 300 };
    let (mut rng, mut kills, mut runs) = (Rng::with_seed(1), 0, 0);
    while kills < wanted {
        kills += kill_until_it_ends(&mut rng).await;
        runs += 1;
    }
    println!("{kills} kills under {runs} runs");
}
