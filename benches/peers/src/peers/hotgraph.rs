//! hotgraph: published documents with typed handlers, through the public API.

use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec, Runtime, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::{Case, Peer, case};
use crate::work::node;

/// The crate `hotgraph`.
pub struct Hotgraph(pub Entry);

/// How a run is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `start()`: the run is walked on a task of its own until something in it waits.
    Start,
    /// `run()`: it is walked on the caller's.
    Run,
}

impl Entry {
    /// Both, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Start, Self::Run];

    /// What is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start()",
            Self::Run => "run()",
        }
    }
}

impl Peer for Hotgraph {
    fn name(&self) -> &'static str {
        "hotgraph"
    }

    fn variant(&self) -> &'static str {
        match self.0 {
            Entry::Start => "",
            Entry::Run => self.0.name(),
        }
    }

    fn cannot(&self) -> &'static str {
        "-"
    }

    fn fanout(&self, children: usize) -> Case {
        self.case(fanout("noop"), width(children))
    }

    fn chain(&self, nodes: usize) -> Case {
        self.case(chain(nodes), Value::Null)
    }
}

#[derive(Deserialize, JsonSchema)]
struct Children {
    children: usize,
}

impl Hotgraph {
    fn case(&self, graph: GraphBuilder, inputs: Value) -> Case {
        prepared(self.0, Handle::current().block_on(publish(graph, [])), inputs)
    }
}

/// Runs of the graph `graph` of a runtime.
pub fn prepared(entry: Entry, runtime: Runtime, inputs: Value) -> Case {
    case(move || {
        let (runtime, inputs) = (runtime.clone(), inputs.clone());
        async move {
            let start = runtime.start("graph", inputs);
            let outcome = match entry {
                Entry::Start => start.await.expect("the graph is there").await,
                Entry::Run => start.run().await.expect("the graph is there"),
            };
            assert!(outcome.is_success());
        }
    })
}

/// The input of a root that has so many children.
pub fn width(children: usize) -> Value {
    Value::object([("children", children as u64)])
}

/// A runtime with this graph, the handlers `root` and `noop`, and those given.
pub async fn publish(graph: GraphBuilder, handlers: impl IntoIterator<Item = Handler>) -> Runtime {
    let root = |input: Children| async move {
        node();
        Ok(Emit::each((0..input.children).map(|_| ())))
    };
    let builder = Runtime::builder().handler(Handler::many("root", root)).handler(noop());
    let builder = handlers.into_iter().fold(builder, |builder, handler| builder.handler(handler));
    let runtime = builder.build().await.expect("the handlers are valid");
    runtime.publish_and_promote(graph.build()).await.expect("the graph is valid");
    runtime
}

/// The handler `noop`.
pub fn noop() -> Handler {
    Handler::one("noop", |_: ()| async {
        node();
        Ok(())
    })
}

/// A root, children with this handler, and a merger; nothing is mapped.
pub fn fanout(child: &str) -> GraphBuilder {
    Document::builder("graph")
        .node(NodeSpec::new("root").input("children", 0).next("child"))
        .node(NodeSpec::new("child").handler(child).next("merger"))
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
