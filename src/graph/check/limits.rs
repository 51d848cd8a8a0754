//! How big a document may be, checked before anything that takes long.

use super::report::Report;
use crate::graph::document::{Document, MAX_DOCUMENT_BYTES, NodeDocument};
use crate::graph::expression::MAX_NESTING;
use crate::graph::problem::{Problem, ProblemKind};
use crate::value::Value;

/// How big a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckLimits {
    /// How many nodes there may be.
    pub nodes: usize,
    /// How many `next_nodes` there may be, of all nodes together.
    pub edges: usize,
    /// How many bytes one string with expressions may have.
    pub expression_length: usize,
    /// How deep an input may be nested; never more than 64.
    pub nesting: usize,
    /// How many bytes all names and values may have together.
    pub document_bytes: usize,
}

impl Default for CheckLimits {
    /// Ten times what hand-written graphs need; at these limits a check takes well below a second.
    fn default() -> Self {
        Self {
            nodes: 10_000,
            edges: 100_000,
            expression_length: 64 * 1024,
            nesting: MAX_NESTING,
            document_bytes: MAX_DOCUMENT_BYTES,
        }
    }
}

/// Reports the limits that make it pointless to look further.
pub(super) fn check(document: &Document, limits: &CheckLimits, report: &mut Report) {
    let mut bound = |what: &str, found: usize, limit: usize| {
        if found > limit {
            let message = format!("{found} {what} are over the limit of {limit}");
            report.add(Problem::new(ProblemKind::LimitExceeded, what, message));
        }
    };
    bound("nodes", document.nodes.len(), limits.nodes);
    bound("edges", document.nodes.iter().map(|node| node.next_nodes.len()).sum(), limits.edges);
    let mut size = Size { bytes: 0, nesting: limits.nesting.min(MAX_NESTING), too_deep: false };
    size.add_document(document);
    bound("bytes", size.bytes, limits.document_bytes);
    if size.too_deep {
        let message = format!("a value is nested deeper than {} levels", size.nesting);
        report.add(Problem::new(ProblemKind::LimitExceeded, "nesting", message));
    }
}

struct Size {
    bytes: usize,
    nesting: usize,
    too_deep: bool,
}

impl Size {
    fn add_document(&mut self, document: &Document) {
        document.nodes.iter().for_each(|node| self.add_node(node));
        document.store_config.required_keys.iter().for_each(|key| self.add_text(key));
        for (key, value) in &document.store_config.default_values.0 {
            self.add_text(key);
            self.add_value(value, self.nesting);
        }
        for (name, secret) in &document.secrets.0 {
            self.add_text(name);
            self.add_text(secret);
        }
        document.triggers.iter().for_each(|trigger| self.add_value(&trigger.value, self.nesting));
        document.unknown.values().for_each(|value| self.add_value(value, self.nesting));
    }

    fn add_node(&mut self, node: &NodeDocument) {
        let names = [&node.node_name, &node.namespace, &node.identifier];
        names.into_iter().flatten().for_each(|name| self.add_text(name));
        for edge in &node.next_nodes {
            [&edge.to, &edge.when].into_iter().flatten().for_each(|text| self.add_text(text));
        }
        for (name, value) in node.inputs.iter().chain(&node.unknown) {
            self.add_text(name);
            self.add_value(value, self.nesting);
        }
    }

    const fn add_text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
    }

    /// Adds a value; `depth` more levels may be nested inside it, which bounds the recursion.
    fn add_value(&mut self, value: &Value, depth: usize) {
        let inner = depth.checked_sub(1);
        self.bytes = self.bytes.saturating_add(1);
        match (value, inner) {
            (Value::String(text), _) => self.add_text(text),
            (Value::Array(_) | Value::Object(_), None) => self.too_deep = true,
            (Value::Array(items), Some(depth)) => {
                items.iter().for_each(|item| self.add_value(item, depth));
            }
            (Value::Object(fields), Some(depth)) => {
                for (key, value) in fields.iter() {
                    self.add_text(key.as_str());
                    self.add_value(value, depth);
                }
            }
            _ => {}
        }
    }
}

/// The length of the longest string inside a value that is not nested too deep.
pub(super) fn longest_text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(fields) => {
            fields.iter().map(|(_, value)| longest_text(value)).max().unwrap_or(0)
        }
        _ => 0,
    }
}
