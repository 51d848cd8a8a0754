//! How a graph becomes a version: checked as a whole, compiled, hashed, handed to the registry.

use std::sync::Arc;

use super::{PublishError, Runtime};
use crate::graph::{
    CheckLimits, Checked, CheckedNode, Graph, Plan, Problem, ProblemKind, Problems, Wanted, check,
    compile,
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
    /// If the graph is not valid, with every problem at once. Nothing has changed then.
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
    pub async fn publish_and_promote(
        &self,
        graph: impl Into<Graph>,
    ) -> Result<Published, PublishError> {
        self.publish_plan(graph.into(), true).await
    }

    async fn publish_plan(&self, graph: Graph, promote: bool) -> Result<Published, PublishError> {
        let secrets = graph.document().secrets.0.clone();
        let (plan, warnings) = self.compile(graph)?;
        let name = plan.name().clone();
        let change = Change::Publish { plan: Arc::new(plan), promote };
        let done = self.inner.registry.change(change).await?;
        self.inner.graph_secrets.insert(name, secrets);
        Ok(Published { version: done.version, created: done.created, warnings })
    }

    fn compile(&self, graph: Graph) -> Result<(Plan, Problems), PublishError> {
        let document = graph.document();
        let find = |wanted: Wanted<'_>| {
            let bound = graph.bound(wanted.identifier);
            bound.or_else(|| self.inner.catalog.get(wanted.namespace, wanted.name))
        };
        let checked =
            check(document, &CheckLimits::default(), Some(&find)).map_err(|problems| {
                let namespace = document.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
                let graph = GraphName::new(namespace, document.name.as_deref().unwrap_or_default());
                PublishError::Invalid { graph, problems }
            })?;
        let name = checked.name.clone();
        let invalid = |problems| PublishError::Invalid { graph: name.clone(), problems };
        let mut problems = Vec::new();
        let handlers: Vec<_> = checked
            .nodes
            .iter()
            .filter_map(|node| {
                let handler = self.handler(node, &graph);
                handler.map_err(|problem| problems.push(problem.at(&node.identifier))).ok()
            })
            .collect();
        if !problems.is_empty() {
            return Err(invalid(Problems::new(problems)));
        }
        let hash = hash(&checked, &handlers, &graph);
        let warnings = checked.warnings.clone();
        let plan = compile(checked, handlers, hash).map_err(invalid)?;
        Ok((plan, warnings))
    }

    fn handler(&self, node: &CheckedNode, graph: &Graph) -> Result<Arc<Handler>, Problem> {
        if let Some(bound) = graph.bound(&node.identifier) {
            return Ok(bound);
        }
        if let Some(child) = &node.graph {
            let handler = self.subgraph(child, &node.namespace);
            return handler.map(Arc::new).map_err(|reason| {
                Problem::new(
                    ProblemKind::SubgraphInvalid,
                    child.name.as_deref().unwrap_or(""),
                    reason,
                )
            });
        }
        self.inner.catalog.get(&node.namespace, &node.node_name).ok_or_else(|| {
            Problem::new(ProblemKind::NodeNotRegistered, &node.node_name, "no such handler")
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
