//! From a checked document and its handlers to a plan.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::{Checked, CheckedNode};
use super::condition::Condition;
use super::expression::{BoundTemplate, Form, Reference, Template};
use super::outline::Outline;
use super::plan::{Multiplicity, Onward, Plan, PlanEdge, PlanInput, PlanNode, PlanUnites};
use super::problem::{Problem, ProblemKind, Problems};
use super::region::{NodeSet, Structure};
use crate::id::NodeIndex;
use crate::node::{Arity, Call, FieldType, Handler};
use crate::value::Key;

/// Compiles a checked document; `handlers` are those of its nodes, in its order.
///
/// `hash` identifies the definition, or is `None` if a handler is opaque.
///
/// # Errors
///
/// What only shows when handlers and structure are seen together: an array where one value is
/// wanted, a fold that reads nodes of different branches.
pub(crate) fn compile(
    checked: Checked,
    handlers: Vec<Arc<Handler>>,
    hash: Option<[u8; 32]>,
) -> Result<Plan, Problems> {
    let structure = structure(&checked);
    let mut compiler = Compiler::new(checked, handlers, structure);
    let nodes: Vec<_> = (0..compiler.handlers.len()).map(|place| compiler.node(place)).collect();
    compiler.finish(nodes, hash)
}

struct Compiler {
    checked: Checked,
    handlers: Vec<Arc<Handler>>,
    structure: Structure,
    /// The place of each identifier.
    places: HashMap<String, NodeIndex>,
    /// The nodes whose inputs or conditions read each node.
    readers: Vec<Vec<NodeIndex>>,
    /// The nodes that lead to each node.
    parents: Vec<Vec<NodeIndex>>,
    problems: Vec<Problem>,
}

fn index(place: usize) -> NodeIndex {
    NodeIndex(u32::try_from(place).expect("the limit on nodes is far below u32::MAX"))
}

fn structure(checked: &Checked) -> Structure {
    let next = |node: &CheckedNode| node.edges.iter().map(|(to, _)| *to).collect();
    Structure {
        next: checked.nodes.iter().map(next).collect(),
        unites: checked.nodes.iter().map(|node| Some(node.unites?.0)).collect(),
    }
}

impl Compiler {
    fn new(checked: Checked, handlers: Vec<Arc<Handler>>, structure: Structure) -> Self {
        let named = |(place, node): (usize, &CheckedNode)| (node.identifier.clone(), index(place));
        let places = checked.nodes.iter().enumerate().map(named).collect();
        let readers = vec![Vec::new(); checked.nodes.len()];
        let (parents, problems) = (structure.parents(), Vec::new());
        let mut compiler =
            Self { checked, handlers, structure, places, readers, parents, problems };
        for reader in (0..compiler.handlers.len()).map(index) {
            for node in compiler.reads(reader) {
                compiler.readers[node.at()].push(reader);
            }
        }
        compiler
    }

    fn document(&self, node: NodeIndex) -> &CheckedNode {
        &self.checked.nodes[node.at()]
    }

    fn find(&self, identifier: &str) -> Option<NodeIndex> {
        self.places.get(identifier).copied()
    }

    fn node(&mut self, place: usize) -> PlanNode {
        let node = index(place);
        let unites = self.structure.unites[place].map(|united| self.unites(node, united));
        let document = self.document(node);
        let (handler, mergers) = (self.handlers[place].clone(), self.mergers(node));
        let edges = self.edges(node);
        let onward = Onward::along(&edges);
        let is_called = matches!(handler.call(), Call::Attempt(_)) && handler.arity() == Arity::One;
        let is_limited = document.total_timeout.is_some() || document.concurrency.is_some();
        let leads_straight = mergers.is_empty() && onward != Onward::Various;
        PlanNode {
            identifier: document.identifier.as_str().into(),
            handler,
            inputs: self.inputs(node),
            takes_over: self.takes_over(node),
            mergers,
            onward,
            is_straight: is_called && !is_limited && leads_straight,
            unites,
            retry: document.retry,
            attempt_timeout: document.attempt_timeout,
            total_timeout: document.total_timeout,
            concurrency: document.concurrency,
            arrives: edges.iter().any(|edge| edge.into_merger),
            edges,
            collected: false,
            kept: self.is_kept(node),
            is_result: self.is_result(node),
            repeats: false,
        }
    }

    fn mergers(&self, node: NodeIndex) -> Box<[NodeIndex]> {
        let unites = self.structure.unites.iter().enumerate();
        unites.filter(|(_, united)| **united == Some(node)).map(|(place, _)| index(place)).collect()
    }

    fn inputs(&self, node: NodeIndex) -> Box<[PlanInput]> {
        let schema = self.handlers[node.at()].inputs();
        let input = |(field, template): &(String, Template)| PlanInput {
            field: Key::interned(field),
            template: self.bind(template),
            target: super::expression::ResolveTarget::of(schema, field),
        };
        self.document(node).inputs.iter().map(input).collect()
    }

