//! The graphs that are cut off at every commit, and what is done with their runs.

use std::time::Duration;

use hotgraph::{Document, NodeSpec, RetryPolicy};

use super::scenarios::{Act, Scenario};

fn node(name: &str) -> NodeSpec {
    NodeSpec::new(name)
}

fn reads(name: &str, from: &str) -> NodeSpec {
    node(name).input("n", format!("${{{{{from}.outputs.n}}}}"))
}

/// `source` fans out to `handler`; `gather` joins its outputs.
fn joined(name: &str, source: &str, handler: &str, merger: fn(NodeSpec) -> NodeSpec) -> Document {
    Document::builder(name)
        .node(node(source).input("n", 5).next("work"))
        .node(work(reads("work", source), handler).next("gather"))
        .node(merger(reads("gather", "work").unites(source)))
        .retry(quick())
        .build()
}

/// A node with that handler; `sub` is the sub-graph.
fn work(node: NodeSpec, handler: &str) -> NodeSpec {
    if handler == "sub" { node.subgraph("child") } else { node.handler(handler) }
}

fn quick() -> RetryPolicy {
    RetryPolicy::fixed(3, Duration::from_secs(2))
}

/// The same, with few attempts at once: outputs of a resumable stream are drawn by ones and twos.
fn narrow(source: &str, handler: &str) -> Document {
    let mut narrow = joined("joined", source, handler, |merger| merger);
    narrow.limits.in_flight = Some(4.into());
    narrow
}

pub fn all() -> Vec<Scenario> {
    let mut all = plain();
    all.extend(resumable());
    all
}

fn scenario(name: &'static str, graph: Document, input: u64) -> Scenario {
    let (act, delay, before) = (Act::Nothing, Duration::ZERO, Vec::new());
    Scenario { name, graph, input, act, delay, before }
}

/// Runs with resumable streams.
fn resumable() -> Vec<Scenario> {
    let same: fn(NodeSpec) -> NodeSpec = |merger| merger;
    let tolerant: fn(NodeSpec) -> NodeSpec = |merger| merger.all_done().tolerate();
    vec![
        scenario("resumable, by ones and twos", narrow("rows", "slow"), 14),
        scenario("resumable, at once", joined("joined", "rows", "pass", same), 13),
        scenario("resumable, into a fold", folded("rows"), 14),
        scenario("resumable, without a merger", alone("rows"), 7),
        scenario("resumable, a leaf", leaf("rows"), 7),
        scenario("resumable, nested", nested("rows"), 4),
        scenario("resumable, empty", joined("joined", "rows", "pass", same), 0),
        scenario("resumable, broken", joined("joined", "broken_rows", "slow", tolerant), 9),
        scenario("resumable, broken by ones and twos", narrow("broken_rows", "pass"), 9),
        scenario("resumable, late", narrow("late_rows", "slow"), 4),
        scenario("resumable, too many states", limited("rows"), 9),
        Scenario {
            act: Act::CancelAfter(3),
            ..scenario("resumable, a cancel", narrow("rows", "slow"), 14)
        },
        Scenario {
            act: Act::RetryFailed,
            ..scenario("resumable, retried", joined("joined", "broken_rows", "odd_fails", same), 9)
        },
        Scenario {
            act: Act::RetryOne,
            ..scenario("resumable, one retried", narrow("rows", "odd_fails"), 4)
        },
        Scenario {
            before: vec![child()],
            ..scenario("resumable, sub-graphs", narrow("rows", "sub"), 4)
        },
    ]
}

fn plain() -> Vec<Scenario> {
    let same: fn(NodeSpec) -> NodeSpec = |merger| merger;
    let tolerant: fn(NodeSpec) -> NodeSpec = |merger| merger.all_done().tolerate();
    vec![
        scenario("chain", chain(), 1),
        scenario("a fanout without a merger", alone("list"), 6),
        scenario("a fanout and its merger", joined("joined", "list", "pass", same), 7),
        scenario("an empty fanout", joined("joined", "list", "pass", same), 0),
        scenario("branches that wait", joined("joined", "list", "slow", same), 6),
        scenario("retries", joined("joined", "list", "flaky", same), 4),
        scenario("failures that are tolerated", joined("joined", "list", "odd_fails", tolerant), 5),
        scenario("failures that skip a merger", joined("joined", "list", "odd_fails", same), 5),
        scenario("pruned branches", joined("joined", "list", "odd_prunes", tolerant), 5),
        scenario("requeues", joined("joined", "list", "twice", same), 4),
        scenario("a stream that fails", joined("joined", "stream", "pass", tolerant), 9),
        scenario("a fold", folded("list"), 6),
        scenario("nested mergers", nested("list"), 3),
        scenario("conditions", conditions(), 6),
        Scenario {
            act: Act::CancelAfter(3),
            ..scenario("a cancel", joined("joined", "list", "slow", same), 6)
        },
        Scenario {
            act: Act::RetryFailed,
            ..scenario("a manual retry", joined("joined", "list", "odd_fails", same), 4)
        },
        scenario("too many states", limited("list"), 9),
        scenario("a store that is read", stored(), 4),
        scenario("nested folds in order", nested_folds(), 3),
        Scenario {
            before: vec![child()],
            ..scenario("sub-graphs", joined("joined", "list", "sub", same), 3)
        },
        Scenario {
            before: vec![child()],
            act: Act::CancelAfter(2),
            ..scenario("a cancel of sub-graphs", joined("joined", "list", "sub", same), 3)
        },
        scenario("attempts that take too long", times(|node| node.timeout(seconds(4))), 1),
        scenario("a node that takes too long", times(|node| node.total_timeout(seconds(5))), 1),
        scenario("a run that takes too long", run_out_of_time(), 1),
        Scenario {
            delay: seconds(30),
            ..scenario("a start that is held back", joined("joined", "list", "pass", same), 2)
        },
        Scenario {
            act: Act::CancelAfter(1),
            ..scenario("a cancel while retries wait", joined("joined", "list", "flaky", same), 4)
        },
        Scenario {
            act: Act::RetryOne,
            ..scenario("one state retried", joined("joined", "list", "odd_fails", same), 4)
        },
        scenario("a failure that stops the run", fails_fast(), 4),
        Scenario {
            act: Act::PublishAfter(2),
            ..scenario("another version meanwhile", joined("joined", "list", "slow", same), 4)
        },
        Scenario {
            act: Act::RollbackAfter(2),
            before: vec![another("joined")],
            ..scenario("a rollback meanwhile", joined("joined", "list", "slow", same), 4)
        },
    ]
}

