//! What runs keep: peaks of resident memory, each of a process of its own.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream;
use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::line::Line;
use super::{COMMAND, MEMORY, REPETITIONS, Row, repetitions};
use crate::measure;
use crate::peers::hotgraph::publish;

pub(super) const ROWS: &[Row] = &[
    Row { name: "memory-fold", measure: fold },
    Row { name: "memory-fold-waiting", measure: fold_waiting },
    Row { name: "memory-array", measure: array },
    Row { name: "memory-payload", measure: payload },
    Row { name: "memory-parked", measure: parked },
];

const MIB: f64 = 1024.0 * 1024.0;

type Bytes = fn() -> u64;

/// What a process measures, by the name it is asked for.
const CASES: &[(&str, Bytes)] = &[
    ("fold", || folded("pass", 10_000_000)),
    ("fold-waiting", || folded("late", 10_000_000)),
    ("array-units", || collected("units", COLLECTED)),
    ("array-numbers", || collected("numbers", COLLECTED)),
    ("payload", carried),
    ("parked", || asleep(PARKED)),
];

/// Measures one case in this process and prints the bytes.
pub(super) fn answer(case: &str) {
    let (_, measure) = CASES.iter().find(|(name, _)| *name == case).expect("the case is there");
    println!("{}", measure());
}

