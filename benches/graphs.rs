//! The runtime and the graphs that the benches run, and the test that counts allocations.
#![allow(dead_code, reason = "each of them uses some of it")]

use std::sync::Arc;

use hotgraph::{
    Document, Emit, GraphBuilder, Handler, NodeSpec, Outcome, Runtime, RuntimeBuilder, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One number in and out.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Number {
    pub n: u64,
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

async fn publish(builder: RuntimeBuilder) -> Runtime {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let stream = |input: Number| async move {
        Ok(Emit::stream(futures_util::stream::iter((0..input.n).map(|n| Ok(Number { n })))))
    };
    let add = |sum: &mut u64, one: Number| {
        *sum += one.n;
        Ok(())
    };
    let runtime = builder
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
    let one = Document::builder("one").node(NodeSpec::new("noop"));
    let graphs = [one, fanout("noop"), merged("array"), merged("fold"), merged("stream_fold")];
    for graph in graphs.into_iter().chain([chain(3), chain(100)]) {
        runtime.publish_and_promote(graph.build()).await.expect("the graph is valid");
    }
    runtime
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

/// A list whose branches do nothing.
fn fanout(name: &str) -> GraphBuilder {
    Document::builder(name)
        .node(NodeSpec::new("list").input("n", 0).next("noop"))
        .node(NodeSpec::new("noop"))
}

/// A fanout whose branches pass a field to a merger.
fn merged(name: &str) -> GraphBuilder {
    let source = if name == "stream_fold" { "stream" } else { "list" };
    let merger = if name == "array" { "count" } else { "sum" };
    Document::builder(name)
        .node(NodeSpec::new("source").handler(source).input("n", 0).next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{source.outputs.n}}").next("merge"))
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
