//! Random graphs from seeds: fanouts, mergers over them and below each other, conditions.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use hotgraph::Rng;

use super::model::{Edge, Graph, Input, Node, Unites, When};

/// How many fanouts a graph may have: nested ones multiply.
const MAX_FANOUTS: usize = 4;

struct Generator {
    rng: Rng,
    graph: Graph,
}

/// The graph of a seed.
pub fn graph(seed: u64) -> Graph {
    let graph = Graph { seed, nodes: Vec::new(), is_healed: AtomicBool::new(false) };
    let mut generator = Generator { rng: Rng::seeded(seed), graph };
    generator.grow();
    generator.graph
}

impl Generator {
    fn chance(&mut self, percent: u64) -> bool {
        self.rng.up_to(99) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let last = u64::try_from(from.len() - 1).unwrap();
        from[usize::try_from(self.rng.up_to(last)).unwrap()]
    }

    fn grow(&mut self) {
        let size = usize::try_from(3 + self.rng.up_to(9)).unwrap();
        self.add(vec![("key", Input::Constant("root"))], None, 90);
        self.add_leaf();
        while self.graph.nodes.len() < size {
            match self.rng.up_to(9) {
                0..=4 => self.add_leaf(),
                _ => self.add_merger(),
            }
        }
        for _ in 0..self.rng.up_to(2) {
            self.add_edge_into_merger();
        }
        if self.chance(15) {
            self.add_second_way();
        }
    }

    fn add(
        &mut self,
        inputs: Vec<(&'static str, Input)>,
        unites: Option<Unites>,
        many: u64,
    ) -> usize {
        let fanouts = self.graph.nodes.iter().filter(|node| node.many).count();
        let many = self.chance(many) && fanouts < MAX_FANOUTS;
        let at = self.graph.nodes.len();
        let letter = self.pick(&["a", "b", "c", "d", "e"]);
        let retries = u32::try_from(self.rng.up_to(2)).unwrap();
        let name = format!("{letter}{at}");
        self.graph.nodes.push(Node { name, many, retries, inputs, next: Vec::new(), unites });
        at
    }

    fn connect(&mut self, from: usize, to: usize) {
        let when = self.chance(12).then(|| {
            let above: Vec<_> = self.graph.above(from).into_iter().collect();
            let node = if self.chance(70) { from } else { self.pick(&above) };
            let bound = i64::try_from(1 + self.rng.up_to(2)).unwrap();
            When { node, less: self.chance(50), bound }
        });
        self.graph.nodes[from].next.push(Edge { to, when });
    }

    /// Recent nodes more often, so that graphs get deep.
    fn some_node(&mut self) -> usize {
        let nodes = u64::try_from(self.graph.nodes.len()).unwrap();
        let (one, other) = (self.rng.up_to(nodes - 1), self.rng.up_to(nodes - 1));
        usize::try_from(one.max(other)).unwrap()
    }

    fn add_leaf(&mut self) {
        let parent = self.some_node();
        let mut inputs = vec![("key", Input::Text(parent, "key"))];
        if self.chance(25) {
            let above: Vec<_> = self.graph.above(parent).into_iter().collect();
            inputs.push(("more", Input::Whole(self.pick(&above), "key")));
        }
        let leaf = self.add(inputs, None, 50);
        self.connect(parent, leaf);
    }

    fn add_merger(&mut self) {
        let last = self.some_node();
        let above: Vec<_> = self.graph.above(last).into_iter().collect();
        let taken: Vec<_> =
            above.iter().copied().filter(|node| !self.graph.mergers_of(*node).is_empty()).collect();
        let united = match taken.is_empty() || self.chance(60) {
            true => self.pick(&above),
            false => self.pick(&taken),
        };
        if !self.graph.leads(united, last) {
            return;
        }
        let all_done = self.chance(55);
        let tolerate = all_done && self.chance(35);
        let mut inputs = vec![("key", Input::Whole(last, "key"))];
        let readable: Vec<_> = above
            .into_iter()
            .filter(|node| {
                self.graph.leads(united, *node) || self.graph.above(united).contains(node)
            })
            .collect();
        if self.chance(50) {
            inputs.push(("more", Input::Whole(self.pick(&readable), "v")));
        }
        if self.chance(20) {
            inputs.push(("text", Input::Text(self.pick(&readable), "key")));
        }
        let merger = self.add(inputs, Some(Unites { node: united, all_done, tolerate }), 20);
        self.connect(last, merger);
        if !self.is_clear() {
            self.graph.nodes[last].next.pop();
            self.graph.nodes.pop();
        }
    }

    /// A second edge into a merger, from inside the branches that it joins.
    fn add_edge_into_merger(&mut self) {
        let merger = self.some_node();
        let Some(united) = self.graph.united(merger) else { return };
        let from = self.some_node();
        let fits = self.graph.leads(united, from) && !self.graph.above(from).contains(&merger);
        let edges = &self.graph.nodes[from].next;
        if fits && edges.iter().all(|edge| edge.to != merger) {
            self.connect(from, merger);
            if !self.is_clear() {
                self.graph.nodes[from].next.pop();
            }
        }
    }

    /// Whether every merger below a united node belongs to a group inside or around that node's.
    ///
    /// Otherwise it joins groups beside it, of which there may be many: "Unites" does not say what
    /// its states are to a merger further below.
    fn is_clear(&self) -> bool {
        let graph = &self.graph;
        let mergers = |node: &usize| graph.united(*node).is_some();
        (0..graph.nodes.len()).filter(mergers).all(|merger| {
            let united = graph.united(merger).unwrap();
            let around = self.groups_around(united);
            graph.above(merger).into_iter().filter(mergers).all(|inner| {
                let opener = graph.united(inner).unwrap();
                inner == merger
                    || !graph.leads(united, inner)
                    || graph.leads(united, opener)
                    || around.contains(&opener)
            })
        })
    }

    /// The nodes that the executions above one of `node` belong to, itself included.
    fn groups_around(&self, node: usize) -> BTreeSet<usize> {
        let mut around = BTreeSet::from([node]);
        let parents: Vec<usize> = match self.graph.united(node) {
            Some(united) => vec![united],
            None => (0..self.graph.nodes.len())
                .filter(|from| self.graph.nodes[*from].next.iter().any(|edge| edge.to == node))
                .collect(),
        };
        for parent in parents {
            around.extend(self.groups_around(parent));
        }
        around
    }

    /// A second way to a node that no merger lies above.
    fn add_second_way(&mut self) {
        let (from, to) = (self.some_node(), self.some_node());
        let above = self.graph.above(to);
        let is_plain = above.iter().all(|node| self.graph.united(*node).is_none());
        let fits = to != 0 && is_plain && !self.graph.above(from).contains(&to);
        if fits && self.graph.nodes[from].next.iter().all(|edge| edge.to != to) {
            self.graph.nodes[from].next.push(Edge { to, when: None });
            if !self.is_clear() {
                self.graph.nodes[from].next.pop();
                return;
            }
            self.graph.nodes[to].inputs = vec![("key", Input::Constant("two ways"))];
        }
    }
}
