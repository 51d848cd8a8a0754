//! What a run allocates and spawns: numbers that are the same on every machine.
//!
//! A test names the count that was measured when it was written, and fails if it is a tenth higher.
//! A change that lowers a count writes the lower one here; one that raises it says why.
//! `cargo test --test counts -- --nocapture` prints them all.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

#[path = "../benches/graphs.rs"]
mod graphs;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hotgraph::{Document, Emit, Handler, NodeSpec, Runtime, Value};
use tokio::runtime::Handle;

use graphs::Number;

/// How much a count may grow: what differs between builds is less.
const SLACK: f64 = 1.1;

/// How often a number is taken; the least counts.
///
/// How long a lane's turn is and whether a walk is left to actors follow the time that they take. A
/// thread that is preempted makes a number larger, never smaller.
const TRIES: usize = 5;

/// How a run is started.
#[derive(Clone, Copy, Debug)]
enum By {
    /// `start(..).await`: on a task of its own.
    Start,
    /// `start(..).run()`: on the task that calls.
    Run,
}

/// A graph of `elements` branches or nodes allocates about so often for each of them.
fn check(graph: &str, by: By, elements: u64, before: f64) {
    let tokio = graphs::single();
    let runtime = tokio.block_on(graphs::steady_runtime());
    let once = || {
        let inputs = Value::object([("n", elements)]);
        tokio.block_on(async {
            match by {
                By::Start => graphs::start(&runtime, graph, inputs).await,
                By::Run => graphs::run(&runtime, graph, inputs).await,
            }
        })
    };
    // What is made once per process or per runtime is not counted.
    once();
    let counts = (0..TRIES).map(|_| allocation_counter::measure(|| drop(once())).count_total);
    let each = counts.min().unwrap() as f64 / elements as f64;
    let counted = format!("{graph}, {by:?}: {each:.2} allocations per element, {before} before");
    println!("{counted}");
    assert!(each <= before * SLACK, "{counted}");
}

#[test]
fn a_branch_that_does_nothing_allocates_little() {
    check("noop", By::Start, 10_000, 1.06);
    check("noop", By::Run, 10_000, 1.06);
    check("behind", By::Start, 10_000, 1.06);
    check("behind", By::Run, 10_000, 1.06);
}

#[test]
fn a_branch_that_a_fold_takes_allocates_little() {
    check("fold", By::Start, 10_000, 2.11);
    check("fold", By::Run, 10_000, 2.11);
    check("stream_fold", By::Start, 10_000, 2.11);
    check("stream_fold", By::Run, 10_000, 2.11);
}

#[test]
fn a_branch_that_an_array_takes_allocates_little() {
    check("array", By::Start, 10_000, 2.11);
    check("array", By::Run, 10_000, 2.11);
}

#[test]
fn a_node_of_a_chain_allocates_little() {
    // Without optimisation, which is slower, a walk is left to actors earlier: 1.45 and 1.27 with it.
    check("chain_100", By::Start, 100, 1.92);
    check("chain_100", By::Run, 100, 1.90);
}

#[test]
fn a_run_of_one_node_allocates_little() {
    check("one", By::Start, 1, 27.0);
    check("one", By::Run, 1, 24.0);
}

