//! async_dag: closures with typed arguments, joined by position.

use std::any::Any;

use async_dag::{Graph, NodeIndex};

use super::{Case, LocalRun, Peer};
use crate::work::node;

/// Takes at most 12 inputs per node, so mergers form a tree of this width.
const WIDTH: usize = 10;

/// The crate `async_dag`.
pub struct AsyncDag;

impl Peer for AsyncDag {
    fn name(&self) -> &'static str {
        "async_dag"
    }

    fn cannot(&self) -> &'static str {
        "emit at run time (a graph is built for each run), be sent to another thread, use two cores, join more than 12 inputs \
         (mergers of 10 form a tree here), retry, time out, cancel, observe"
    }

    fn fanout(&self, children: usize) -> Case {
        Case::Local(Box::new(move || {
            let mut graph = Graph::new();
            let root = graph.add_task(|| async { node() });
            let mut level: Vec<_> = (0..children).map(|_| child(&mut graph, root)).collect();
            while level.len() > WIDTH {
                level = level.chunks(WIDTH).map(|inputs| join(&mut graph, inputs)).collect();
            }
            let all = join(&mut graph, &level);
            child(&mut graph, all);
            run(graph)
        }))
    }

    fn chain(&self, nodes: usize) -> Case {
        Case::Local(Box::new(move || {
            let mut graph = Graph::new();
            let mut last = graph.add_task(|| async { node() });
            for _ in 1..nodes {
                last = child(&mut graph, last);
            }
            run(graph)
        }))
    }
}

fn child(graph: &mut Graph<'static>, parent: NodeIndex) -> NodeIndex {
    graph.add_child_task(parent, |_: ()| async { node() }, 0).expect("the types agree")
}

fn join(graph: &mut Graph<'static>, inputs: &[NodeIndex]) -> NodeIndex {
    type No = ();
    let ten = |_: No, _: No, _: No, _: No, _: No, _: No, _: No, _: No, _: No, _: No| async {};
    let join = graph.add_task(ten);
    for (place, input) in inputs.iter().enumerate() {
        let place = u8::try_from(place).expect("there are few inputs");
        graph.update_dependency(*input, join, place).expect("the types agree");
    }
    join
}

fn run(mut graph: Graph<'static>) -> LocalRun {
    Box::pin(async move {
        graph.run().await;
        Box::new(graph) as Box<dyn Any>
    })
}
