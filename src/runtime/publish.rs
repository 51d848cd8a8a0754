//! How a graph becomes a version: checked as a whole, compiled, hashed, handed to the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{PublishError, Runtime};
use crate::graph::{
    CheckLimits, Checked, CheckedNode, Graph, Plan, Problem, ProblemKind, Problems, Refused,
    Wanted, check, compile,
};
use crate::id::{DEFAULT_NAMESPACE, GraphName, VersionNumber};
use crate::node::Handler;
use crate::version::Change;

/// What a publish gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The version that holds the graph.
    pub version: VersionNumber,
    /// Whether it is new; the same graph published again is the version it was.
    pub created: bool,
    /// What is no problem but may be a mistake, such as a key that means nothing.
    pub warnings: Problems,
}

impl Runtime {
    /// Publishes a graph: it becomes a version that nothing starts on until it is promoted.
    ///
    /// The same content published again gives the version it already is, unless that was retired.
    ///
    /// # Errors
    ///
    /// If the graph is not valid, with every problem and every warning at once; or after a
    /// [`shutdown`](Self::shutdown), because the registry has stopped. Nothing has changed then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is polled, it does nothing. Dropped later, it loses only its answer: the
    /// graph is published with its secrets all the same.
    pub async fn publish(&self, graph: impl Into<Graph>) -> Result<Published, PublishError> {
        self.publish_plan(graph.into(), false).await
    }

    /// Publishes a graph and makes it the version that new runs start on.
    ///
    /// If that version is active already, nothing changes.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_and_promote(
        &self,
        graph: impl Into<Graph>,
    ) -> Result<Published, PublishError> {
        self.publish_plan(graph.into(), true).await
    }

    async fn publish_plan(&self, graph: Graph, promote: bool) -> Result<Published, PublishError> {
        let (plan, warnings) = self.compile(&graph)?;
        let name = plan.name().clone();
        let mut secrets = graph.document().secrets.0.clone();
        secrets.extend(self.inner.secrets.clone());
        // In place before the swap, so that a start that gets the version gets its secrets. Nothing
        // waits from here until the change is on its way: a dropped caller leaves both or neither.
        let before = self.inner.graph_secrets.insert(name.clone(), Arc::new(secrets));
        let change = Change::Publish { plan: Arc::new(plan), promote };
        let done = self.inner.registry.change(change).await;
        let done = done.inspect_err(|_| self.put_back(name, before))?;
        Ok(Published { version: done.version, created: done.created, warnings })
    }

    /// Undoes what a refused publish did to a graph's secrets.
    fn put_back(&self, graph: GraphName, secrets: Option<Arc<BTreeMap<String, String>>>) {
        match secrets {
            Some(secrets) => drop(self.inner.graph_secrets.insert(graph, secrets)),
            None => drop(self.inner.graph_secrets.remove(&graph)),
        }
    }

    fn compile(&self, graph: &Graph) -> Result<(Plan, Problems), PublishError> {
        let document = graph.document();
        let find = |wanted: Wanted<'_>| {
            let bound = graph.bound(wanted.identifier);
            bound.or_else(|| self.inner.catalog.get(wanted.namespace, wanted.name))
        };
        let checked = check(document, &CheckLimits::default(), Some(&find));
        let checked = checked.map_err(|Refused { problems, warnings }| {
            let namespace = document.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
            let graph = GraphName::new(namespace, document.name.as_deref().unwrap_or_default());
            PublishError::Invalid { graph, problems, warnings }
        })?;
        let (name, warnings) = (checked.name.clone(), checked.warnings.clone());
        let invalid = |problems| PublishError::Invalid {
            graph: name.clone(),
            problems,
            warnings: warnings.clone(),
        };
        let handlers = self.handlers(&checked).map_err(invalid)?;
        let hash = hash(&checked, &handlers, graph);
        let plan = compile(checked, handlers, hash).map_err(invalid)?;
        Ok((plan, warnings))
    }

    /// The handlers that were checked, and those that run other graphs.
    fn handlers(&self, checked: &Checked) -> Result<Vec<Arc<Handler>>, Problems> {
        let mut problems = Vec::new();
        let handlers = checked.nodes.iter().filter_map(|node| {
            let handler = self.handler(node);
            handler.map_err(|problem| problems.push(problem.at(&node.identifier))).ok()
        });
        let handlers = handlers.collect();
        if problems.is_empty() { Ok(handlers) } else { Err(Problems::new(problems)) }
    }

    fn handler(&self, node: &CheckedNode) -> Result<Arc<Handler>, Problem> {
        if let Some(handler) = &node.handler {
            return Ok(handler.clone());
        }
        let Some(child) = &node.graph else {
            let name = &node.node_name;
            return Err(Problem::new(ProblemKind::NodeNotRegistered, name, "no such handler"));
        };
        let handler = self.subgraph(child, &node.namespace);
        handler.map(Arc::new).map_err(|reason| {
            let name = child.name.as_deref().unwrap_or_default();
            Problem::new(ProblemKind::SubgraphInvalid, name, reason)
        })
    }
}

/// The hash of a definition: its canonical document and the fingerprints of its handlers.
///
/// Values of secrets are not part of it: they are operational. A bound handler has no place in the
/// catalog, so a graph with one never equals another.
fn hash(checked: &Checked, handlers: &[Arc<Handler>], graph: &Graph) -> Option<[u8; 32]> {
    if graph.has_bound() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(checked.document.to_json().as_bytes());
    for handler in handlers {
        hasher.update(&handler.fingerprint().0);
    }
    Some(hasher.finalize().into())
}
