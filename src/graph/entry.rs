//! A plan that begins at another node than its root: what can be reached from there, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::Condition;
use super::document::NodeDocument;
use super::expression::Template;
use super::plan::{Multiplicity, Plan, PlanNode};
use super::region::{NodeSet, Structure};
use crate::id::NodeIndex;

/// Why a run cannot begin at a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The graph has no node of that identifier.
    #[error("there is no node `{entry}`")]
    UnknownNode {
        /// The node that was named.
        entry: String,
    },
    /// What follows the node needs nodes that do not follow it.
    #[error("a run that begins at `{entry}` lacks {}", listed(lacks))]
    Incomplete {
        /// The node that was named.
        entry: String,
        /// Each node that would run, and a node that it reads or unites and that would not.
        lacks: Vec<(String, String)>,
    },
}

fn listed(lacks: &[(String, String)]) -> String {
    let lacks = lacks.iter().map(|(node, needs)| format!("`{needs}`, which `{node}` needs"));
    lacks.collect::<Vec<_>>().join("; ")
}

impl Plan {
    /// The same graph, begun at a node. Nodes keep their indices, so that nothing else changes.
    ///
    /// What the node itself reads of others a start has to give.
    ///
    /// # Errors
    ///
    /// If there is no such node, or one that follows it needs one that does not.
    pub(crate) fn begun_at(&self, entry: &str) -> Result<Self, EntryError> {
        let root = self.nodes.iter().position(|node| &*node.identifier == entry);
        let root = root.and_then(|place| u32::try_from(place).ok()).map(NodeIndex);
        let root = root.ok_or_else(|| EntryError::UnknownNode { entry: entry.to_owned() })?;
        let structure = Structure::of(&self.nodes);
        let reached = structure.below(root);
        let lacks = self.lacks(root, &reached);
        if !lacks.is_empty() {
            return Err(EntryError::Incomplete { entry: entry.to_owned(), lacks });
        }
        let arity = |node: NodeIndex| self.node(node).arity();
        let repeats = structure.multiplicities(root, &reached, arity);
        let mut nodes = self.nodes.clone();
        set_results(&mut nodes, &reached);
        for (node, repeats) in nodes.iter_mut().zip(repeats) {
            node.repeats = repeats == Multiplicity::Many;
        }
        Ok(Self {
            name: self.name.clone(),
            names: self.names.clone(),
            nodes,
            root,
            hash: self.hash,
            required_keys: self.required_keys.clone(),
            store_defaults: self.store_defaults.clone(),
            on_failure: self.on_failure,
            limits: self.limits,
            timeout: self.timeout,
            outline: Arc::clone(&self.outline),
            has_mergers: self.has_mergers,
        })
    }

    /// The nodes that are reached, and what they need and is not.
    fn lacks(&self, root: NodeIndex, reached: &NodeSet) -> Vec<(String, String)> {
        let names = |node: NodeIndex| self.node(node).identifier.as_ref();
        let reached = || reached.iter().filter(|node| node.at() < self.nodes.len());
        let known: BTreeSet<&str> = reached().map(names).collect();
        let lacks = reached().flat_map(|node| {
            let is_lacking = |name: &String| !known.contains(name.as_str());
            let needs = self.needs(node, node == root).into_iter().filter(is_lacking);
            needs.map(move |name| (names(node).to_owned(), name))
        });
        lacks.collect()
    }

    /// The nodes that a node reads or unites; its own inputs aside, if it begins the run.
    fn needs(&self, node: NodeIndex, begins: bool) -> BTreeSet<String> {
        let plan = self.node(node);
        let unites = plan.unites.iter().map(|unites| self.node(unites.node).identifier.to_string());
        let document = self.outline.find(&plan.identifier);
        let read = document.map(|document| reads(document, begins)).unwrap_or_default();
        unites.chain(read).collect()
    }
}

/// Where the `result` node is not reached, the leaves that are give the outputs.
fn set_results(nodes: &mut [PlanNode], reached: &NodeSet) {
    let mut reached = reached.iter().filter_map(|node| nodes.get(node.at()));
    if !reached.any(|node| node.is_result) {
        nodes.iter_mut().for_each(|node| node.is_result = node.edges.is_empty());
    }
}

/// The nodes that are read by the conditions of a node's edges, and by its inputs if they count.
fn reads(document: &NodeDocument, begins: bool) -> Vec<String> {
    let mut names = Vec::new();
    for edge in &document.next_nodes {
        let condition = edge.when.as_deref().and_then(|when| Condition::parse(when).ok());
        names.extend(condition.iter().flat_map(Condition::node_names).map(str::to_owned));
    }
    for (_, value) in document.inputs.iter().filter(|_| !begins) {
        let template = Template::parse(value).ok();
        names.extend(template.iter().flat_map(Template::node_names).map(str::to_owned));
    }
    names
}
