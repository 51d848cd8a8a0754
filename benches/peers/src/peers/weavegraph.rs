//! weavegraph: supersteps over a versioned state; all nodes of a step, then a barrier.

use std::sync::Arc;

use async_trait::async_trait;
use weavegraph::graphs::GraphBuilder;
use weavegraph::node::{Node, NodeContext, NodeError, NodePartial};
use weavegraph::runtimes::{EventBusConfig, RuntimeConfig};
use weavegraph::state::{StateSnapshot, VersionedState};
use weavegraph::types::NodeKind;

use super::{Case, Peer};
use crate::work::node;

/// The crate `weavegraph`.
pub struct Weavegraph;

impl Peer for Weavegraph {
    fn name(&self) -> &'static str {
        "weavegraph"
    }

    fn cannot(&self) -> &'static str {
        "fan out over items (one node per child here), pass values along edges (one shared state of \
         JSON), use two cores in one run, run a node before all of the step before have ended, retry"
    }

    fn fanout(&self, children: usize) -> Case {
        let mut graph = GraphBuilder::new()
            .add_node(name("root"), Noop)
            .add_node(name("merger"), Noop)
            .add_edge(NodeKind::Start, name("root"))
            .add_edge(name("merger"), NodeKind::End);
        for child in 0..children {
            let child = name(&format!("child {child}"));
            graph = graph
                .add_node(child.clone(), Noop)
                .add_edge(name("root"), child.clone())
                .add_edge(child, name("merger"));
        }
        prepared(graph)
    }

    fn chain(&self, nodes: usize) -> Case {
        let mut graph = GraphBuilder::new();
        let mut last = NodeKind::Start;
        for place in 0..nodes {
            let next = name(&place.to_string());
            graph = graph.add_node(next.clone(), Noop).add_edge(last, next.clone());
            last = next;
        }
        prepared(graph.add_edge(last, NodeKind::End))
    }
}

struct Noop;

#[async_trait]
impl Node for Noop {
    async fn run(&self, _: StateSnapshot, _: NodeContext) -> Result<NodePartial, NodeError> {
        node();
        Ok(NodePartial::new())
    }
}

fn name(name: &str) -> NodeKind {
    NodeKind::Custom(name.to_owned())
}

fn prepared(graph: GraphBuilder) -> Case {
    // Events go to memory: the default writes them to the standard output.
    let config =
        RuntimeConfig { event_bus: EventBusConfig::with_memory_sink(), ..RuntimeConfig::default() };
    let app = graph.with_runtime_config(config).compile().expect("the graph is valid");
    let app = Arc::new(app);
    super::case(move || {
        let app = app.clone();
        async move {
            let state = VersionedState::builder().build();
            app.invoke(state).await.expect("no node fails");
        }
    })
}
