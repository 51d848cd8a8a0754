//! A graph that passed the check: names trimmed, defaults filled in, nodes in topological order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::graph::condition::Condition;
use crate::graph::document::{Document, OnFailure, SubGraphDocument};
use crate::graph::expression::Template;
use crate::graph::plan::{Limits, Strategy};
use crate::graph::problem::Problems;
use crate::graph::retry::RetryPolicy;
use crate::id::{GraphName, NodeIndex};
use crate::node::Handler;
use crate::value::Value;

/// What is wrong with a graph that did not pass, and what may be a mistake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub problems: Problems,
    /// Often the cause: a key that means nothing is mostly one that was misspelt.
    pub warnings: Problems,
}

/// A graph that passed the check.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub name: GraphName,
    /// A node comes after everything it depends on, and otherwise in the order of the identifiers.
    pub nodes: Vec<CheckedNode>,
    pub root: NodeIndex,
    pub required_keys: Vec<String>,
    pub defaults: BTreeMap<String, Value>,
    pub result: Option<NodeIndex>,
    pub on_failure: OnFailure,
    pub limits: Limits,
    pub timeout: Option<Duration>,
    /// What is no problem but may be a mistake.
    pub warnings: Problems,
    /// The document in its canonical form: the same for all that mean the same but for the order
    /// of next nodes, with the names of secrets but not their values.
    pub document: Document,
}

/// A node that passed the check.
#[derive(Clone, Debug)]
pub(crate) struct CheckedNode {
    pub identifier: String,
    pub namespace: String,
    /// The handler's name; blank if a graph carries out the node.
    pub node_name: String,
    /// The handler that was checked; `None` if there was none to check, as with a sub-graph.
    pub handler: Option<Arc<Handler>>,
    pub graph: Option<SubGraphDocument>,
    /// In the order of their names.
    pub inputs: Vec<(String, Template)>,
    /// In the order in which they are written.
    pub edges: Vec<(NodeIndex, Option<Condition>)>,
    /// The united node, the strategy, and whether failures are tolerated.
    pub unites: Option<(NodeIndex, Strategy, bool)>,
    pub retry: RetryPolicy,
    pub attempt_timeout: Option<Duration>,
    pub total_timeout: Option<Duration>,
    pub concurrency: Option<u32>,
}
