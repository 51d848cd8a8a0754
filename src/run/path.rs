//! Where an execution lies in its run: the outputs, edges and mergers that led to it.
//!
//! Invariants:
//! 1. Two executions of one node in one run have different paths, whatever the interleaving.
//! 2. Paths compare in fanout order; manual retries do not change a state's place in it.
//! 3. Dropping a path of any length does not recurse.

use std::cmp::Ordering;
use std::fmt;
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
    const fn is_retry(self) -> bool {
        matches!(self, Self::Retry(_))
    }

    const fn word(self) -> (u8, u64) {
        match self {
            Self::Output(index) => (0, index),
            Self::Edge(order) => (1, order as u64),
            Self::Merger(node) => (2, node.0 as u64),
            Self::Retry(id) => (3, id),
        }
    }
}

/// The steps that led to an execution; all but the last are shared with its siblings.
#[derive(Clone, Default)]
pub(crate) struct Path {
    above: Option<Arc<Link>>,
    last: Option<Step>,
    hash: u64,
}

struct Link {
    parent: Option<Arc<Link>>,
    step: Step,
    /// How many steps lead here, this one included and manual retries left out.
    depth: usize,
    hash: u64,
}

impl Path {
    /// No steps.
    pub(crate) const ROOT: Self = Self { above: None, last: None, hash: 0 };

    #[inline]
    pub(crate) fn then(&self, step: Step) -> Self {
        Self { above: self.links(), last: Some(step), hash: self.hash_then(step) }
    }

    /// Makes this what `parent` is [then](Self::then), without a count if it was a sibling of that.
    #[inline]
    pub(crate) fn set_to(&mut self, parent: &Self, step: Step) {
        let links = |path: &Self| path.above.as_ref().map(Arc::as_ptr);
        if parent.last.is_some() || links(self) != links(parent) {
            self.above = parent.links();
        }
        self.last = Some(step);
        self.hash = parent.hash_then(step);
    }

    #[inline]
    fn hash_then(&self, step: Step) -> u64 {
        let (kind, word) = step.word();
        // Written as one number: what is written in parts and read at once makes a processor wait.
        let bytes = (u128::from(word) << 8 | u128::from(kind)).to_le_bytes();
        xxh3_64_with_seed(&bytes[..9], self.hash)
    }

    /// The path without its last step.
    pub(crate) fn above(&self) -> Self {
        let above = match (self.last, &self.above) {
            (Some(_), above) => above.clone(),
            (None, above) => above.as_ref().and_then(|link| link.parent.clone()),
        };
        let hash = above.as_ref().map_or(Self::ROOT.hash, |link| link.hash);
        Self { above, last: None, hash }
    }

    /// The path that ends with another output in the place of the last step.
    pub(crate) fn beside(&self, index: u64) -> Self {
        let above = self.above.clone();
        let hash = above.as_ref().map_or(Self::ROOT.hash, |link| link.hash);
        Self { above, last: None, hash }.then(Step::Output(index))
    }

    /// The same path, and no step below it needs to allocate or to touch a count that other paths
    /// share.
    pub(crate) fn localized(&self) -> Self {
        let own = |link: &Arc<Link>| {
            let Link { step, depth, hash, .. } = **link;
            Arc::new(Link { parent: link.parent.clone(), step, depth, hash })
        };
        let above = match self.last {
            Some(_) => self.links(),
            None => self.above.as_ref().map(own),
        };
        Self { above, last: None, hash: self.hash }
    }

    /// All steps as shared links.
    #[inline]
    fn links(&self) -> Option<Arc<Link>> {
        let Some(step) = self.last else { return self.above.clone() };
        let (parent, hash) = (self.above.clone(), self.hash);
        Some(Arc::new(Link { parent, step, depth: self.depth(), hash }))
    }

    /// Identifies the execution of `node` at this path inside its run; the same in every process.
    #[inline]
    pub(crate) fn execution(&self, node: NodeIndex) -> u64 {
        xxh3_64_with_seed(&node.0.to_le_bytes(), self.hash)
    }

