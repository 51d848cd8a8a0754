//! The peers: each builds the same graphs with its own means.
//!
//! In: a case ([`Peer::fanout`], [`Peer::chain`]). Out: a [`Case`] that prepares runs, each of which is
//! then driven under the clock. Promised: every node of the graph calls [`crate::work::node`] once, and
//! a run ends after the last of them.

mod apalis;
mod async_dag;
mod cano;
mod dagrs;
mod dagx;
mod floor;
mod floxide;
mod graph_flow;
pub mod hotgraph;
mod langgraph4rust;
mod orka;
mod weavegraph;

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

pub use floor::Floor;
pub use hotgraph::{Entry, Hotgraph};

/// Prepares runs of one graph; what preparing does is not timed.
pub enum Case {
    /// The runs are driven on a worker of the runtime, as those of a service are.
    Worker(Arc<dyn Fn() -> Run + Send + Sync>),
    /// The runs cannot be sent to a worker; the thread of `main` drives them.
    Local(Box<dyn Fn() -> LocalRun>),
}

/// A run that is ready to go. Only driving it to its end is timed.
pub type Run = Pin<Box<dyn Future<Output = Remains> + Send>>;

/// What is left of a run; it is dropped when the clock has stopped.
pub type Remains = Box<dyn Any + Send>;

/// A [`Run`] that stays on its thread.
pub type LocalRun = Pin<Box<dyn Future<Output = Box<dyn Any>>>>;

/// A library that runs graphs, and the floor below all of them.
///
/// Cases are made in the context of a runtime, but not on one of its workers.
pub trait Peer {
    /// The name of the crate.
    fn name(&self) -> &'static str;

    /// What differs, where a crate has two rows.
    fn variant(&self) -> &'static str {
        ""
    }

    /// What hotgraph can do and it cannot, and where its graph differs for that reason.
    fn cannot(&self) -> &'static str;

    /// A root, `children` nodes after it, and one merger that waits for all of them.
    fn fanout(&self, children: usize) -> Case;

    /// Nodes in a row.
    fn chain(&self, nodes: usize) -> Case;
}

/// When a graph that runs only once is built.
#[derive(Clone, Copy)]
pub enum Build {
    /// Under the clock and for each run, as whoever runs it often has to.
    Timed,
    /// Before the clock starts.
    Before,
}

impl Build {
    /// What differs between the two rows.
    pub const fn variant(self) -> &'static str {
        match self {
            Self::Timed => "",
            Self::Before => "built before",
        }
    }
}

/// The floor, hotgraph, and every peer, in the order of the table.
pub fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Floor),
        Box::new(Hotgraph(Entry::Start)),
        Box::new(Hotgraph(Entry::Run)),
        Box::new(async_dag::AsyncDag(Build::Timed)),
        Box::new(async_dag::AsyncDag(Build::Before)),
        Box::new(langgraph4rust::LangGraph),
        Box::new(orka::Orka),
        Box::new(floxide::Floxide),
        Box::new(cano::Cano(cano::Fan::Split)),
        Box::new(cano::Cano(cano::Fan::Batch)),
        Box::new(graph_flow::GraphFlow),
        Box::new(dagx::Dagx(Build::Timed)),
        Box::new(dagx::Dagx(Build::Before)),
        Box::new(dagrs::Dagrs),
        Box::new(weavegraph::Weavegraph),
        Box::new(apalis::Apalis),
    ]
}

/// A case whose runs leave nothing worth keeping from the clock.
pub fn case<F: Future<Output = ()> + Send + 'static>(
    run: impl Fn() -> F + Send + Sync + 'static,
) -> Case {
    Case::Worker(Arc::new(move || {
        let run = run();
        Box::pin(async {
            run.await;
            Box::new(()) as Remains
        })
    }))
}
