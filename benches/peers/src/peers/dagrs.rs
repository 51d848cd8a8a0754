//! dagrs: nodes that all start at once and wait for each other's channels.

use std::sync::Arc;

use async_trait::async_trait;
use dagrs::{
    Action, Content, DefaultNode, EnvVar, Graph, InChannels, Node, NodeTable, OutChannels, Output,
};
use tokio::sync::Mutex;

use super::{Case, Peer};
use crate::work::node;

/// The crate `dagrs`.
pub struct Dagrs;

impl Peer for Dagrs {
    fn name(&self) -> &'static str {
        "dagrs"
    }

    fn cannot(&self) -> &'static str {
        "run a graph twice at once (it is reset after each run here, under the clock), fan out over \
         items (one node per child here), start a node only when its inputs are there (each is a task \
         from the start)"
    }

    fn fanout(&self, children: usize) -> Case {
        let mut graph = Building::default();
        let root = graph.add("root".to_owned());
        let children: Vec<_> =
            (0..children).map(|child| graph.add(format!("child {child}"))).collect();
        let merger = graph.add("merger".to_owned());
        graph.edge(root, children.clone());
        for child in children {
            graph.edge(child, vec![merger]);
        }
        graph.case()
    }

    fn chain(&self, nodes: usize) -> Case {
        let mut graph = Building::default();
        let nodes: Vec<_> = (0..nodes).map(|place| graph.add(place.to_string())).collect();
        for pair in nodes.windows(2) {
            graph.edge(pair[0], vec![pair[1]]);
        }
        graph.case()
    }
}

struct Noop;

#[async_trait]
impl Action for Noop {
    async fn run(&self, from: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        from.map(|content| content.expect("every node sends")).await;
        node();
        to.broadcast(Content::new(())).await;
        Output::empty()
    }
}

#[derive(Default)]
struct Building {
    graph: Graph,
    names: NodeTable,
}

impl Building {
    fn add(&mut self, name: String) -> dagrs::NodeId {
        let node = DefaultNode::with_action(name, Noop, &mut self.names);
        let id = node.id();
        self.graph.add_node(node).expect("the names differ");
        id
    }

    fn edge(&mut self, from: dagrs::NodeId, to: Vec<dagrs::NodeId>) {
        self.graph.add_edge(from, to).expect("the nodes are there");
    }

    fn case(self) -> Case {
        let Self { mut graph, names } = self;
        graph.set_env(EnvVar::new(names));
        let graph = Arc::new(Mutex::new(graph));
        super::case(move || {
            let graph = graph.clone();
            async move {
                let mut graph = graph.lock().await;
                graph.async_start().await.expect("no node fails");
                graph.reset().await.expect("nothing runs");
            }
        })
    }
}
