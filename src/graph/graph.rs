//! What is published: a document, and handlers bound to its nodes in place of the catalog's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use crate::node::Handler;

/// A graph to publish: a document, and handlers that are bound to it directly.
#[derive(Clone, Debug)]
#[must_use = "a graph does nothing until it is published"]
pub struct Graph {
    document: Document,
    bound: BTreeMap<String, Arc<Handler>>,
}

impl Graph {
    /// Binds a handler to a node, in place of one from the catalog.
    ///
    /// Such a handler is opaque: the graph never equals another, so publishing it twice makes two
    /// versions.
    pub fn bind(mut self, identifier: impl Into<String>, handler: Handler) -> Self {
        self.bound.insert(identifier.into(), Arc::new(handler));
        self
    }

    /// The document.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn bound(&self, identifier: &str) -> Option<Arc<Handler>> {
        self.bound.get(identifier).cloned()
    }

    pub(crate) fn has_bound(&self) -> bool {
        !self.bound.is_empty()
    }
}

impl From<Document> for Graph {
    fn from(document: Document) -> Self {
        Self { document, bound: BTreeMap::new() }
    }
}

impl From<&Document> for Graph {
    fn from(document: &Document) -> Self {
        document.clone().into()
    }
}

impl From<&Graph> for Graph {
    fn from(graph: &Graph) -> Self {
        graph.clone()
    }
}
