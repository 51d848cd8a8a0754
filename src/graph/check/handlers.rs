//! A graph against its handlers: they are there, get what they need, return what is read.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::draft::{Draft, DraftNode};
use super::report::Report;
use crate::graph::document::Secrets;
use crate::graph::expression::{Form, Reference, Template};
use crate::graph::problem::{Problem, ProblemKind};
use crate::id::DEFAULT_NAMESPACE;
use crate::node::{FieldType, Handler, Schema, check_fields};

/// What a handler is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// The node that it carries out.
    pub identifier: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Finds a handler.
pub(crate) type HandlerLookup<'l> = dyn Fn(Wanted<'_>) -> Option<Arc<Handler>> + 'l;

/// Gives each node its handler; a name that leads to none is reported.
///
/// What is found here is what was checked and what the plan gets: nothing is looked up twice.
pub(super) fn find(draft: &mut Draft<'_>, lookup: &HandlerLookup<'_>, report: &mut Report) {
    for node in &mut draft.nodes {
        let (identifier, namespace) = (node.identifier, node.namespace.as_str());
        let name = node.handler.unwrap_or_default();
        node.found = lookup(Wanted { identifier, namespace, name });
        if node.found.is_some() || node.handler.is_none() {
            continue;
        }
        let elsewhere = lookup(Wanted { identifier, namespace: DEFAULT_NAMESPACE, name });
        let hint = match elsewhere {
            Some(_) => format!("; `{DEFAULT_NAMESPACE}` has one, for a node of that `namespace`"),
            None => String::new(),
        };
        let message =
            format!("no handler `{name}` is registered in the namespace `{namespace}`{hint}");
        report.add(Problem::new(ProblemKind::NodeNotRegistered, name, message).at(identifier));
    }
}

/// Checks every node against its handler; a sub-graph takes and returns anything.
pub(super) fn check(draft: &Draft<'_>, secrets: &Secrets, report: &mut Report) {
    let wiring = Wiring::new(draft);
    for node in &draft.nodes {
        let mut add = |problem: Problem| report.add(problem.at(node.identifier));
        wiring.check_reads(node, &mut add);
        let Some(handler) = &node.found else { continue };
        if let Err(error) = check_fields(handler) {
            let name = &handler.name().name;
            add(Problem::new(ProblemKind::HandlerWithoutFields, name, error));
        }
        check_secrets(handler, secrets, &mut add);
        wiring.check_inputs(node, handler.inputs(), &mut add);
    }
}

fn check_secrets(handler: &Handler, secrets: &Secrets, add: &mut dyn FnMut(Problem)) {
    for name in handler.secret_names().iter().filter(|name| secrets.get(name).is_none()) {
        let message = format!("the handler needs the secret `{name}`");
        add(Problem::new(ProblemKind::SecretMissing, name, message));
    }
}

/// What flows from node to node.
struct Wiring<'a> {
    /// What is returned, by the identifiers of nodes whose handlers are known and unambiguous.
    outputs: HashMap<&'a str, &'a Schema>,
    edges: HashSet<(&'a str, &'a str)>,
    /// Mergers and what follows them: they may see arrays where others see one value.
    after_merger: HashSet<&'a str>,
}

impl<'a> Wiring<'a> {
    fn new(draft: &'a Draft<'_>) -> Self {
        let mut outputs = HashMap::new();
        let mut twice = HashSet::new();
        for node in &draft.nodes {
            let known = outputs.insert(node.identifier, node.found.as_ref().map(|h| h.outputs()));
            twice.extend(known.map(|_| node.identifier));
        }
        let outputs = outputs.into_iter().filter(|(name, _)| !twice.contains(name));
        let edges = draft
            .nodes
            .iter()
            .flat_map(|node| node.next.iter().map(|(to, _)| (node.identifier, *to)));
        Self {
            outputs: outputs.filter_map(|(name, schema)| Some((name, schema?))).collect(),
            edges: edges.collect(),
            after_merger: after_merger(draft),
        }
    }