    /// Tells it from every other path of its run.
    #[inline]
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// How many steps there are, manual retries left out.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        let above = self.above.as_ref().map_or(0, |link| link.depth);
        above + usize::from(self.last.is_some_and(|step| !step.is_retry()))
    }

    /// The branch below a group at `depth` steps: the output that the path took there.
    pub(crate) fn branch(&self, depth: usize) -> u64 {
        let mut place = Place::of(self);
        while place.depth > depth + 1 {
            place = place.up();
        }
        match place.step {
            Some(Step::Output(index)) if place.depth == depth + 1 => index,
            _ => 0,
        }
    }

    /// Which branch of a fanout this is, if `other` is one of the same.
    #[inline]
    pub(crate) fn branch_beside(&self, other: &Self) -> Option<u64> {
        match (self.last, other.last) {
            (Some(Step::Output(index)), Some(Step::Output(_)))
                if is_same(self.above.as_ref(), other.above.as_ref()) =>
            {
                Some(index)
            }
            _ => None,
        }
    }

    /// Compares two paths in fanout order; manual retries do not count.
    pub(crate) fn fanout_order(&self, other: &Self) -> Ordering {
        if let (Some(left), Some(right)) = (self.branch_beside(other), other.branch_beside(self)) {
            return left.cmp(&right);
        }
        let (mut a, mut b) = (Place::of(self), Place::of(other));
        // The first step that differs decides, so the last one found on the way up; else the depth.
        let mut found = a.depth.cmp(&b.depth);
        while a.depth > b.depth {
            a = a.up();
        }
        while b.depth > a.depth {
            b = b.up();
        }
        while let (Some(left), Some(right)) = (a.step, b.step) {
            if left != right {
                found = left.word().cmp(&right.word());
            }
            if is_same(a.above, b.above) {
                break;
            }
            (a, b) = (a.up(), b.up());
        }
        found
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Path {}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = std::iter::successors(Some(Place::of(self)), |place| Some(place.up()));
        f.debug_list().entries(places.map_while(|place| place.step)).finish()
    }
}

/// A step of a path that is no manual retry, and what lies above it.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// `None` at the root.
    step: Option<Step>,
    above: Option<&'a Arc<Link>>,
    depth: usize,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> Self {
        match path.last {
            Some(step) if !step.is_retry() => {
                Self { step: Some(step), above: path.above.as_ref(), depth: path.depth() }
            }
            _ => Self::at(path.above.as_ref()),
        }
    }

    fn at(mut link: Option<&'a Arc<Link>>) -> Self {
        while let Some(found) = link {
            if !found.step.is_retry() {
                let above = found.parent.as_ref();
                return Self { step: Some(found.step), above, depth: found.depth };
            }
            link = found.parent.as_ref();
        }
        Self { step: None, above: None, depth: 0 }
    }

    fn up(&self) -> Self {
        Self::at(self.above)
    }
}

/// Whether two paths lead alike so far.
fn is_same(a: Option<&Arc<Link>>, b: Option<&Arc<Link>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.hash == b.hash,
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Invariant 3: the last owner of a link takes its parent over before the link goes.
        let mut next = self.parent.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.parent.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps: &[Step]) -> Path {
        steps.iter().fold(Path::default(), |path, step| path.then(*step))
    }

    #[test]
    fn paths_compare_in_fanout_order() {
        use Step::{Edge, Merger, Output, Retry};
        let sorted: [&[Step]; 7] = [
            &[],
            &[Output(0)],
            &[Output(0), Output(7)],
            &[Output(0), Output(7), Edge(1)],
            &[Output(1), Retry(9), Output(0)],
            &[Output(1), Output(1), Merger(NodeIndex(0))],
            &[Output(2)],
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                let (a, b) = (path(a), path(b));
                assert_eq!(a.fanout_order(&b), i.cmp(&j), "{a:?} against {b:?}");
                assert_eq!(a.localized().fanout_order(&b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }

    #[test]
    fn a_manual_retry_keeps_its_place() {
        let first = path(&[Step::Output(3), Step::Edge(0)]);
        let again = path(&[Step::Output(3), Step::Retry(1), Step::Edge(0), Step::Retry(2)]);
        assert_eq!(first.fanout_order(&again), Ordering::Equal);
        assert_eq!((again.depth(), again.branch(0)), (2, 3));
        assert_ne!(first, again);
    }

    #[test]
    fn a_long_path_is_dropped_without_recursion() {
        let long = (0..1_000_000).fold(Path::default(), |path, n| path.then(Step::Output(n)));
        assert_eq!(long.depth(), 1_000_000);
        drop(long);
    }
}
