//! What a merger waits for: the region of its group, and how often its nodes can occur there.

use super::plan::{Multiplicity, PlanNode};
use crate::id::NodeIndex;
use crate::node::Arity;

/// A set of nodes, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeSet(Box<[u64]>);

impl NodeSet {
    pub(crate) fn empty(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)].into())
    }

    pub(crate) fn insert(&mut self, node: NodeIndex) -> bool {
        let word = &mut self.0[node.at() / 64];
        let bit = 1 << (node.at() % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(crate) fn contains(&self, node: NodeIndex) -> bool {
        self.0[node.at() / 64] & (1 << (node.at() % 64)) != 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let nodes = u32::try_from(self.0.len() * 64).unwrap_or(u32::MAX);
        (0..nodes).map(NodeIndex).filter(|node| self.contains(*node))
    }
}

/// The structure of a graph: who follows whom, and who unites whom.
#[derive(Debug)]
pub(crate) struct Structure {
    /// The next nodes of each node, in topological order of the nodes.
    pub next: Vec<Vec<NodeIndex>>,
    /// The node that each merger unites.
    pub unites: Vec<Option<NodeIndex>>,
}

impl Structure {
    /// Who follows whom, and who unites whom, in a compiled graph.
    pub(super) fn of(nodes: &[PlanNode]) -> Self {
        let next = |node: &PlanNode| node.edges.iter().map(|edge| edge.to).collect();
        let united = |node: &PlanNode| node.unites.as_ref().map(|unites| unites.node);
        Self { next: nodes.iter().map(next).collect(), unites: nodes.iter().map(united).collect() }
    }

    fn nodes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..u32::try_from(self.next.len()).unwrap_or(u32::MAX)).map(NodeIndex)
    }

    /// Everything that can be reached from `from` without passing what `stop` refuses.
    fn reach(&self, from: NodeIndex, stop: impl Fn(NodeIndex) -> bool) -> NodeSet {
        let mut reached = NodeSet::empty(self.next.len());
        let mut open = vec![from];
        reached.insert(from);
        while let Some(node) = open.pop() {
            for &next in &self.next[node.at()] {
                if !stop(next) && reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    }

    /// The nodes below `node`, itself included.
    pub(crate) fn below(&self, node: NodeIndex) -> NodeSet {
        self.reach(node, |_| false)
    }

    /// The nodes above `node` over edges and unites, itself included.
    pub(crate) fn above(&self, node: NodeIndex) -> NodeSet {
        let mut above = NodeSet::empty(self.next.len());
        above.insert(node);
        let mut open = vec![node];
        let parents = self.parents();
        while let Some(node) = open.pop() {
            let united = self.unites[node.at()];
            for &parent in parents[node.at()].iter().chain(united.iter()) {
                if above.insert(parent) {
                    open.push(parent);
                }
            }
        }
        above
    }

    /// The nodes of which there is one execution for each execution of `node`, at the most: those
    /// that it comes from, and for a merger those that its united node comes from.
    fn chain(&self, node: NodeIndex) -> NodeSet {
        let parents = self.parents();
        let mut chain = NodeSet::empty(self.next.len());
        chain.insert(node);
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let from = match self.unites[node.at()] {
                Some(united) => vec![united],
                None => parents[node.at()].clone(),
            };
            open.extend(from.into_iter().filter(|parent| chain.insert(*parent)));
        }
        chain
    }

    /// The nodes that lead to each node.
    pub(super) fn parents(&self) -> Vec<Vec<NodeIndex>> {
        let mut parents = vec![Vec::new(); self.next.len()];
        for node in self.nodes() {
            for &next in &self.next[node.at()] {
                parents[next.at()].push(node);
            }
        }
        parents
    }

    /// The region of a merger: everything a group of the united node led to, but without the
    /// merger and what follows it, and without other mergers of that node or of one above it and
    /// what follows them, unless they lead to the merger.
    pub(crate) fn region(&self, merger: NodeIndex) -> NodeSet {
        let united = self.unites[merger.at()].expect("a merger unites a node");
        let above_united = self.above(united);
        let above_merger = self.above(merger);
        let closes_this_group = |other: NodeIndex| {
            other == merger
                || self.unites[other.at()].is_some_and(|united| above_united.contains(united))
                    && !above_merger.contains(other)
        };
        // A merger fires once: one that waits for what is outside follows it on every way.
        let outside = self.after_any(self.nodes().filter(|node| closes_this_group(*node)));
        self.reach(united, |node| self.unites[node.at()].is_some() && outside.contains(node))
    }

    /// The nodes of `from` and those below them over edges and unites.
    fn after_any(&self, from: impl Iterator<Item = NodeIndex>) -> NodeSet {
        let mut mergers = vec![Vec::new(); self.next.len()];
        for node in self.nodes() {
            if let Some(united) = self.unites[node.at()] {
                mergers[united.at()].push(node);
            }
        }
        let mut after = NodeSet::empty(self.next.len());
        let mut open: Vec<_> = from.filter(|node| after.insert(*node)).collect();
        while let Some(node) = open.pop() {
            let follow = self.next[node.at()].iter().chain(&mergers[node.at()]);
            open.extend(follow.filter(|next| after.insert(**next)));
        }
        after
    }

    /// The nodes of `region` from which the merger can be reached over edges inside it.
    pub(crate) fn leads(&self, merger: NodeIndex, region: &NodeSet) -> NodeSet {
        let mut leads = NodeSet::empty(self.next.len());
        let parents = self.parents();
        let mut open = vec![merger];
        while let Some(node) = open.pop() {
            for &parent in &parents[node.at()] {
                if region.contains(parent) && leads.insert(parent) {
                    open.push(parent);
                }
            }
        }
        leads
    }

    /// Mergers in the region of `merger` that close its group or one above it.
    pub(crate) fn after(&self, merger: NodeIndex, region: &NodeSet) -> Vec<NodeIndex> {
        let united = self.unites[merger.at()].expect("a merger unites a node");
        let above_united = self.above(united);
        region
            .iter()
            .filter(|node| node.at() < self.unites.len() && *node != united)
            .filter(|node| self.unites[node.at()].is_some_and(|other| above_united.contains(other)))
            .collect()
    }

    /// How many states of each node can exist for one execution of `from`, within `region`.
    pub(crate) fn multiplicities(
        &self,
        from: NodeIndex,
        region: &NodeSet,
        arity: impl Fn(NodeIndex) -> Arity,
    ) -> Vec<Multiplicity> {
        let (parents, chain) = (self.parents(), self.chain(from));
        let mut executions = vec![0_u8; self.next.len()];
        let mut states = vec![0_u8; self.next.len()];
        for node in self.nodes().filter(|node| region.contains(*node)) {
            let inside = |node: &&NodeIndex| region.contains(**node);
            executions[node.at()] = match self.unites[node.at()] {
                _ if node == from => 1,
                Some(united) if region.contains(united) => executions[united.at()],
                Some(united) => {
                    if chain.contains(united) {
                        1
                    } else {
                        2
                    }
                }
                None => parents[node.at()]
                    .iter()
                    .filter(inside)
                    .fold(0, |sum, parent| (sum + states[parent.at()]).min(2)),
            };
            states[node.at()] = match arity(node) {
                Arity::One => executions[node.at()],
                Arity::Many => executions[node.at()] * 2,
            }
            .min(2);
        }
        let many =
            |count: &u8| if *count > 1 { Multiplicity::Many } else { Multiplicity::AtMostOne };
        states.iter().map(many).collect()
    }
}
