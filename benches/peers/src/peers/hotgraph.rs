//! hotgraph: published documents with typed handlers, through the public API.

use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Case, Peer, case};
use crate::work::node;

/// A runtime with every graph published.
pub struct Hotgraph(Runtime);

#[derive(Deserialize, JsonSchema)]
struct Children {
    children: usize,
}

impl Hotgraph {
    /// Publishes the fanout and a chain of each length.
    pub async fn new(chains: &[usize]) -> Self {
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
        let graphs = chains.iter().map(|nodes| chain(*nodes)).chain([fanout()]);
        for graph in graphs {
            runtime.publish_and_promote(graph.build()).await.expect("the graph is valid");
        }
        Self(runtime)
    }

    fn case(&self, graph: String, inputs: Value) -> Case {
        let runtime = self.0.clone();
        case(move || {
            let (runtime, graph, inputs) = (runtime.clone(), graph.clone(), inputs.clone());
            async move {
                let run = runtime.start(&*graph, inputs).await.expect("the graph is there");
                assert!(run.await.is_success());
            }
        })
    }
}

impl Peer for Hotgraph {
    fn name(&self) -> &'static str {
        "hotgraph"
    }

    fn cannot(&self) -> &'static str {
        "-"
    }

    fn fanout(&self, children: usize) -> Case {
        self.case("fanout".to_owned(), Value::object([("children", children as u64)]))
    }

    fn chain(&self, nodes: usize) -> Case {
        self.case(format!("chain_{nodes}"), Value::Null)
    }
}

fn fanout() -> GraphBuilder {
    Document::builder("fanout")
        .node(NodeSpec::new("root").input("children", 0).next("child"))
        .node(NodeSpec::new("child").handler("noop").next("merger"))
        .node(NodeSpec::new("merger").handler("noop").unites("root"))
}

fn chain(nodes: usize) -> GraphBuilder {
    (0..nodes).fold(Document::builder(format!("chain_{nodes}")), |graph, place| {
        let node = NodeSpec::new(format!("n{place}")).handler("noop");
        graph.node(match place + 1 {
            last if last == nodes => node,
            next => node.next(&format!("n{next}")),
        })
    })
}
