//! What differs between two graphs: a structure, text, and a drawing with the nodes marked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::document::{Document, NodeDocument};
use super::outline::{Outline, OutlineNode};
use super::render::Mark;
use crate::value::{Value, to_value};

/// What differs between two graphs; its text is one line per difference.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GraphDiff {
    /// The nodes that differ, by identifier.
    pub nodes: BTreeMap<Arc<str>, NodeDiff>,
    /// What differs beside the nodes, such as `timeout_ms`.
    pub settings: Vec<FieldDiff>,
    /// The later graph with the removed nodes of the earlier one, to be drawn.
    both: Document,
}

/// What differs about a node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NodeDiff {
    /// Only the later graph has it.
    Added,
    /// Only the earlier graph has it.
    Removed,
    /// Both have it, and these fields differ.
    Changed(Vec<FieldDiff>),
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FieldDiff {
    /// The field as it is written in a document, such as `inputs.n`; `handler` stands for the
    /// code of a handler of the same name: its declared version or the version that a sub-graph is
    /// bound to, and its fingerprint.
    pub field: String,
    /// What the earlier graph says; null if nothing.
    pub before: Value,
    /// What the later graph says; null if nothing.
    pub after: Value,
}

impl GraphDiff {
    pub(crate) fn between(from: &Outline, to: &Outline) -> Self {
        let mut nodes = BTreeMap::new();
        for (name, before) in &from.nodes {
            let diff = match to.nodes.get(name) {
                None => NodeDiff::Removed,
                Some(after) => {
                    let mut fields =
                        fields(&value(from.written(before)), &value(to.written(after)));
                    let names = ["node_name", "namespace", "graph"];
                    let is_named = fields.iter().any(|field| names.contains(&&*field.field));
                    if before.fingerprint != after.fingerprint && !is_named {
                        fields.push(FieldDiff {
                            field: "handler".to_owned(),
                            before: code(before),
                            after: code(after),
                        });
                    }
                    NodeDiff::Changed(fields)
                }
            };
            if !matches!(&diff, NodeDiff::Changed(fields) if fields.is_empty()) {
                nodes.insert(name.clone(), diff);
            }
        }
        let added = to.nodes.keys().filter(|name| !from.nodes.contains_key(*name));
        nodes.extend(added.map(|name| (name.clone(), NodeDiff::Added)));
        let settings = fields(&settings(from.document()), &settings(to.document()));
        let both = both(from.document(), to.document());
        Self { nodes, settings, both }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.settings.is_empty()
    }

    /// Draws both graphs as one Mermaid flowchart, its nodes marked as added, removed or changed.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mark = |label: &str| Some(Mark { label: label.to_owned(), class: label.to_owned() });
        let drawing = self.both.to_mermaid_with(|node| match self.nodes.get(node)? {
            NodeDiff::Added => mark("added"),
            NodeDiff::Removed => mark("removed"),
            NodeDiff::Changed(_) => mark("changed"),
        });
        drawing
            + "    classDef added stroke:#2a2,stroke-width:3px\n    \
               classDef removed stroke:#c22,stroke-dasharray:4\n    \
               classDef changed stroke:#c80,stroke-width:3px\n"
    }
}

impl fmt::Display for GraphDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, node) in &self.nodes {
            match node {
                NodeDiff::Added => writeln!(f, "+ node `{name}`")?,
                NodeDiff::Removed => writeln!(f, "- node `{name}`")?,
                NodeDiff::Changed(fields) => {
                    writeln!(f, "~ node `{name}`")?;
                    fields.iter().try_for_each(|field| writeln!(f, "    {field}"))?;
                }
            }
        }
        self.settings.iter().try_for_each(|field| writeln!(f, "~ {field}"))
    }
}

impl fmt::Display for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, before, after } = self;
        write!(f, "{field}: {} -> {}", before.to_json(), after.to_json())
    }
}

/// A handler of the same name: its declared version, and the beginning of its fingerprint.
fn code(node: &OutlineNode) -> Value {
    let fingerprint = format!("{:?}", node.fingerprint);
    format!("{} ({})", node.declared, &fingerprint[..8]).into()
}

/// The fields of a document beside its nodes and its name, defaults included.
fn settings(document: &Document) -> Value {
    Value::object([
        ("retry_policy", value(&document.retry_policy)),
        ("store_config", value(&document.store_config)),
        ("secrets", value(&document.secrets)),
        ("triggers", value(&document.triggers)),
        ("result", value(&document.result)),
        ("on_failure", value(&document.on_failure)),
        ("limits", value(&document.limits)),
        ("timeout_ms", value(&document.timeout_ms)),
    ])
}

fn value<T: serde::Serialize>(part: &T) -> Value {
    to_value(part).expect("a document is a value")
}

/// The fields that differ between two objects, one level into objects.
fn fields(before: &Value, after: &Value) -> Vec<FieldDiff> {
    let mut found = Vec::new();
    compare("", before, after, &mut |field, before, after| {
        compare(&field, before, after, &mut |field, before, after| {
            found.push(FieldDiff { field, before: before.clone(), after: after.clone() });
        });
    });
    found
}

/// Tells each field that differs between two objects, or the two values if they are no objects.
fn compare(
    path: &str,
    before: &Value,
    after: &Value,
    tell: &mut dyn FnMut(String, &Value, &Value),
) {
    let (Value::Object(left), Value::Object(right)) = (before, after) else {
        if before != after {
            tell(path.to_owned(), before, after);
        }
        return;
    };
    let names = left.iter().chain(right.iter()).map(|(name, _)| name.as_str());
    let names: std::collections::BTreeSet<_> = names.collect();
    for name in names {
        let before = left.get(name).unwrap_or(&Value::Null);
        let after = right.get(name).unwrap_or(&Value::Null);
        if before != after {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            tell(path, before, after);
        }
    }
}

/// The later document, and what the earlier one has beyond it: nodes, and edges to them.
fn both(from: &Document, to: &Document) -> Document {
    let mut both = to.clone();
    let has =
        |node: &NodeDocument| to.nodes.iter().any(|other| other.identifier == node.identifier);
    let removed: Vec<_> = from.nodes.iter().filter(|node| !has(node)).collect();
    let is_removed = |name: &Option<String>| removed.iter().any(|node| node.identifier == *name);
    for node in &mut both.nodes {
        let before = from.nodes.iter().find(|before| before.identifier == node.identifier);
        let edges = before.into_iter().flat_map(|before| &before.next_nodes);
        node.next_nodes.extend(edges.filter(|edge| is_removed(&edge.to)).cloned());
    }
    both.nodes.extend(removed.into_iter().cloned());
    both
}