    /// The one node whose output has just the fields that the inputs read, by their own names.
    fn takes_over(&self, node: NodeIndex) -> Option<NodeIndex> {
        let inputs = &self.document(node).inputs;
        let source = inputs.first().and_then(|(_, template)| template.single_node())?;
        let is_alike = |(name, template): &(String, Template)| {
            let field = Some(name.as_str()).filter(|name| !name.contains('.'));
            template.form() == Form::Whole(Reference::Node { node: source, field })
        };
        let is_sorted = inputs.is_sorted_by(|a, b| a.0 < b.0);
        (is_sorted && inputs.iter().all(is_alike)).then(|| self.find(source)).flatten()
    }

    fn bind(&self, template: &Template) -> BoundTemplate {
        template.bind(&mut |identifier| self.find(identifier).expect("checked"))
    }

    fn edges(&self, node: NodeIndex) -> Box<[PlanEdge]> {
        let edge = |(to, condition): &(NodeIndex, Option<Condition>)| PlanEdge {
            to: *to,
            when: (condition.as_ref())
                .map(|when| when.bind(&mut |name| self.find(name).expect("checked"))),
            into_merger: self.structure.unites[to.at()].is_some(),
            // No edge but one into a merger leads out of a group.
            passes_item: self.structure.unites[to.at()].is_none() && self.mergers(*to).is_empty(),
        };
        self.document(node).edges.iter().map(edge).collect()
    }

    /// The nodes that the inputs and the edges' conditions of a node read.
    fn reads(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let document = self.document(node);
        let inputs = document.inputs.iter().flat_map(|(_, template)| template.node_names());
        let conditions = document.edges.iter().filter_map(|(_, when)| when.as_ref());
        let conditions = conditions.flat_map(Condition::node_names);
        inputs.chain(conditions).filter_map(|name| self.find(name)).collect()
    }

    /// Whether anything but the inputs of direct children reads the node's outputs.
    fn is_kept(&self, node: NodeIndex) -> bool {
        let next = &self.structure.next[node.at()];
        let below = self.structure.below(node);
        let mut readers = self.readers[node.at()].iter().filter(|other| **other != node);
        readers.any(|&reader| {
            let direct = next.contains(&reader) && self.structure.unites[reader.at()].is_none();
            let conditions =
                self.document(reader).edges.iter().filter_map(|(_, when)| when.as_ref());
            let name = &self.document(node).identifier;
            let in_condition = conditions.flat_map(Condition::node_names).any(|read| read == name);
            // A child that is also a later descendant may read the output from further below.
            !direct || in_condition || self.is_further_below(reader, node, &below)
        })
    }

    /// Whether a child of `node` also follows on another node `below` it.
    fn is_further_below(&self, child: NodeIndex, node: NodeIndex, below: &NodeSet) -> bool {
        let mut parents = self.parents[child.at()].iter().filter(|parent| **parent != node);
        parents.any(|parent| below.contains(*parent))
    }

    fn is_result(&self, node: NodeIndex) -> bool {
        match self.checked.result {
            Some(result) => result == node,
            None => self.structure.next[node.at()].is_empty(),
        }
    }

    fn unites(&mut self, merger: NodeIndex, united: NodeIndex) -> PlanUnites {
        let region = self.structure.region(merger);
        let leads = self.structure.leads(merger, &region);
        let after = self.structure.after(merger, &region);
        let handlers = &self.handlers;
        let arity = |node: NodeIndex| handlers[node.at()].arity();
        let multiplicities = self.structure.multiplicities(united, &region, arity);
        let is_fold = !matches!(self.handlers[merger.at()].call(), Call::Attempt(_));
        let driver = if is_fold { self.driver(merger, &region) } else { None };
        let mut reads = self.region_reads(merger, &region, is_fold);
        reads.sort_unstable();
        reads.dedup();
        if !is_fold {
            self.check_arrays(merger, &region, &multiplicities);
        }
        self.check_conditions(merger, &region);
        let (_, strategy, tolerate) = self.document(merger).unites.expect("it is a merger");
        PlanUnites {
            node: united,
            strategy,
            tolerate,
            leads,
            reads: reads.into_iter().map(|node| (node, multiplicities[node.at()])).collect(),
            driver,
            after: after.into(),
            region,
        }
    }

    /// The nodes of the region that the merger, or anything below it, reads.
    fn region_reads(&self, merger: NodeIndex, region: &NodeSet, is_fold: bool) -> Vec<NodeIndex> {
        let below = self.structure.below(merger);
        let readers = below.iter().filter(|node| node.at() < self.handlers.len());
        let readers = readers.filter(|node| !(is_fold && *node == merger));
        readers
            .flat_map(|reader| self.reads(reader))
            .filter(|node| region.contains(*node))
            .collect()
    }

