//! What is left of a plan without its code: the document, and what each node takes and returns.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Document, NodeDocument};
use super::plan::PlanNode;
use crate::node::{HandlerFingerprint, Schema};

/// What a graph looks like from outside, node by node; it holds no handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    document: Document,
    pub(super) nodes: BTreeMap<Arc<str>, OutlineNode>,
    pub(super) root: Option<Arc<str>>,
    /// Whether a handler never equals another.
    pub(super) is_opaque: bool,
}

/// What a node takes and returns.
#[derive(Clone, Debug)]
pub(super) struct OutlineNode {
    /// Its place in the document.
    place: usize,
    pub fingerprint: HandlerFingerprint,
    /// The declared version of the handler, or the version that a sub-graph is bound to.
    pub declared: Arc<str>,
    pub inputs: Schema,
    pub outputs: Schema,
    /// Whether its outputs are the run's.
    pub is_result: bool,
    /// Whether a run can have more than one state of it.
    pub repeats: bool,
}

impl Outline {
    /// The outline of compiled nodes; `document` is the normalised one that they were made from.
    pub(super) fn of(document: Document, nodes: &[PlanNode], root: usize, is_opaque: bool) -> Self {
        let places = document.nodes.iter().enumerate();
        let places: BTreeMap<_, _> =
            places.filter_map(|(place, node)| Some((node.identifier.as_deref()?, place))).collect();
        let outline = |node: &PlanNode| {
            let place = places.get(&*node.identifier).copied()?;
            let outline = OutlineNode {
                place,
                fingerprint: node.handler.fingerprint(),
                declared: node.handler.declared().clone(),
                inputs: node.handler.inputs().clone(),
                outputs: node.handler.outputs().clone(),
                is_result: node.is_result,
                repeats: node.repeats,
            };
            Some((node.identifier.clone(), outline))
        };
        let root = nodes.get(root).map(|node| node.identifier.clone());
        let nodes = nodes.iter().filter_map(outline).collect();
        Self { document, nodes, root, is_opaque }
    }

    pub(crate) const fn document(&self) -> &Document {
        &self.document
    }

    /// How a node is written down.
    pub(super) fn written(&self, node: &OutlineNode) -> &NodeDocument {
        &self.document.nodes[node.place]
    }

    /// How the node of that identifier is written down.
    pub(super) fn find(&self, identifier: &str) -> Option<&NodeDocument> {
        self.nodes.get(identifier).map(|node| self.written(node))
    }

    /// What the root node takes, with its document.
    pub(super) fn entry(&self) -> Option<(&OutlineNode, &NodeDocument)> {
        let root = self.nodes.get(self.root.as_ref()?)?;
        Some((root, self.written(root)))
    }

    /// The nodes whose outputs are the run's, by identifier.
    pub(super) fn results(&self) -> impl Iterator<Item = (&Arc<str>, &OutlineNode)> {
        self.nodes.iter().filter(|(_, node)| node.is_result)
    }
}

impl Outline {
    /// What is known of a graph without its handlers: nothing but what is written.
    pub(crate) fn of_document(document: Document) -> Self {
        Self { document, is_opaque: true, ..Self::default() }
    }
}

#[cfg(test)]
impl Outline {
    /// The outline of a graph without nodes.
    pub(crate) fn empty(is_opaque: bool) -> Self {
        Self { is_opaque, ..Self::default() }
    }
}
