//! hotgraph: published documents with typed handlers, through the public API.

use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::{Case, Peer, case};
use crate::work::node;

/// The crate `hotgraph`.
pub struct Hotgraph;

impl Peer for Hotgraph {
    fn name(&self) -> &'static str {
        "hotgraph"
    }

    fn cannot(&self) -> &'static str {
        "-"
    }

    fn fanout(&self, children: usize) -> Case {
        prepared(fanout(), Value::object([("children", children as u64)]))
    }

    fn chain(&self, nodes: usize) -> Case {
        prepared(chain(nodes), Value::Null)
    }
}

#[derive(Deserialize, JsonSchema)]
struct Children {
    children: usize,
}

fn prepared(graph: GraphBuilder, inputs: Value) -> Case {
    let runtime = Handle::current().block_on(publish(graph));
    case(move || {
        let (runtime, inputs) = (runtime.clone(), inputs.clone());
        async move {
            let run = runtime.start("graph", inputs).await.expect("the graph is there");
            assert!(run.await.is_success());
        }
    })
}

async fn publish(graph: GraphBuilder) -> Runtime {
    let root = |input: Children| async move {
        node();
        Ok(Emit::each((0..input.children).map(|_| ())))
    };
    let noop = |_: ()| async {
        node();
        Ok(())
    };
    let runtime = Runtime::builder()
        .handler(Handler::many("root", root))
        .handler(Handler::one("noop", noop))
        .build()
        .await
        .expect("the handlers are valid");
    runtime.publish_and_promote(graph.build()).await.expect("the graph is valid");
    runtime
}

fn fanout() -> GraphBuilder {
    Document::builder("graph")
        .node(NodeSpec::new("root").input("children", 0).next("child"))
        .node(NodeSpec::new("child").handler("noop").next("merger"))
        .node(NodeSpec::new("merger").handler("noop").unites("root"))
}

fn chain(nodes: usize) -> GraphBuilder {
    (0..nodes).fold(Document::builder("graph"), |graph, place| {
        let node = NodeSpec::new(format!("n{place}")).handler("noop");
        graph.node(match place + 1 {
            last if last == nodes => node,
            next => node.next(&format!("n{next}")),
        })
    })
}
