//! Where an execution lies in its run: the outputs, edges and mergers that led to it.
//!
//! Invariants:
//! 1. Two executions of one node in one run have different paths, whatever the interleaving.
//! 2. Paths compare in fanout order; manual retries do not change a state's place in it.
//! 3. Dropping a path of any length does not recurse.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::id::NodeIndex;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The n-th output of a node that may have many.
    Output(u64),
    /// The n-th next node of a node that has several.
    Edge(u32),
    /// The merger that followed a group.
    Merger(NodeIndex),
    /// A manual retry, by the hash of its id.
    Retry(u64),
}

impl Step {
    const fn word(self) -> (u8, u64) {
        match self {
            Self::Output(index) => (0, index),
            Self::Edge(order) => (1, order as u64),
            Self::Merger(node) => (2, node.0 as u64),
            Self::Retry(id) => (3, id),
        }
    }
}

/// The steps that led to an execution, shared with its siblings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    parent: Path,
    step: Step,
    hash: u64,
}

impl Path {
    pub(crate) fn then(&self, step: Step) -> Self {
        let (kind, word) = step.word();
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&word.to_le_bytes());
        let hash = xxh3_64_with_seed(&bytes, self.hash());
        Self(Some(Arc::new(Link { parent: self.clone(), step, hash })))
    }

    /// A hash of all steps; equal for equal paths in every process.
    pub(crate) fn hash(&self) -> u64 {
        self.0.as_ref().map_or(0, |link| link.hash)
    }

    /// Identifies the execution of `node` at this path inside its run.
    pub(crate) fn execution(&self, node: NodeIndex) -> u64 {
        xxh3_64_with_seed(&node.0.to_le_bytes(), self.hash())
    }

    /// The steps from the root of the run, without manual retries, as a sortable key.
    pub(crate) fn order(&self) -> Order {
        let mut order = Vec::new();
        let mut next = self.0.as_deref();
        while let Some(link) = next {
            if !matches!(link.step, Step::Retry(_)) {
                order.push(link.step.word());
            }
            next = link.parent.0.as_deref();
        }
        order.reverse();
        Order(order.into())
    }
}

/// A path as a sortable key: fanout order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Order(Box<[(u8, u64)]>);

impl Order {
    /// The branch below a group at `depth` steps: the output that the path took there.
    pub(crate) fn branch(&self, depth: usize) -> u64 {
        match self.0.get(depth) {
            Some((0, index)) => *index,
            _ => 0,
        }
    }

    pub(crate) const fn depth(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        // Invariant 3: the last owner of a link takes its parent over before the link goes.
        let mut next = self.0.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.parent.0.take();
        }
    }
}
