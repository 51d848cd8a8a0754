//! Documents as drawings: Mermaid and DOT, with conditions on edges and mergers joined by dashes.
//!
//! Nodes and edges come in the order of the document. What is no node cannot be drawn to.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::document::Document;

/// What a drawing says about a node beside its name, such as its status in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// A second line in the node.
    pub label: String,
    /// The style class; anything but letters, digits, `_` and `-` is left out.
    pub class: String,
}

impl Document {
    /// Draws the graph as a Mermaid flowchart.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        self.to_mermaid_with(|_| None)
    }

    /// Draws the graph as a Mermaid flowchart, with marks on nodes.
    pub fn to_mermaid_with(&self, mark: impl Fn(&str) -> Option<Mark>) -> String {
        let drawing = Drawing::new(self, &mark);
        let mut text = String::from("flowchart TD\n");
        for (place, node) in drawing.nodes.iter().enumerate() {
            let label = node.lines(escape_mermaid, "<br/>");
            let class = if node.class.is_empty() { "" } else { ":::" };
            line(&mut text, format_args!("n{place}[\"{label}\"]{class}{}", node.class));
        }
        for Arrow { from, to, kind } in &drawing.arrows {
            match kind {
                ArrowKind::Next(None) => line(&mut text, format_args!("n{from} --> n{to}")),
                ArrowKind::Next(Some(when)) => {
                    let when = escape_mermaid(when);
                    line(&mut text, format_args!("n{from} -->|\"{when}\"| n{to}"));
                }
                ArrowKind::Unites => {
                    line(&mut text, format_args!("n{from} -. unites .-> n{to}"));
                }
            }
        }
        text
    }

    /// Draws the graph in DOT, the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        self.to_dot_with(|_| None)
    }

    /// Draws the graph in DOT, the language of Graphviz, with marks on nodes.
    pub fn to_dot_with(&self, mark: impl Fn(&str) -> Option<Mark>) -> String {
        let drawing = Drawing::new(self, &mark);
        let name = escape_dot(self.name.as_deref().unwrap_or_default().trim());
        let mut text = format!("digraph \"{name}\" {{\n");
        line(&mut text, format_args!("node [shape=box];"));
        for (place, node) in drawing.nodes.iter().enumerate() {
            let label = node.lines(escape_dot, "\\n");
            let class = match node.class.as_str() {
                "" => String::new(),
                class => format!(", class=\"{class}\""),
            };
            line(&mut text, format_args!("n{place} [label=\"{label}\"{class}];"));
        }
        for Arrow { from, to, kind } in &drawing.arrows {
            let style = match kind {
                ArrowKind::Next(None) => String::new(),
                ArrowKind::Next(Some(when)) => format!(" [label=\"{}\"]", escape_dot(when)),
                ArrowKind::Unites => " [style=dashed, label=\"unites\"]".to_owned(),
            };
            line(&mut text, format_args!("n{from} -> n{to}{style};"));
        }
        text + "}\n"
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "    {content}").expect("writing to a string does not fail");
}

/// The boxes and arrows of a document, whatever the language.
struct Drawing<'a> {
    nodes: Vec<Shape<'a>>,
    arrows: Vec<Arrow<'a>>,
}

struct Shape<'a> {
    identifier: &'a str,
    /// What carries out the node, unless it is called the same.
    work: Option<&'a str>,
    label: String,
    class: String,
}

struct Arrow<'a> {
    from: usize,
    to: usize,
    kind: ArrowKind<'a>,
}

enum ArrowKind<'a> {
    Next(Option<&'a str>),
    Unites,
}

impl<'a> Drawing<'a> {
    fn new(document: &'a Document, mark: &dyn Fn(&str) -> Option<Mark>) -> Self {
        let name = |text: &'a Option<String>| text.as_deref().map(str::trim);
        let nodes = document.nodes.iter().map(|node| {
            let identifier = name(&node.identifier).unwrap_or_default();
            let graph = node.graph.as_ref().and_then(|graph| name(&graph.name));
            let work = graph.or(name(&node.node_name)).filter(|work| *work != identifier);
            let Mark { label, mut class } = mark(identifier).unwrap_or_default();
            class.retain(|char| char.is_ascii_alphanumeric() || "_-".contains(char));
            Shape { identifier, work, label, class }
        });
        let nodes: Vec<_> = nodes.collect();
        let places = nodes.iter().enumerate().map(|(place, node)| (node.identifier, place));
        let places: HashMap<_, _> = places.collect();
        let mut arrows = Vec::new();
        for (from, node) in document.nodes.iter().enumerate() {
            for edge in &node.next_nodes {
                if let Some(&to) = name(&edge.to).and_then(|to| places.get(to)) {
                    let kind = ArrowKind::Next(name(&edge.when));
                    arrows.push(Arrow { from, to, kind });
                }
            }
            let united = node.unites.as_ref().and_then(|unites| name(&unites.identifier));
            if let Some(&united) = united.and_then(|united| places.get(united)) {
                arrows.push(Arrow { from: united, to: from, kind: ArrowKind::Unites });
            }
        }
        Self { nodes, arrows }
    }
}

impl Shape<'_> {
    fn lines(&self, escape: fn(&str) -> String, separator: &str) -> String {
        let lines = [Some(self.identifier), self.work, Some(&*self.label)];
        let lines = lines.into_iter().flatten().filter(|line| !line.is_empty()).map(escape);
        lines.collect::<Vec<_>>().join(separator)
    }
}

/// Replaces what Mermaid or the page around it would read as markup.
fn escape_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            char if char.is_control() => escaped.push(' '),
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '|' => {
                write!(escaped, "#{};", u32::from(char))
                    .expect("writing to a string does not fail");
            }
            char => escaped.push(char),
        }
    }
    escaped
}

/// Replaces what would end a quoted string of DOT, or be read as an escape inside it.
fn escape_dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            char if char.is_control() => escaped.push(' '),
            '"' | '\\' => escaped.extend(['\\', char]),
            char => escaped.push(char),
        }
    }
    escaped
}
