//! The nodes together: who leads to whom, the root, cycles, the order, the ancestors.
//!
//! Vertices are numbered in the order of the identifiers, whatever the order of the document;
//! nodes that share an identifier share a vertex.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::ancestors::Ancestors;
use super::cycle::cycles;
use super::draft::Draft;
use super::report::Report;
use crate::graph::document::Document;
use crate::graph::problem::{Problem, ProblemKind};

/// How many names a message lists.
const LISTED: usize = 10;

/// The nodes of a graph together.
pub(super) struct Structure<'a> {
    names: Vec<&'a str>,
    vertices: HashMap<&'a str, usize>,
    next: Vec<Vec<usize>>,
    /// The mergers of each vertex.
    mergers: Vec<Vec<usize>>,
    is_merger: Vec<bool>,
    /// Mergers of nothing that is there.
    lost: Vec<usize>,
    sorted: Option<Sorted>,
}

/// What is known of a graph without cycles.
struct Sorted {
    /// The vertices in topological order.
    order: Vec<usize>,
    /// The place of each vertex in that order.
    places: Vec<usize>,
    ancestors: Ancestors,
}

impl<'a> Structure<'a> {
    pub(super) fn check(draft: &Draft<'a>, report: &mut Report) -> Self {
        let names = draft.nodes.iter().map(|node| node.identifier);
        let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).collect();
        let names: Vec<_> = names.into_iter().collect();
        let vertices = names.iter().enumerate().map(|(vertex, name)| (*name, vertex)).collect();
        let mut structure = Self {
            vertices,
            next: vec![Vec::new(); names.len()],
            mergers: vec![Vec::new(); names.len()],
            is_merger: vec![false; names.len()],
            lost: Vec::new(),
            names,
            sorted: None,
        };
        structure.connect(draft, report);
        structure.check_reach(draft, report);
        let leads = structure.leads();
        let found = cycles(&leads);
        found.iter().for_each(|cycle| report.add(structure.cycle(cycle)));
        structure.sorted = found.is_empty().then(|| Sorted::new(&leads));
        structure
    }

    /// The identifiers in topological order, if there is one.
    pub(super) fn order(&self) -> Option<Vec<&'a str>> {
        let order = &self.sorted.as_ref()?.order;
        Some(order.iter().map(|vertex| self.names[*vertex]).collect())
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.vertices.contains_key(name)
    }

    /// Whether a node leads to another one; true if cycles make that unknown.
    pub(super) fn is_ancestor(&self, ancestor: &str, of: &str) -> bool {
        let (Some(&ancestor), Some(&of)) = (self.vertices.get(ancestor), self.vertices.get(of))
        else {
            return false;
        };
        self.sorted.as_ref().is_none_or(|sorted| {
            sorted.ancestors.contains(sorted.places[of], sorted.places[ancestor])
        })
    }

    /// Checks that the node to take the result from is there.
    pub(super) fn check_result(&self, document: &Document, report: &mut Report) {
        let unknown = document.result.as_deref().map(str::trim).filter(|name| !self.knows(name));
        if let Some(name) = unknown {
            let message = format!("the result `{name}` is not a node");
            report.add(Problem::new(ProblemKind::ResultUnknown, name, message));
        }
    }

    fn connect(&mut self, draft: &Draft<'a>, report: &mut Report) {
        for node in draft.nodes.iter().filter(|node| !node.identifier.is_empty()) {
            let (name, vertex) = (node.identifier, self.vertices[node.identifier]);
            for (to, _) in &node.next {
                match self.vertices.get(to) {
                    Some(to) => self.next[vertex].push(*to),
                    None => {
                        let message = format!("the next node `{to}` is not a node");
                        let kind = ProblemKind::NextNodeUnknown;
                        report.add(Problem::new(kind, to, message).at(name));
                    }
                }
            }
            if node.is_merger {
                self.is_merger[vertex] = true;
                let united = node.unites.map(|(united, ..)| united);
                let problem = self.unite(vertex, united);
                problem.into_iter().for_each(|problem| report.add(problem.at(name)));
            }
        }
    }

    fn unite(&mut self, merger: usize, united: Option<&str>) -> Option<Problem> {
        let known = united.and_then(|united| self.vertices.get(united)).copied();
        if let Some(other) = known.filter(|other| *other != merger) {
            self.mergers[other].push(merger);
            return None;
        }
        self.lost.push(merger);
        let name = united?;
        Some(match known {
            Some(_) => Problem::new(ProblemKind::UnitesSelf, name, "a node cannot unite itself"),
            None => {
                let message = format!("the united node `{name}` is not a node");
                Problem::new(ProblemKind::UnitesUnknown, name, message)
            }
        })
    }

    /// Exactly one root, from which everything can be reached.
    fn check_reach(&self, draft: &Draft<'_>, report: &mut Report) {
        let mut is_next = vec![false; self.names.len()];
        self.next.iter().flatten().for_each(|vertex| is_next[*vertex] = true);
        let roots = (0..self.names.len()).filter(|v| !is_next[*v] && !self.is_merger[*v]);
        let roots: Vec<_> = roots.collect();
        // A merger of nothing has its own problem; without it the node would be a root.
        if roots.len() > 1 || (roots.is_empty() && self.lost.is_empty()) {
            let message = match self.list(&roots) {
                _ if draft.nodes.is_empty() => "the graph has no nodes".to_owned(),
                _ if self.names.is_empty() => "no node has an identifier".to_owned(),
                none if none.is_empty() => "every node comes after another one".to_owned(),
                names => format!("{} nodes come after no other one: {names}", roots.len()),
            };
            report.add(Problem::new(ProblemKind::RootCount, roots.len(), message));
        }
        if !roots.is_empty() {
            self.check_connected(roots, report);
        }
    }

    fn check_connected(&self, roots: Vec<usize>, report: &mut Report) {
        let mut reached = vec![false; self.names.len()];
        // A merger of nothing has its own problem, and hides what follows it from this one.
        let mut open = [roots, self.lost.clone()].concat();
        open.iter().for_each(|vertex| reached[*vertex] = true);
        while let Some(vertex) = open.pop() {
            // Only the united node starts a merger.
            let next = self.next[vertex].iter().filter(|next| !self.is_merger[**next]);
            for &next in next.chain(&self.mergers[vertex]) {
                if !reached[next] {
                    reached[next] = true;
                    open.push(next);
                }
            }
        }
        for (name, _) in self.names.iter().zip(&reached).filter(|(_, reached)| !**reached) {
            let message = "the node cannot be reached from the root";
            report.add(Problem::new(ProblemKind::Disconnected, name, message).at(name));
        }
    }

    /// Next nodes and mergers together.
    fn leads(&self) -> Vec<Vec<usize>> {
        let pairs = self.next.iter().zip(&self.mergers);
        let leads = pairs.map(|(next, mergers)| {
            let mut leads: Vec<_> = next.iter().chain(mergers).copied().collect();
            leads.sort_unstable();
            leads.dedup();
            leads
        });
        leads.collect()
    }

    fn cycle(&self, cycle: &[usize]) -> Problem {
        let names = self.list(cycle);
        let message = format!("these nodes lead back to themselves: {names}");
        let first = cycle.first().map_or("", |vertex| self.names[*vertex]);
        Problem::new(ProblemKind::Cycle, names, message).at(first)
    }

    fn list(&self, vertices: &[usize]) -> String {
        let names: Vec<_> = vertices.iter().take(LISTED).map(|v| self.names[*v]).collect();
        let more = if vertices.len() > LISTED { ", ..." } else { "" };
        names.join(", ") + more
    }
}

impl Sorted {
    /// Sorts vertices: the smallest first of those whose predecessors have all been placed.
    fn new(leads: &[Vec<usize>]) -> Self {
        let mut waits = vec![0_usize; leads.len()];
        leads.iter().flatten().for_each(|vertex| waits[*vertex] += 1);
        let ready = (0..leads.len()).filter(|vertex| waits[*vertex] == 0);
        let mut ready: BinaryHeap<_> = ready.map(Reverse).collect();
        let mut order = Vec::with_capacity(leads.len());
        let mut places = vec![0; leads.len()];
        let mut predecessors = vec![Vec::new(); leads.len()];
        while let Some(Reverse(vertex)) = ready.pop() {
            places[vertex] = order.len();
            for &next in &leads[vertex] {
                predecessors[next].push(order.len());
                waits[next] -= 1;
                if waits[next] == 0 {
                    ready.push(Reverse(next));
                }
            }
            order.push(vertex);
        }
        let predecessors: Vec<_> =
            order.iter().map(|v| std::mem::take(&mut predecessors[*v])).collect();
        Self { order, places, ancestors: Ancestors::new(&predecessors) }
    }
}