/// The median of the bytes of a case over processes.
fn bytes(case: &str) -> f64 {
    let program = std::env::current_exe().expect("the program has a path");
    let once = || {
        let output = Command::new(&program).args([COMMAND, MEMORY, case]).output();
        let output = output.expect("the program starts again");
        let said = String::from_utf8_lossy(&output.stdout);
        let told = said.trim().parse::<u64>();
        told.unwrap_or_else(|_| panic!("{case}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    measure::median((0..repetitions(REPETITIONS)).map(|_| once())) as f64
}

fn mebibytes(line: Line, bytes: f64, most: f64) -> Line {
    let measured = format!("{:.1} MiB above the baseline", bytes / MIB);
    line.check(measured, format!("at most {most:.0} MiB"), bytes / MIB <= most)
}

fn fold() -> Vec<Line> {
    let line = Line::new("10,000,000 branches from a stream into a fold");
    vec![mebibytes(line, bytes("fold"), 8.0)]
}

fn fold_waiting() -> Vec<Line> {
    let line = Line::new("the same with branches that wait 1 ms");
    vec![mebibytes(line, bytes("fold-waiting"), 64.0)]
}

/// How many branches an array is made of.
const COLLECTED: u64 = 1_000_000;

fn array() -> Vec<Line> {
    let cases =
        [("units, typed", "array-units", 64.0), ("numbers, mapped", "array-numbers", 160.0)];
    let line = |(name, case, most): (_, _, f64)| {
        let above = bytes(case) / COLLECTED as f64 - size_of::<Value>() as f64;
        let line = Line::new(format!("1,000,000 branches collected into an array, {name}"));
        let measured = format!("{above:.0} B per branch above the values");
        line.check(measured, format!("at most {most:.0} B"), above <= most)
    };
    cases.into_iter().map(line).collect()
}

fn payload() -> Vec<Line> {
    let line = Line::new("a string of 64 MiB through 10 nodes and a fanout of 1,000");
    vec![mebibytes(line, bytes("payload"), 70.0)]
}

/// As many runs as may be live by default.
const PARKED: usize = 100_000;

fn parked() -> Vec<Line> {
    let each = bytes("parked") / 1024.0 / PARKED as f64;
    let line = Line::new("100,000 runs parked in a timer");
    vec![line.check(format!("{each:.1} KiB each"), "at most 9 KiB each", each <= 9.0)]
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: u64,
}

/// An array that is shared, not copied.
#[derive(Deserialize, JsonSchema)]
struct All {
    all: Value,
}

/// A payload that is shared, not copied.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Payload {
    text: Value,
}

fn published(graph: GraphBuilder, handlers: impl IntoIterator<Item = Handler>) -> Runtime {
    Handle::current().block_on(publish(graph, handlers))
}

/// A stream of numbers, each passed on by this handler, and their sum.
fn folded(each: &str, branches: u64) -> u64 {
    let split = |input: Number| async move {
        Ok(Emit::stream(stream::iter((0..input.n).map(|n| Ok(Number { n })))))
    };
    let late = |input: Number| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(input)
    };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    let handlers = [
        Handler::many("split", split),
        Handler::one("pass", |input: Number| async move { Ok(input) }),
        Handler::one("late", late),
        Handler::fold("sum", || 0, add, |n| Ok(Number { n })),
    ];
    let graph = Document::builder("graph")
        .node(NodeSpec::new("split").input("n", 0).next("each"))
        .node(NodeSpec::new("each").handler(each).input("n", "${{split.outputs.n}}").next("sum"))
        .node(NodeSpec::new("sum").unites("split").input("n", "${{each.outputs.n}}"));
    above_a_small_run(&published(graph, handlers), branches)
}

/// A list of which every branch gives an element of an array.
fn collected(what: &str, branches: u64) -> u64 {
    let split = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let join = |input: All| async move {
        Ok(Number { n: input.all.as_array().map_or(0, <[Value]>::len) as u64 })
    };
    let handlers = [
        Handler::many("split", split),
        Handler::one("pass", |input: Number| async move { Ok(input) }),
        Handler::one("join", join),
    ];
    let (child, all) = match what {
        "units" => (NodeSpec::new("child").handler("noop"), "${{child.outputs}}"),
        _ => {
            let child = NodeSpec::new("child").handler("pass");
            (child.input("n", "${{split.outputs.n}}"), "${{child.outputs.n}}")
        }
    };
    let graph = Document::builder("graph")
        .node(NodeSpec::new("split").input("n", 0).next("child"))
        .node(child.next("join"))
        .node(NodeSpec::new("join").unites("split").input("all", all));
    above_a_small_run(&published(graph, handlers), branches)
}

/// The peak of a run above what a small one needs.
fn above_a_small_run(runtime: &Runtime, branches: u64) -> u64 {
    let run = |n: u64| on_a_worker(run(runtime.clone(), Value::object([("n", n)])));
    run(1_000);
    let baseline = rest();
    run(branches);
    peak().saturating_sub(baseline)
}

async fn run(runtime: Runtime, inputs: Value) {
    let run = runtime.start("graph", inputs).await.expect("the graph is there");
    let outcome = run.await;
    assert!(outcome.is_success(), "{outcome:?}");
}

fn on_a_worker(work: impl Future<Output = ()> + Send + 'static) {
    Handle::current().block_on(tokio::spawn(work)).expect("no run panics");
}

/// A payload from node to node, and then to many; what it takes itself counts.
fn carried() -> u64 {
    const SIZE: usize = 64 << 20;
    let nodes: Vec<_> = (0..10).map(|place| format!("n{place}")).collect();
    let read = |from: &str| format!("${{{{{from}.outputs.text}}}}");
    let mut graph = Document::builder("graph");
    for (place, name) in nodes.iter().enumerate() {
        let node = NodeSpec::new(name).handler("pass");
        let text = if place == 0 { String::new() } else { read(&nodes[place - 1]) };
        let next = nodes.get(place + 1).map_or("spread", String::as_str);
        graph = graph.node(node.input("text", text).next(next));
    }
    let graph = graph
        .node(NodeSpec::new("spread").input("text", read("n9")).next("take"))
        .node(NodeSpec::new("take").input("text", read("spread")).next("join"))
        .node(NodeSpec::new("join").handler("noop").unites("spread"));
    let spread = |input: Payload| async move { Ok(Emit::each(std::iter::repeat_n(input, 1_000))) };
    let handlers = [
        Handler::one("pass", |input: Payload| async move { Ok(input) }),
        Handler::many("spread", spread),
        Handler::one("take", |input: Payload| async move {
            assert!(input.text.as_str().is_some());
            Ok(())
        }),
    ];
    let runtime = published(graph, handlers);
    let run = |text: Value| on_a_worker(run(runtime.clone(), Value::object([("text", text)])));
    run("small".into());
    let baseline = rest();
    // Making it takes it twice, so the peak is forgotten once more.
    let text = Value::from("x".repeat(SIZE));
    rest();
    run(text);
    peak().saturating_sub(baseline)
}

/// Runs of one node each that waits for longer than anybody does.
fn asleep(runs: usize) -> u64 {
    let parked = Arc::new(AtomicUsize::new(0));
    let count = parked.clone();
    let sleep = Handler::one("sleep", move |_: ()| {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Ok(())
        }
    });
    let runtime = published(Document::builder("graph").node(NodeSpec::new("sleep")), [sleep]);
    let baseline = rest();
    on_a_worker(async move {
        for _ in 0..runs {
            // Dropping the handle detaches the run.
            drop(runtime.start("graph", Value::Null).await.expect("it may be live"));
        }
        while parked.load(Ordering::Relaxed) < runs {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let bytes = peak().saturating_sub(baseline);
    println!("{bytes}");
    // Nobody waits until every one of them has been taken down.
    std::process::exit(0)
}

/// Forgets the peak so far, and says how much is resident now.
fn rest() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux forgets peaks");
    status("VmRSS:")
}

/// The most that was resident since the peak was forgotten.
fn peak() -> u64 {
    status("VmHWM:")
}

/// A size in bytes that Linux tells of this process.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the size is told");
    let size = line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number");
    size * 1024
}
