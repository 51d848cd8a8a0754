//! The names of manual retries: each is good for one retry of a node's states, or of all that failed.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeIndex;

/// Which manual retries a run has had.
#[derive(Debug)]
pub(crate) struct RetryIds(BTreeMap<String, Named>);

/// What an id has named.
#[derive(Debug)]
enum Named {
    /// A retry of a state of each of these nodes.
    Of(BTreeSet<NodeIndex>),
    /// A retry of all that failed.
    All,
}

impl RetryIds {
    pub(crate) const NONE: Self = Self(BTreeMap::new());

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the id has named a retry that one of a state of this node, or of all that failed, would
    /// repeat.
    pub(crate) fn has(&self, id: &str, node: Option<NodeIndex>) -> bool {
        match (self.0.get(id), node) {
            (None, _) => false,
            (Some(Named::Of(nodes)), Some(node)) => nodes.contains(&node),
            (Some(_), _) => true,
        }
    }

    /// The id names a retry of a state of this node, or of all that failed.
    pub(crate) fn add(&mut self, id: &str, node: Option<NodeIndex>) {
        let named = self.0.entry(id.to_owned()).or_insert_with(|| Named::Of(BTreeSet::new()));
        match (named, node) {
            (Named::Of(nodes), Some(node)) => drop(nodes.insert(node)),
            (named, _) => *named = Named::All,
        }
    }
}

impl Default for RetryIds {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_good_for_each_node_or_for_all() {
        let (a, b) = (Some(NodeIndex(0)), Some(NodeIndex(1)));
        let mut ids = RetryIds::default();
        ids.add("x", a);
        assert_eq!([a, b, None].map(|of| ids.has("x", of)), [true, false, true]);
        assert_eq!([a, b, None].map(|of| ids.has("y", of)), [false; 3]);
        ids.add("x", b);
        assert!(ids.has("x", b));
        ids.add("all", None);
        assert_eq!([a, b, None].map(|of| ids.has("all", of)), [true; 3]);
        assert!(!ids.is_empty());
    }
}