    /// The node whose states are the elements of a fold: the lowest it reads.
    fn driver(&mut self, merger: NodeIndex, region: &NodeSet) -> Option<NodeIndex> {
        let inputs = self.document(merger).inputs.iter();
        let reads: Vec<_> = (inputs.flat_map(|(_, template)| template.node_names()))
            .filter_map(|name| self.find(name))
            .filter(|node| region.contains(*node))
            .collect();
        let Some(driver) = reads.iter().copied().max() else {
            self.problem(
                ProblemKind::FoldInputsMixed,
                merger,
                "",
                "a fold needs an input that reads a node between the united node and itself",
            );
            return None;
        };
        let above = self.structure.above(driver);
        for node in reads.into_iter().filter(|node| !above.contains(*node)) {
            let (other, name) =
                (self.document(node).identifier.clone(), self.document(driver).identifier.clone());
            let message = format!(
                "a fold cannot read `{other}` beside `{name}`: neither lies above the other"
            );
            self.problem(ProblemKind::FoldInputsMixed, merger, &other, &message);
        }
        Some(driver)
    }

    /// An input that can only be an array must be able to take one.
    fn check_arrays(&mut self, merger: NodeIndex, region: &NodeSet, many: &[Multiplicity]) {
        let array = FieldType::Array(Box::new(FieldType::Any));
        let mut misfits = Vec::new();
        for (field, template) in &self.document(merger).inputs {
            let Some(name) = template.single_node() else { continue };
            let Some(node) = self.find(name) else { continue };
            let wanted = self.handlers[merger.at()].inputs().field(field);
            let is_array = region.contains(node) && many[node.at()] == Multiplicity::Many;
            if is_array && wanted.is_some_and(|wanted| !array.fits(wanted)) {
                misfits.push((field.to_owned(), name.to_owned()));
            }
        }
        for (field, name) in misfits {
            let message = format!("`{name}` can have several states here: the value is an array");
            self.problem(ProblemKind::InputTypeMismatch, merger, &field, &message);
        }
    }

    /// A condition on an edge into a merger is read inside the region of its group.
    fn check_conditions(&mut self, merger: NodeIndex, region: &NodeSet) {
        let name = self.document(merger).identifier.clone();
        for place in 0..self.handlers.len() {
            let node = index(place);
            let edges = &self.document(node).edges;
            let conditional = edges.iter().any(|(to, when)| *to == merger && when.is_some());
            if conditional && !region.contains(node) {
                let message =
                    format!("the condition on the edge into `{name}` lies outside its group");
                self.problem(ProblemKind::ConditionOutsideRegion, node, &name, &message);
            }
        }
    }

    fn problem(&mut self, kind: ProblemKind, node: NodeIndex, detail: &str, message: &str) {
        let node = self.document(node).identifier.clone();
        self.problems.push(Problem::new(kind, detail, message).at(&node));
    }

    fn finish(self, mut nodes: Vec<PlanNode>, hash: Option<[u8; 32]>) -> Result<Plan, Problems> {
        if !self.problems.is_empty() {
            return Err(Problems::new(self.problems));
        }
        let mut everything = NodeSet::empty(nodes.len());
        (0..nodes.len()).for_each(|place| {
            everything.insert(index(place));
        });
        let Self { checked, handlers, structure, .. } = self;
        let arity = |node: NodeIndex| handlers[node.at()].arity();
        let repeats = structure.multiplicities(checked.root, &everything, arity);
        let collected = collected(&nodes);
        for (place, (node, repeats)) in nodes.iter_mut().zip(repeats).enumerate() {
            node.repeats = repeats == Multiplicity::Many;
            node.collected = collected.contains(index(place));
        }
        let outline = Outline::of(checked.document, &nodes, checked.root.at(), hash.is_none());
        Ok(Plan {
            name: checked.name,
            names: nodes.iter().map(|node| node.identifier.clone()).collect(),
            has_mergers: nodes.iter().any(|node| node.unites.is_some()),
            nodes: nodes.into(),
            root: checked.root,
            hash,
            required_keys: checked.required_keys.into(),
            store_defaults: checked.defaults,
            on_failure: checked.on_failure,
            limits: checked.limits,
            timeout: checked.timeout,
            outline: Arc::new(outline),
        })
    }
}

/// The nodes whose outputs a merger, or what follows it, takes.
fn collected(nodes: &[PlanNode]) -> NodeSet {
    let mut collected = NodeSet::empty(nodes.len());
    for unites in nodes.iter().filter_map(|node| node.unites.as_ref()) {
        let reads = unites.reads.iter().map(|(read, _)| *read);
        for node in reads.chain(unites.driver) {
            collected.insert(node);
        }
    }
    collected
}
