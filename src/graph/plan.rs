//! A compiled graph: what a run walks, with indices instead of names.
//!
//! A plan never changes. Nodes are in topological order; expressions, successors, handlers and the
//! regions of mergers were resolved when it was made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::condition::BoundCondition;
use super::document::OnFailure;
use super::expression::{BoundTemplate, ResolveTarget};
use super::outline::Outline;
use super::region::{NodeSet, Structure};
use super::retry::RetryPolicy;
use crate::id::{GraphName, NodeIndex};
use crate::node::{Arity, Handler};
use crate::value::{Key, Value};

/// A compiled graph.
#[derive(Debug)]
pub struct Plan {
    pub(crate) name: GraphName,
    pub(crate) names: Arc<[Arc<str>]>,
    pub(crate) nodes: Box<[PlanNode]>,
    pub(crate) root: NodeIndex,
    pub(crate) hash: Option<[u8; 32]>,
    pub(crate) required_keys: Box<[String]>,
    pub(crate) store_defaults: BTreeMap<String, Value>,
    pub(crate) on_failure: OnFailure,
    pub(crate) limits: Limits,
    pub(crate) timeout: Option<Duration>,
    pub(crate) outline: Arc<Outline>,
    /// Whether any node unites another.
    pub(crate) has_mergers: bool,
}

/// What a run may use of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most outputs one execution may have.
    pub max_fanout: u64,
    /// The most states one run may have.
    pub max_states: u64,
    /// The most attempts of one run that may be under way at once.
    pub in_flight: u32,
}

impl Default for Limits {
    /// Ten million outputs, a hundred million states, 16,384 attempts under way.
    fn default() -> Self {
        Self { max_fanout: 10_000_000, max_states: 100_000_000, in_flight: 16_384 }
    }
}

/// One node of a plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanNode {
    pub identifier: Arc<str>,
    pub handler: Arc<Handler>,
    pub inputs: Box<[PlanInput]>,
    /// The node whose whole output is the input, if it has no other fields than the inputs.
    pub takes_over: Option<NodeIndex>,
    /// Every edge out of the node, in the order of `next_nodes`.
    pub edges: Box<[PlanEdge]>,
    /// Where its outputs lead.
    pub onward: Onward,
    /// Whether an attempt is one call with one output, without a permit or a total timeout, that opens
    /// no group and leads straight on.
    pub is_straight: bool,
    /// The mergers that unite this node.
    pub mergers: Box<[NodeIndex]>,
    /// What the node waits for, if it is a merger.
    pub unites: Option<PlanUnites>,
    pub retry: RetryPolicy,
    pub attempt_timeout: Option<Duration>,
    pub total_timeout: Option<Duration>,
    pub concurrency: Option<u32>,
    /// Whether an edge leads into a merger.
    pub arrives: bool,
    /// Whether a merger, or what follows it, takes the outputs.
    pub collected: bool,
    /// Whether an execution that is no direct child can read the outputs.
    pub kept: bool,
    /// Whether the outputs are the run's.
    pub is_result: bool,
    /// Whether a run can have more than one state of this node.
    pub repeats: bool,
}

impl PlanNode {
    #[inline]
    pub(crate) fn arity(&self) -> Arity {
        self.handler.arity()
    }
}

/// Where an output of a node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onward {
    /// To one node, which is counted in just the groups that count the node itself.
    Node(NodeIndex),
    /// Into one merger.
    Merger(NodeIndex),
    /// Nowhere: the node is a leaf.
    Nowhere,
    /// To several nodes or mergers, to what the output decides on, or to a node that a merger unites.
    Various,
}

impl Onward {
    /// Where these edges lead, which are all that leave a node.
    pub(super) fn along(edges: &[PlanEdge]) -> Self {
        match edges {
            [] => Self::Nowhere,
            [PlanEdge { to, when: None, into_merger: true, .. }] => Self::Merger(*to),
            [PlanEdge { to, when: None, passes_item: true, .. }] => Self::Node(*to),
            _ => Self::Various,
        }
    }
}

/// One input field of a node.
#[derive(Clone, Debug)]
pub(crate) struct PlanInput {
    pub field: Key,
    pub template: BoundTemplate,
    pub target: ResolveTarget,
}

/// One edge out of a node.
#[derive(Clone, Debug)]
pub(crate) struct PlanEdge {
    pub to: NodeIndex,
    pub when: Option<BoundCondition>,
    /// Whether the edge goes into a merger, which no edge starts.
    pub into_merger: bool,
    /// Whether the node that it leads to is counted in just the groups that count the one it leaves.
    pub passes_item: bool,
}

/// What a merger waits for and reads.
#[derive(Clone, Debug)]
pub(crate) struct PlanUnites {
    /// The united node.
    pub node: NodeIndex,
    pub strategy: Strategy,
    pub tolerate: bool,
    /// The nodes whose states hold the merger back.
    pub region: NodeSet,
    /// The nodes of the region that lead to the merger.
    pub leads: NodeSet,
    /// The nodes of the region that the merger, or what follows it, reads.
    pub reads: Box<[(NodeIndex, Multiplicity)]>,
    /// The node whose states are the elements of a fold.
    pub driver: Option<NodeIndex>,
    /// Mergers of the same node or of one above it that lead to this one.
    pub after: Box<[NodeIndex]>,
}

/// When a merger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// When nothing in its group went wrong.
    AllSuccess,
    /// When everything in its group has ended.
    AllDone,
}

/// How many states of a node can exist in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multiplicity {
    AtMostOne,
    Many,
}

impl Plan {
    /// The graph's name.
    #[must_use]
    pub const fn name(&self) -> &GraphName {
        &self.name
    }

    /// The document the plan was made from, normalised.
    #[must_use]
    pub fn document(&self) -> &super::Document {
        self.outline.document()
    }

    /// The hash of the definition: the same for all that mean the same, in every process.
    ///
    /// It covers the normalised document and the fingerprints of the handlers. It is `None` if a
    /// handler was bound to the graph, because such a one never equals another.
    #[must_use]
    pub const fn hash(&self) -> Option<[u8; 32]> {
        self.hash
    }

    #[inline]
    pub(crate) fn node(&self, index: NodeIndex) -> &PlanNode {
        &self.nodes[index.at()]
    }

    /// Whether a node lies above another one, or both are the same.
    pub(crate) fn leads(&self, from: NodeIndex, to: NodeIndex) -> bool {
        Structure::of(&self.nodes).above(to).contains(from)
    }

    #[inline]
    pub(crate) fn unites(&self, merger: NodeIndex) -> &PlanUnites {
        self.node(merger).unites.as_ref().expect("only mergers are asked for what they unite")
    }
}

#[cfg(test)]
impl Plan {
    /// A plan without nodes, for tests of what only routes it.
    pub(crate) fn empty(name: &str, hash: Option<[u8; 32]>) -> Self {
        Self {
            name: name.into(),
            names: Arc::from([]),
            nodes: Box::default(),
            root: NodeIndex(0),
            hash,
            required_keys: Box::default(),
            store_defaults: BTreeMap::new(),
            on_failure: OnFailure::Continue,
            limits: Limits::default(),
            timeout: None,
            outline: Arc::new(Outline::empty(hash.is_none())),
            has_mergers: false,
        }
    }
}