    /// Whatever is read must be returned.
    fn check_reads(&self, node: &DraftNode<'_>, add: &mut dyn FnMut(Problem)) {
        let inputs = node.inputs.iter().filter_map(|(_, template)| template.as_ref());
        let conditions = node.next.iter().filter_map(|(_, condition)| condition.as_ref());
        let references: BTreeSet<_> = (inputs.flat_map(Template::references))
            .chain(conditions.flat_map(|condition| condition.references()))
            .collect();
        for reference in references {
            let Reference::Node { node: other, field: Some(field) } = reference else { continue };
            let Some(schema) = self.outputs.get(other) else { continue };
            if kind_at(schema, field).is_none() {
                let message = format!("`{other}` does not return `{field}`{}", but(schema));
                add(Problem::new(ProblemKind::OutputFieldUnknown, field, message));
            }
        }
    }

    fn check_inputs(&self, node: &DraftNode<'_>, schema: &Schema, add: &mut dyn FnMut(Problem)) {
        let given: HashSet<_> = node.inputs.iter().map(|(name, _)| *name).collect();
        for name in schema.required().filter(|name| !given.contains(name)) {
            let message = format!("the handler needs the input `{name}`");
            add(Problem::new(ProblemKind::InputMissing, name, message));
        }
        for (name, template) in &node.inputs {
            match (schema.field(name), template) {
                (None, _) if !schema.is_open() => {
                    let message =
                        format!("the handler does not know the input `{name}`{}", but(schema));
                    add(Problem::new(ProblemKind::InputUnknown, name, message));
                }
                (Some(target), Some(template)) => {
                    if let Some(found) = self.misfit(node, template, target) {
                        let message =
                            format!("{found} cannot go into `{name}`, which takes {target}");
                        add(Problem::new(ProblemKind::InputTypeMismatch, name, message));
                    }
                }
                _ => {}
            }
        }
    }

    /// What comes, if none of it can go into the field.
    fn misfit(
        &self,
        node: &DraftNode<'_>,
        template: &Template,
        target: &FieldType,
    ) -> Option<String> {
        let kind = match template.form() {
            Form::Constant(value) => {
                return (!target.accepts(value)).then(|| format!("the value {value}"));
            }
            Form::Whole(Reference::Node { node: other, field }) if self.is_one(node, other) => {
                match (field, self.outputs.get(other)?) {
                    (None, _) => FieldType::Object,
                    (Some(field), schema) => kind_at(schema, field)?,
                }
            }
            Form::Whole(_) => FieldType::Any,
            Form::Text => FieldType::String,
            Form::Array => FieldType::array(FieldType::Any),
            Form::Object => FieldType::Object,
        };
        (!kind.fits(target)).then(|| format!("a value of type {kind}"))
    }

    /// Whether a node certainly sees one state of another one, not an array over a group.
    fn is_one(&self, node: &DraftNode<'_>, other: &str) -> bool {
        let direct = node.unites.is_none() && self.edges.contains(&(other, node.identifier));
        direct || !self.after_merger.contains(node.identifier)
    }
}

/// The type at a path of what a handler returns; `None` if there can be nothing.
fn kind_at(schema: &Schema, path: &str) -> Option<FieldType> {
    let (first, deeper) = path.split_once('.').map_or((path, false), |(first, _)| (first, true));
    match schema.field(first) {
        None => schema.is_open().then_some(FieldType::Any),
        Some(kind) if !deeper => Some(kind.clone()),
        Some(kind) => has_inside(kind).then_some(FieldType::Any),
    }
}

/// The fields that a schema has, for whoever named another one.
fn but(schema: &Schema) -> String {
    let names: Vec<_> = schema.names().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!(", but {}", names.join(", ")) }
}

fn has_inside(kind: &FieldType) -> bool {
    match kind {
        FieldType::Any | FieldType::Array(_) | FieldType::Object => true,
        FieldType::Union(kinds) => kinds.iter().any(has_inside),
        _ => false,
    }
}

fn after_merger<'a>(draft: &Draft<'a>) -> HashSet<&'a str> {
    let mut next: HashMap<&str, Vec<&'a str>> = HashMap::new();
    for node in &draft.nodes {
        next.entry(node.identifier).or_default().extend(node.next.iter().map(|(to, _)| *to));
    }
    let mergers = draft.nodes.iter().filter(|node| node.unites.is_some());
    let mut open: Vec<_> = mergers.map(|node| node.identifier).collect();
    let mut found: HashSet<_> = open.iter().copied().collect();
    while let Some(name) = open.pop() {
        let following = next.get(name).into_iter().flatten();
        open.extend(following.filter(|name| found.insert(**name)));
    }
    found
}
