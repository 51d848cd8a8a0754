//! Documents made in code; they mean what the same document means as text.
//!
//! Builders only collect: names that do not exist and numbers out of range are reported when the
//! document is checked, all at once.

use std::time::Duration;

use super::document::{
    Document, EdgeDocument, NodeDocument, OnFailure, SubGraphDocument, TimeoutDocument,
    TriggerDocument, UnitesDocument,
};
use super::retry::{RetryPolicy, milliseconds};
use crate::id::GraphName;
use crate::value::Value;

/// Collects the parts of a document.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct GraphBuilder {
    document: Document,
}

impl Document {
    /// Begins a document; `namespace/name` names the graph, or just a name.
    pub fn builder(name: impl Into<GraphName>) -> GraphBuilder {
        GraphBuilder { document: Self::default().named(name) }
    }

    /// The same document under this name; a template names its graph only where it is stored.
    #[must_use]
    pub fn named(mut self, name: impl Into<GraphName>) -> Self {
        let name = name.into();
        self.name = Some(name.name().to_owned());
        self.namespace = Some(name.namespace().to_owned());
        self
    }
}

impl GraphBuilder {
    /// Adds a node.
    pub fn node(mut self, node: NodeSpec) -> Self {
        self.document.nodes.push(node.node);
        self
    }

    /// Repeats failed attempts so, where a node does not say.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.document.retry_policy = policy.into();
        self
    }

    /// Declares a store key that a start must give.
    pub fn store_required(mut self, key: impl Into<String>) -> Self {
        self.document.store_config.required_keys.push(key.into());
        self
    }

    /// Declares a store key and what it holds unless a start says otherwise.
    pub fn store_default(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.document.store_config.default_values.0.push((key.into(), value.into()));
        self
    }

    /// Adds a secret.
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.document.secrets.0.insert(name.into(), value.into());
        self
    }

    /// Adds a cron trigger of five fields: minute, hour, day, month, weekday.
    ///
    /// It is checked and kept with the document. This version starts no run by it, and publishing
    /// warns of that.
    pub fn cron(mut self, expression: impl Into<Value>) -> Self {
        self.document.triggers.push(TriggerDocument {
            kind: Some("CRON".to_owned()),
            value: Value::object([("expression", expression)]),
            ..TriggerDocument::default()
        });
        self
    }

    /// Takes the run's outputs from this node instead of from every leaf.
    pub fn result(mut self, identifier: impl Into<String>) -> Self {
        self.document.result = Some(identifier.into());
        self
    }

    /// Cancels the other branches when one fails.
    pub const fn fail_fast(mut self) -> Self {
        self.document.on_failure = OnFailure::FailFast;
        self
    }

    /// Bounds how long a run may take, rounded up to whole milliseconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.document.timeout_ms = Some(milliseconds(timeout).into());
        self
    }

    /// Bounds how many outputs one execution may have.
    pub fn max_fanout(mut self, outputs: u64) -> Self {
        self.document.limits.max_fanout = Some(outputs.into());
        self
    }

    /// Bounds how many states a run may have.
    pub fn max_states(mut self, states: u64) -> Self {
        self.document.limits.max_states = Some(states.into());
        self
    }

    /// Bounds how many attempts of a run may be under way at once.
    pub fn in_flight(mut self, attempts: u32) -> Self {
        self.document.limits.in_flight = Some(attempts.into());
        self
    }

    /// The document.
    #[must_use]
    pub fn build(self) -> Document {
        self.document
    }
}

/// Collects the parts of a node.
#[derive(Clone, Debug)]
#[must_use = "a node does nothing until it is added to a graph"]
pub struct NodeSpec {
    node: NodeDocument,
}

impl NodeSpec {
    /// A node that is called like its handler, unless [`handler`](Self::handler) says otherwise.
    pub fn new(identifier: impl Into<String>) -> Self {
        let identifier = identifier.into();
        let (node_name, identifier) = (Some(identifier.clone()), Some(identifier));
        Self { node: NodeDocument { node_name, identifier, ..NodeDocument::default() } }
    }

    /// Names the handler that carries out the node.
    pub fn handler(mut self, name: impl Into<String>) -> Self {
        self.node.node_name = Some(name.into());
        self
    }

    /// Names the handler's namespace, instead of the graph's.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.node.namespace = Some(namespace.into());
        self
    }

    /// Gives an input: any JSON, with expressions inside its strings.
    pub fn input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.node.inputs.insert(name.into(), value.into());
        self
    }

    /// Leads to a next node.
    pub fn next(mut self, identifier: &str) -> Self {
        self.node.next_nodes.push(identifier.into());
        self
    }

    /// Leads to a next node under a condition, such as `${{check.outputs.size}} > 10`.
    pub fn next_when(mut self, identifier: &str, condition: impl Into<String>) -> Self {
        let mut edge = EdgeDocument::from(identifier);
        edge.when = Some(condition.into());
        self.node.next_nodes.push(edge);
        self
    }

    /// Joins everything that one execution of another node led to.
    pub fn unites(mut self, identifier: impl Into<String>) -> Self {
        self.united().identifier = Some(identifier.into());
        self
    }

    /// Joins when everything has ended, however it ended.
    pub fn all_done(mut self) -> Self {
        self.united().strategy = Some("ALL_DONE".to_owned());
        self
    }

    /// Counts failures of what is joined as handled.
    pub fn tolerate(mut self) -> Self {
        self.united().tolerate = true;
        self
    }

    /// Repeats failed attempts so, instead of as the graph says.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.node.retry = Some(policy.into());
        self
    }

    /// Bounds how long one attempt may take, rounded up to whole milliseconds.
    ///
    /// An attempt is over when its handler returns: how long a stream that it returned takes to be drawn
    /// depends on the branches, and is bounded by the [graph's timeout](GraphBuilder::timeout) alone.
    pub fn timeout(mut self, attempt: Duration) -> Self {
        self.times().attempt_ms = Some(milliseconds(attempt).into());
        self
    }

    /// Bounds how long all attempts may take together, rounded up to whole milliseconds.
    pub fn total_timeout(mut self, total: Duration) -> Self {
        self.times().total_ms = Some(milliseconds(total).into());
        self
    }

    /// Bounds how many states of the node may run at once.
    pub fn concurrency(mut self, states: u32) -> Self {
        self.node.concurrency = Some(states.into());
        self
    }

    /// Lets a run of another graph carry out the node, on its active version unless
    /// [`label`](Self::label) or [`version`](Self::version) binds another one.
    pub fn subgraph(mut self, graph: impl Into<GraphName>) -> Self {
        let name = graph.into();
        self.node.node_name = None;
        let graph = self.bound();
        graph.name = Some(name.name().to_owned());
        graph.namespace = Some(name.namespace().to_owned());
        self
    }

    /// Binds a sub-graph to the version that a label leads to.
    ///
    /// It is the active one when the graph is published; a label that is not there is refused then.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.bound().label = Some(label.into());
        self
    }

    /// Binds a sub-graph to a version by its number.
    pub fn version(mut self, number: u64) -> Self {
        self.bound().version = Some(number.into());
        self
    }

    fn united(&mut self) -> &mut UnitesDocument {
        self.node.unites.get_or_insert_default()
    }

    fn times(&mut self) -> &mut TimeoutDocument {
        self.node.timeout.get_or_insert_default()
    }

    fn bound(&mut self) -> &mut SubGraphDocument {
        self.node.graph.get_or_insert_default()
    }
}