fn chain() -> Document {
    Document::builder("chain")
        .node(node("a").handler("pass").input("n", 1).next("b"))
        .node(reads("b", "a").handler("flaky").next("c"))
        .node(reads("c", "b").handler("pass"))
        .retry(quick())
        .build()
}

fn leaf(source: &str) -> Document {
    Document::builder("leaf").node(node("list").handler(source).input("n", 1)).build()
}

fn alone(source: &str) -> Document {
    Document::builder("alone")
        .node(node("list").handler(source).input("n", 1).next("work"))
        .node(reads("work", "list").handler("pass").next("more"))
        .node(reads("more", "work").handler("pass"))
        .build()
}

fn folded(source: &str) -> Document {
    Document::builder("folded")
        .node(node("list").handler(source).input("n", 1).next("work"))
        .node(reads("work", "list").handler("slow").next("sum"))
        .node(reads("sum", "work").unites("list").next("after"))
        .node(reads("after", "sum").handler("pass"))
        .build()
}

fn nested(source: &str) -> Document {
    Document::builder("nested")
        .node(node("outer").handler(source).input("n", 1).next("inner"))
        .node(reads("inner", "outer").handler(source).next("work"))
        .node(reads("work", "inner").handler("pass").next("join"))
        .node(reads("join", "work").handler("gather").unites("inner").next("all"))
        .node(reads("all", "join").handler("gather").unites("outer"))
        .build()
}

fn conditions() -> Document {
    Document::builder("conditions")
        .node(
            node("list")
                .input("n", 1)
                .next_when("low", "${{list.outputs.n}} < 3")
                .next_when("high", "${{list.outputs.n}} >= 3"),
        )
        .node(reads("low", "list").handler("pass").next("gather"))
        .node(reads("high", "list").handler("slow"))
        .node(reads("gather", "low").unites("list"))
        .build()
}

fn limited(source: &str) -> Document {
    Document::builder("limited")
        .node(node("list").handler(source).input("n", 1).next("work"))
        .node(reads("work", "list").handler("pass"))
        .max_states(12)
        .build()
}

fn stored() -> Document {
    Document::builder("stored")
        .node(node("list").input("n", 1).next("twice"))
        .node(reads("twice", "list").next("gather"))
        .node(reads("gather", "twice").unites("list").next("last"))
        .node(node("last").handler("seen").input("seen", "${{store.seen1}}"))
        .store_default("seen1", false)
        .build()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Another graph of that name.
pub fn another(name: &str) -> Document {
    Document::builder(name)
        .node(node("list").input("n", 1).next("other"))
        .node(reads("other", "list").handler("pass"))
        .build()
}

fn nested_folds() -> Document {
    Document::builder("folds")
        .node(node("outer").handler("list").input("n", 1).next("inner"))
        .node(reads("inner", "outer").handler("stream").next("work"))
        .node(reads("work", "inner").handler("slow").next("join"))
        .node(reads("join", "work").handler("ordered_sum").unites("inner").next("all"))
        .node(reads("all", "join").handler("ordered_sum").unites("outer"))
        .build()
}

fn child() -> Document {
    Document::builder("child")
        .node(node("first").handler("slow").input("n", 1).next("second"))
        .node(reads("second", "first").handler("pass"))
        .build()
}

fn times(limit: fn(NodeSpec) -> NodeSpec) -> Document {
    Document::builder("times")
        .node(node("first").handler("pass").input("n", 1).next("endless"))
        .node(limit(reads("endless", "first").handler("forever")))
        .retry(quick())
        .build()
}

fn run_out_of_time() -> Document {
    Document::builder("times")
        .node(node("first").handler("pass").input("n", 1).next("endless"))
        .node(reads("endless", "first").handler("forever"))
        .timeout(seconds(20))
        .build()
}

fn fails_fast() -> Document {
    Document::builder("fast")
        .node(node("list").input("n", 1).next("work"))
        .node(reads("work", "list").handler("fails_late").next("after"))
        .node(reads("after", "work").handler("slow"))
        .fail_fast()
        .build()
}

/// A fanout with few branches, which take a while.
pub fn small() -> Document {
    Document::builder("small")
        .node(node("list").input("n", 1).next("work"))
        .node(reads("work", "list").handler("slow").next("gather"))
        .node(reads("gather", "work").unites("list"))
        .build()
}
