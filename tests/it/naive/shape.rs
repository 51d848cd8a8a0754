//! What a graph says of its regions, read off its edges each time it is asked.

use super::model::Graph;

impl Graph {
    /// Whether node `node` is a merger that does not count for the groups of `merger`: the merger
    /// itself, others that close the same group or one above it, and what follows any of them.
    pub fn is_outside(&self, merger: usize, node: usize) -> bool {
        let Some(united) = self.united(merger) else { return false };
        let (around, before) = (self.above(united), self.above(merger));
        let closes = |other: usize| {
            other == merger
                || self.united(other).is_some_and(|united| around.contains(&united))
                    && !before.contains(&other)
        };
        self.united(node).is_some() && self.above(node).into_iter().any(closes)
    }

    /// Whether edges lead from a node to the merger without passing what is outside its regions.
    pub fn leads_to(&self, node: usize, merger: usize) -> bool {
        let open =
            |to: usize| to == merger || !self.is_outside(merger, to) && self.leads_to(to, merger);
        self.nodes[node].next.iter().any(|edge| open(edge.to))
    }

    pub fn is_inside(&self, merger: usize, from: usize, node: usize) -> bool {
        let open = |to: usize| !self.is_outside(merger, to) && self.is_inside(merger, to, node);
        from == node || self.nodes[from].next.iter().any(|edge| open(edge.to))
    }

    /// How many executions of `node` one execution of `from` can lead to; 2 stands for many.
    pub fn most(&self, from: usize, inside: &dyn Fn(usize) -> bool, node: usize) -> usize {
        match self.united(node) {
            _ if node == from => 1,
            Some(united) if inside(united) => self.most(from, inside, united),
            Some(_) => 1,
            None => {
                let parents = (0..self.nodes.len()).filter(|parent| inside(*parent));
                let edges = |parent: usize| {
                    self.nodes[parent].next.iter().filter(|edge| edge.to == node).count()
                };
                let states = parents.filter(|parent| edges(*parent) > 0).map(|parent| {
                    edges(parent) * self.most(from, inside, parent) * self.width(parent)
                });
                states.sum::<usize>().min(2)
            }
        }
    }

    pub fn width(&self, node: usize) -> usize {
        if self.nodes[node].many { 2 } else { 1 }
    }
}
