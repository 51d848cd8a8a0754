//! Graphs as large as they may be.

use std::time::{Duration, Instant};

use hotgraph::{Document, GraphBuilder, NodeSpec};

use super::control::end_of;
use super::{runtime, start};

const NODES: u64 = 10_000;

/// One node after the other.
fn chain() -> GraphBuilder {
    let node = |at: u64| {
        let node = NodeSpec::new(format!("n{at}")).handler("pass");
        match at {
            0 => node.input("n", 1),
            _ => node.input("n", format!("${{{{n{}.outputs.n}}}}", at - 1)),
        }
    };
    let last = NODES - 1;
    let nodes = (0..last).map(|at| node(at).next(&format!("n{}", at + 1)));
    nodes.chain([node(last)]).fold(Document::builder("g"), GraphBuilder::node)
}

/// One node that leads to all others.
fn star() -> GraphBuilder {
    let leaf = |at| NodeSpec::new(format!("n{at}")).handler("pass").input("n", "${{a.outputs.n}}");
    let center = NodeSpec::new("a").handler("pass").input("n", 1);
    let center = (1..NODES).fold(center, |center, at| center.next(&format!("n{at}")));
    (1..NODES).map(leaf).fold(Document::builder("g").node(center), GraphBuilder::node)
}

/// As many groups as that, each inside the one before.
fn nested(groups: u64) -> GraphBuilder {
    let opener = |at: u64| {
        let next = if at + 1 < groups { format!("a{}", at + 1) } else { format!("m{at}") };
        NodeSpec::new(format!("a{at}")).handler("pass").input("n", 1).next(&next)
    };
    let merger = |at: u64| {
        let node = NodeSpec::new(format!("m{at}")).handler("pass").input("n", 1);
        let node = node.unites(format!("a{at}"));
        if at > 0 { node.next(&format!("m{}", at - 1)) } else { node }
    };
    let nodes = (0..groups).flat_map(|at| [opener(at), merger(at)]);
    nodes.fold(Document::builder("g"), GraphBuilder::node)
}

#[tokio::test]
async fn a_graph_of_as_many_nodes_as_there_may_be_is_published_and_run_in_time() {
    for graph in [chain(), star(), nested(1_000)] {
        let began = Instant::now();
        let runtime = runtime().build().await.unwrap();
        let run = start(&runtime, graph).await;
        assert!(end_of(&run).await.is_success());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{took:?}");
    }
}
