//! The runtime and the graphs that the benches run, and the test that counts allocations.
#![allow(dead_code, reason = "each of them uses some of it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hotgraph::{
    Arity, Document, Emit, GraphBuilder, Handler, NodeSpec, Outcome, Runtime, RuntimeBuilder,
    Schema, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One number in and out.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Number {
    pub n: u64,
}

/// One text in and out.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Text {
    pub text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Numbers {
    n: Vec<u64>,
}

pub fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("tokio starts")
}

/// Runs on this thread alone: what it counts does not depend on the machine.
pub fn single() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio starts")
}

/// A runtime with every graph of the benches published.
pub async fn runtime() -> Runtime {
    publish(Runtime::builder()).await
}

/// The same on one lane and with a seed, so that every process counts the same.
pub async fn steady_runtime() -> Runtime {
    publish(Runtime::builder().lanes(1).seed(1)).await
}

/// A runtime as this builder makes it, with every graph of the benches published.
pub async fn publish(builder: RuntimeBuilder) -> Runtime {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let stream = |input: Number| async move {
        Ok(Emit::stream(futures_util::stream::iter((0..input.n).map(|n| Ok(Number { n })))))
    };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    let runtime = work(builder)
        .handler(Handler::many("list", list))
        .handler(Handler::many("stream", stream))
        .handler(Handler::one("noop", |_: ()| async { Ok(()) }))
        .handler(Handler::one("pass", |input: Number| async move { Ok(input) }))
        .handler(Handler::one("count", |all: Numbers| async move {
            Ok(Number { n: all.n.len() as u64 })
        }))
        .handler(Handler::fold("sum", || 0, add, |n| Ok(Number { n })))
        .build()
        .await
        .expect("the handlers are valid");
    for graph in every() {
        runtime.publish_and_promote(graph.build()).await.expect("the graph is valid");
    }
    runtime
}

/// Every graph of the benches.
fn every() -> impl Iterator<Item = GraphBuilder> {
    let single = [("one", "noop"), ("park", "park")]
        .map(|(name, handler)| Document::builder(name).node(NodeSpec::new(handler)));
    let graphs = [text(), behind(), wide_payload(), chain(3), chain(100)];
    graphs
        .into_iter()
        .chain(single)
        .chain([10, 30, 100].map(nested))
        .chain(["array", "fold", "stream_fold", "stream_wait"].map(merged))
        .chain(["noop", "cpu", "sleep", "blocking"].map(fanout))
        .chain(["typed", "dynamic"].map(payload))
}

/// Registers the handlers that take time or carry text.
fn work(builder: RuntimeBuilder) -> RuntimeBuilder {
    let texts = |input: Number| async move {
        let text = |n| Text { text: format!("text {n}") };
        Ok(Emit::each((0..input.n).map(text)))
    };
    let open = (Schema::of::<Text>(), Schema::of::<Text>());
    builder
        .handler(Handler::many("texts", texts))
        .handler(Handler::one("typed", |input: Text| async move { Ok(input) }))
        .handler(Handler::dynamic("dynamic", open, Arity::One, |input: Value| async move {
            Ok(Emit::one(input))
        }))
        .handler(Handler::one("cpu", |_: ()| async {
            spin();
            Ok(())
        }))
        .handler(Handler::one("sleep", |_: ()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        }))
        .handler(Handler::blocking("blocking", |_: (), _| Ok(())))
        .handler(Handler::one("wait", |input: Number| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(input)
        }))
        .handler(Handler::one("park", |_: ()| async {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Ok(())
        }))
}

/// Keeps a core busy for 10 microseconds.
pub fn spin() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(10) {
        std::hint::spin_loop();
    }
}

/// Runs a graph to its end, on actors from the start.
pub async fn start(runtime: &Runtime, graph: &str, inputs: Value) -> Arc<Outcome> {
    let outcome = runtime.start(graph, inputs).await.expect("the graph is there").await;
    assert!(outcome.is_success());
    outcome
}

/// Runs a graph to its end, on this task as long as nothing in it waits.
pub async fn run(runtime: &Runtime, graph: &str, inputs: Value) -> Arc<Outcome> {
    let outcome = runtime.start(graph, inputs).run().await.expect("the graph is there");
    assert!(outcome.is_success());
    outcome
}

