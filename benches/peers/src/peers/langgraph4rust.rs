//! langgraph4rust: supersteps over a shared state of JSON values.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use langgraph4rust::{
    AgentNode, DefaultMemoryState, END_NODE, LangGraphError, START_NODE, StateGraphBuilder,
};

use super::{Case, Peer};
use crate::work::node;

/// The crate `langgraph4rust`.
pub struct LangGraph;

impl Peer for LangGraph {
    fn name(&self) -> &'static str {
        "langgraph4rust"
    }

    fn cannot(&self) -> &'static str {
        "fan out over items (one node per child here), pass values along edges (one shared state of \
         JSON), use two cores in one run, run a node before all of the step before have ended, retry, \
         time out"
    }

    fn fanout(&self, children: usize) -> Case {
        let children: Vec<_> = (0..children).map(|child| format!("child {child}")).collect();
        let mut graph = StateGraphBuilder::new();
        graph.add_node("root", Box::new(Noop)).add_node("merger", Box::new(Noop));
        graph.add_edge(START_NODE, to("root")).add_edge("merger", to(END_NODE));
        graph.add_edge("root", children.iter().cloned().collect());
        for child in &children {
            graph.add_node(child, Box::new(Noop)).add_edge(child, to("merger"));
        }
        prepared(graph)
    }

    fn chain(&self, nodes: usize) -> Case {
        let mut graph = StateGraphBuilder::new();
        let mut last = START_NODE.to_owned();
        for place in 0..nodes {
            let next = place.to_string();
            graph.add_node(&next, Box::new(Noop)).add_edge(&last, to(&next));
            last = next;
        }
        graph.add_edge(&last, to(END_NODE));
        prepared(graph)
    }
}

struct Noop;

#[async_trait]
impl AgentNode<DefaultMemoryState> for Noop {
    async fn apply(&self, _: Arc<DefaultMemoryState>) -> Result<(), LangGraphError> {
        node();
        Ok(())
    }
}

fn to(name: &str) -> HashSet<String> {
    HashSet::from([name.to_owned()])
}

fn prepared(graph: StateGraphBuilder<DefaultMemoryState>) -> Case {
    let graph = Arc::new(graph.compile().expect("the graph is valid"));
    super::case(move || {
        let graph = graph.clone();
        async move {
            let state = Arc::new(DefaultMemoryState::new());
            graph.invoke(state).await.expect("no node fails");
        }
    })
}