/// The bytes that a run has while two of its branches wait, after one whose future held so many.
fn held_while_waiting<const BYTES: usize>() -> i64 {
    let tokio = graphs::single();
    let list = |_: Number| async move { Ok(Emit::each([0, 1, 2].map(|n| Number { n }))) };
    let wait = |input: Number| async move {
        if input.n < 2 {
            std::future::pending::<()>().await;
        }
        Ok(input)
    };
    let hold = |input: Number| async move {
        let bytes = std::hint::black_box([1_u8; BYTES]);
        if input.n == 7 {
            std::future::pending::<()>().await;
        }
        std::hint::black_box(&bytes);
        Ok(input)
    };
    let runtime = tokio.block_on(async {
        let builder = Runtime::builder().lanes(1).handler(Handler::many("list", list));
        let builder = builder.handler(Handler::one("wait", wait));
        let runtime = builder.handler(Handler::one("hold", hold)).build().await.unwrap();
        let graph = Document::builder("held")
            .node(NodeSpec::new("list").input("n", 0).next("wait"))
            .node(NodeSpec::new("wait").input("n", "${{list.outputs.n}}").next("hold"))
            .node(NodeSpec::new("hold").input("n", 5));
        runtime.publish_and_promote(graph.build()).await.unwrap();
        runtime
    });
    let mut run = None;
    let held = allocation_counter::measure(|| {
        tokio.block_on(async {
            // The sleep ends when nothing else can go on.
            tokio::time::pause();
            run = Some(runtime.start("held", Value::Null).await.unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        });
    });
    held.bytes_current
}

#[test]
fn a_run_that_waits_keeps_no_future_that_has_ended() {
    let (little, much) = (held_while_waiting::<1>(), held_while_waiting::<65_536>());
    assert!(much - little < 4_096, "{little} bytes, and {much} after a large future");
}

/// A runtime whose graphs keep in `seen` the most tasks that there are while a branch is carried
/// out: branches of `look` wait for nothing, those of `wait` do, those of `merge` are joined.
async fn watching(seen: &Arc<AtomicUsize>) -> Runtime {
    let (sees, waits) = (seen.clone(), seen.clone());
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let look = move |input: Number| {
        sees.fetch_max(tasks(), Ordering::Relaxed);
        async move { Ok(input) }
    };
    let wait = move |input: Number| {
        let seen = waits.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            seen.fetch_max(tasks(), Ordering::Relaxed);
            Ok(input)
        }
    };
    let builder = Runtime::builder()
        .lanes(1)
        .handler(Handler::many("list", list))
        .handler(Handler::one("look", look))
        .handler(Handler::one("wait", wait))
        .handler(Handler::fold("sum", || 0, |_, _: Number| Ok(()), |n| Ok(Number { n })));
    let runtime = builder.build().await.unwrap();
    for (graph, node) in [("look", "look"), ("wait", "wait"), ("merge", "wait")] {
        let list = NodeSpec::new("list").input("n", 0).next(node);
        let branch = NodeSpec::new(node).input("n", "${{list.outputs.n}}");
        let document = match graph {
            "merge" => Document::builder(graph)
                .node(list)
                .node(branch.next("sum"))
                .node(NodeSpec::new("sum").unites("list").input("n", "${{wait.outputs.n}}")),
            _ => Document::builder(graph).node(list).node(branch),
        };
        runtime.publish_and_promote(document.build()).await.unwrap();
    }
    runtime
}

/// The tasks of this tokio runtime.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The most tasks that a run of so many branches has, beside those that were there before.
async fn most_tasks(graph: &str, by: By, branches: u64) -> usize {
    // Nothing wakes up before every task waits.
    tokio::time::pause();
    let seen = Arc::default();
    let runtime = watching(&seen).await;
    let before = tasks();
    let inputs = Value::object([("n", branches)]);
    match by {
        By::Start => graphs::start(&runtime, graph, inputs).await,
        By::Run => graphs::run(&runtime, graph, inputs).await,
    };
    seen.load(Ordering::Relaxed) - before
}

#[test]
fn the_tasks_of_a_run_are_its_actors_and_do_not_follow_its_width() {
    let cases = [
        ("look", By::Run, 2, 0),
        ("look", By::Start, 2, 1),
        ("wait", By::Run, 2, 2),
        ("wait", By::Start, 2, 2),
        ("look", By::Start, 10_000, 2),
        ("look", By::Run, 10_000, 2),
        ("wait", By::Start, 10_000, 2),
        ("merge", By::Start, 10_000, 3),
    ];
    for (graph, by, branches, expected) in cases {
        let tries = (0..TRIES).map(|_| graphs::single().block_on(most_tasks(graph, by, branches)));
        let least = tries.min().unwrap();
        println!("{graph}, {by:?}, {branches} branches: {least} tasks");
        assert_eq!(least, expected, "{graph}, {by:?}, {branches} branches");
    }
}