/// A list whose branches are of one node without fields, named as the graph.
fn fanout(name: &str) -> GraphBuilder {
    Document::builder(name)
        .node(NodeSpec::new("list").input("n", 0).next(name))
        .node(NodeSpec::new(name))
}

/// A list whose branches take a text and give it on.
fn text() -> GraphBuilder {
    Document::builder("text")
        .node(NodeSpec::new("texts").input("n", 0).next("typed"))
        .node(NodeSpec::new("typed").input("text", "${{texts.outputs.text}}"))
}

/// A list that does not begin the run, and beside it another node.
fn behind() -> GraphBuilder {
    Document::builder("behind")
        .node(NodeSpec::new("pass").input("n", 0).next("list").next("beside"))
        .node(NodeSpec::new("list").input("n", "${{pass.outputs.n}}").next("noop"))
        .node(NodeSpec::new("noop"))
        .node(NodeSpec::new("beside").handler("noop"))
}

/// Lists inside lists inside a list, each of so many and joined by a fold.
fn nested(width: u64) -> GraphBuilder {
    let sum = |name: &str, unites: &str, of: &str| {
        NodeSpec::new(name).handler("sum").unites(unites).input("n", of)
    };
    let list = |name: &str| NodeSpec::new(name).handler("list").input("n", width);
    Document::builder(format!("nested_{width}"))
        .node(list("outer").next("middle"))
        .node(list("middle").next("inner"))
        .node(list("inner").next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{inner.outputs.n}}").next("inner_sum"))
        .node(sum("inner_sum", "inner", "${{pass.outputs.n}}").next("middle_sum"))
        .node(sum("middle_sum", "middle", "${{inner_sum.outputs.n}}").next("outer_sum"))
        .node(sum("outer_sum", "outer", "${{middle_sum.outputs.n}}"))
}

/// A text that ten nodes hand on, named as their handler.
fn payload(handler: &str) -> GraphBuilder {
    (0..10).fold(Document::builder(handler), |graph, place| {
        let node = hands_on(handler, place);
        graph.node(if place < 9 { node.next(&format!("n{}", place + 1)) } else { node })
    })
}

/// The node at this place of a row that hands a text on.
fn hands_on(handler: &str, place: usize) -> NodeSpec {
    let text = match place {
        0 => String::new(),
        _ => format!("${{{{n{}.outputs.text}}}}", place - 1),
    };
    NodeSpec::new(format!("n{place}")).handler(handler).input("text", text)
}

/// The same as values, and then a fanout of 1,000 branches that take the text.
fn wide_payload() -> GraphBuilder {
    let row = (0..10).fold(Document::builder("wide_payload"), |graph, place| {
        let next = if place < 9 { format!("n{}", place + 1) } else { "list".to_owned() };
        graph.node(hands_on("dynamic", place).next(&next))
    });
    row.node(NodeSpec::new("list").input("n", 1_000).next("branch"))
        .node(NodeSpec::new("branch").handler("dynamic").input("text", "${{n9.outputs.text}}"))
}

/// A fanout whose branches pass a field to a merger.
fn merged(name: &str) -> GraphBuilder {
    let source = if name.starts_with("stream") { "stream" } else { "list" };
    let branch = if name == "stream_wait" { "wait" } else { "pass" };
    let merger = if name == "array" { "count" } else { "sum" };
    Document::builder(name)
        .node(NodeSpec::new("source").handler(source).input("n", 0).next("pass"))
        .node(
            NodeSpec::new("pass").handler(branch).input("n", "${{source.outputs.n}}").next("merge"),
        )
        .node(
            NodeSpec::new("merge")
                .handler(merger)
                .unites("source")
                .input("n", "${{pass.outputs.n}}"),
        )
}

/// Nodes in a row, each with the one before it as its input.
pub fn chain(length: u64) -> GraphBuilder {
    let mut graph = Document::builder(format!("chain_{length}"));
    for place in 0..length {
        let mut node = NodeSpec::new(format!("n{place}")).handler("pass");
        node = match place {
            0 => node.input("n", 0),
            _ => node.input("n", format!("${{{{n{}.outputs.n}}}}", place - 1)),
        };
        if place + 1 < length {
            node = node.next(&format!("n{}", place + 1));
        }
        graph = graph.node(node);
    }
    graph
}
