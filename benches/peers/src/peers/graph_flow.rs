//! graph-flow: a session that moves from task to task; one task may run others.

use std::sync::Arc;

use async_trait::async_trait;
use graph_flow::fanout::FanOutTask;
use graph_flow::{Context, ExecutionStatus, GraphBuilder, NextAction, Session, Task, TaskResult};

use super::{Case, Peer};
use crate::work::node;

/// The crate `graph-flow`.
pub struct GraphFlow;

impl Peer for GraphFlow {
    fn name(&self) -> &'static str {
        "graph-flow"
    }

    fn cannot(&self) -> &'static str {
        "fan out over items (children are fixed when the graph is built), pass typed values along \
         edges (a shared context of JSON), let a child lead to other nodes, retry, cancel"
    }

    fn fanout(&self, children: usize) -> Case {
        let children = (0..children).map(|child| noop(format!("child {child}"), NextAction::End));
        let fan = FanOutTask::new("fan", children.collect())
            .with_next_action(NextAction::ContinueAndExecute);
        let graph = GraphBuilder::new("fanout")
            .add_task(noop("root".to_owned(), NextAction::ContinueAndExecute))
            .add_task(fan)
            .add_task(noop("merger".to_owned(), NextAction::End))
            .add_edge("root", "fan")
            .add_edge("fan", "merger");
        prepared(graph, "root")
    }

    fn chain(&self, nodes: usize) -> Case {
        let mut graph = GraphBuilder::new("chain");
        for place in 1..nodes {
            graph = graph.add_task(noop(place.to_string(), NextAction::ContinueAndExecute));
        }
        graph = graph.add_task(noop(nodes.to_string(), NextAction::End));
        for place in 1..nodes {
            graph = graph.add_edge(place.to_string(), (place + 1).to_string());
        }
        prepared(graph, "1")
    }
}

struct Noop(String, NextAction);

#[async_trait]
impl Task for Noop {
    fn id(&self) -> &str {
        &self.0
    }

    async fn run(&self, _: Context) -> graph_flow::Result<TaskResult> {
        node();
        Ok(TaskResult::new(None, self.1.clone()))
    }
}

fn noop(name: String, next: NextAction) -> Arc<dyn Task> {
    Arc::new(Noop(name, next))
}

fn prepared(graph: GraphBuilder, first: &'static str) -> Case {
    let graph = Arc::new(graph.build().expect("the graph is valid"));
    super::case(move || {
        let graph = graph.clone();
        async move {
            let mut session = Session::new_from_task("session".to_owned(), first);
            let result = graph.execute_session(&mut session).await.expect("no task fails");
            assert!(matches!(result.status, ExecutionStatus::Completed));
        }
    })
}
