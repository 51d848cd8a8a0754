//! async_dag: closures with typed arguments, joined by position.

use std::any::Any;

use async_dag::{Graph, NodeIndex};

use super::{Build, Case, Peer};
use crate::work::node;

/// Takes at most 12 inputs per node, so mergers form a tree of this width.
const WIDTH: usize = 10;

/// The crate `async_dag`.
pub struct AsyncDag(pub Build);

impl Peer for AsyncDag {
    fn name(&self) -> &'static str {
        "async_dag"
    }

    fn variant(&self) -> &'static str {
        self.0.variant()
    }

    fn cannot(&self) -> &'static str {
        match self.0 {
            Build::Timed => {
                "run a graph twice, fan out over items (one node per child here), leave its thread, join \
                 more than 12 inputs (mergers of 10 form a tree here), retry, time out"
            }
            Build::Before => "as above",
        }
    }

    fn fanout(&self, children: usize) -> Case {
        self.case(move || fanout(children))
    }

    fn chain(&self, nodes: usize) -> Case {
        self.case(move || chain(nodes))
    }
}

impl AsyncDag {
    fn case(&self, build: impl Fn() -> Graph<'static> + Copy + 'static) -> Case {
        let time = self.0;
        Case::Local(Box::new(move || match time {
            Build::Timed => Box::pin(async move {
                build().run().await;
                Box::new(()) as Box<dyn Any>
            }),
            Build::Before => {
                let mut graph = build();
                Box::pin(async move {
                    graph.run().await;
                    Box::new(graph) as Box<dyn Any>
                })
            }
        }))
    }
}

fn fanout(children: usize) -> Graph<'static> {
    let mut graph = Graph::new();
    let root = graph.add_task(|| async { node() });
    let mut level: Vec<_> = (0..children).map(|_| child(&mut graph, root)).collect();
    while level.len() > 1 {
        level = level.chunks(WIDTH).map(|inputs| join(&mut graph, inputs)).collect();
    }
    child(&mut graph, level[0]);
    graph
}

fn chain(nodes: usize) -> Graph<'static> {
    let mut graph = Graph::new();
    let mut last = graph.add_task(|| async { node() });
    for _ in 1..nodes {
        last = child(&mut graph, last);
    }
    graph
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
