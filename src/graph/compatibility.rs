//! Whether callers of a graph, and runs in flight, could do with another graph in its place.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::document::NodeDocument;
use super::outline::{Outline, OutlineNode};
use crate::node::{FieldType, Schema};

/// How far one graph can stand in for another, from best to worst.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Compatibility {
    /// COMPATIBLE: the interface is the same.
    #[default]
    Compatible,
    /// `MINOR_CHANGE`: there are additions, and nothing is taken away.
    MinorChange,
    /// UNKNOWN: what decides it is opaque.
    Unknown,
    /// BREAKING: something was removed or retyped, or is required that was not.
    Breaking,
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compatible => "COMPATIBLE",
            Self::MinorChange => "MINOR_CHANGE",
            Self::Unknown => "UNKNOWN",
            Self::Breaking => "BREAKING",
        })
    }
}

/// Whom a finding concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Concern {
    /// Those who start runs and read outcomes.
    Callers,
    /// Runs that are at a node.
    Runs,
}

/// One reason for a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The level it calls for.
    pub level: Compatibility,
    /// Whom it concerns.
    pub concern: Concern,
    /// The node, if it is about one.
    pub node: Option<String>,
    /// What was found.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = match self.concern {
            Concern::Callers => "callers",
            Concern::Runs => "runs",
        };
        write!(f, "{} for {whom}: ", self.level)?;
        match &self.node {
            Some(node) => write!(f, "node `{node}`: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Everything that speaks against `to` in the place of `from`; nothing, if they are COMPATIBLE.
pub(crate) fn assess(from: &Outline, to: &Outline) -> Vec<Finding> {
    let mut findings = Findings::default();
    if from.is_opaque || to.is_opaque {
        for concern in [Concern::Callers, Concern::Runs] {
            let text = "a handler is bound to the graph and not in the catalog";
            findings.add(Compatibility::Unknown, concern, None, text);
        }
    }
    inputs(from, to, &mut findings);
    store(from, to, &mut findings);
    results(from, to, &mut findings);
    nodes(from, to, &mut findings);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        level: Compatibility,
        concern: Concern,
        node: Option<&str>,
        text: impl Into<String>,
    ) {
        let node = node.map(str::to_owned);
        self.0.push(Finding { level, concern, node, text: text.into() });
    }

    fn callers(&mut self, level: Compatibility, text: impl Into<String>) {
        self.add(level, Concern::Callers, None, text);
    }

    fn run(&mut self, level: Compatibility, node: &str, text: impl Into<String>) {
        self.add(level, Concern::Runs, Some(node), text);
    }
}

/// What a start may give: the inputs that the root node declares.
fn inputs(from: &Outline, to: &Outline, findings: &mut Findings) {
    let (Some((before, old)), Some((after, new))) = (from.entry(), to.entry()) else { return };
    for name in old.inputs.keys() {
        if !new.inputs.contains_key(name) {
            findings.callers(Compatibility::Breaking, format!("the input `{name}` is gone"));
            continue;
        }
        let change = input_change(&before.inputs, &after.inputs, name);
        let input = format!("the input `{name}`");
        change.tell(&input, &mut |level, text| findings.callers(level, text));
    }
    for (name, value) in new.inputs.iter().filter(|(name, _)| !old.inputs.contains_key(*name)) {
        match value.is_null() && !after.inputs.allows_null(name) {
            true => {
                let text = format!("the new input `{name}` has no default");
                findings.callers(Compatibility::Breaking, text);
            }
            false => {
                let text = format!("the input `{name}` is new");
                findings.callers(Compatibility::MinorChange, text);
            }
        }
    }
}

/// What a start has to give: the store keys without a default.
fn store(from: &Outline, to: &Outline, findings: &mut Findings) {
    let required = |outline: &Outline| {
        let store = outline.document().store_config.clone();
        let has_default =
            |key: &String| store.default_values.0.iter().any(|(k, v)| k == key && !v.is_null());
        let keys = store.required_keys.iter().filter(|key| !has_default(key)).cloned();
        keys.collect::<Vec<_>>()
    };
    let (before, after) = (required(from), required(to));
    for key in after.iter().filter(|key| !before.contains(key)) {
        findings.callers(Compatibility::Breaking, format!("the store key `{key}` is required"));
    }
    for key in before.iter().filter(|key| !after.contains(key)) {
        let text = format!("the store key `{key}` is not required any more");
        findings.callers(Compatibility::MinorChange, text);
    }
}

/// What an outcome holds.
fn results(from: &Outline, to: &Outline, findings: &mut Findings) {
    let mut only = from.results();
    let had_one = only.next().is_some() && only.next().is_none();
    for (name, before) in from.results() {
        let Some(after) = to.nodes.get(name).filter(|node| node.is_result) else {
            findings.callers(Compatibility::Breaking, format!("the output of `{name}` is gone"));
            continue;
        };
        if before.repeats != after.repeats {
            let now = if after.repeats { "an array" } else { "one value" };
            let text = format!("the output of `{name}` is {now} now");
            findings.callers(Compatibility::Breaking, text);
        }
        let output = format!("the output of `{name}`");
        outputs(&output, before, after, &mut |level, text| findings.callers(level, text));
    }
    for (name, _) in to.results() {
        if from.nodes.get(name).is_some_and(|node| node.is_result) {
            continue;
        }
        // `Outcome::output` takes the only output, and there are two of them now.
        let level = match had_one {
            true => Compatibility::Breaking,
            false => Compatibility::MinorChange,
        };
        findings.callers(level, format!("the output of `{name}` is new"));
    }
}

/// What a run meets where it is.
fn nodes(from: &Outline, to: &Outline, findings: &mut Findings) {
    for (name, before) in &from.nodes {
        let Some(after) = to.nodes.get(name) else {
            findings.run(Compatibility::Breaking, name, "it is gone");
            continue;
        };
        let mut tell = |level, text: String| findings.run(level, name, text);
        outputs("its output", before, after, &mut tell);
        for field in after.inputs.required() {
            if before.inputs.field(field).is_none() {
                tell(Compatibility::Breaking, format!("its handler needs the input `{field}`"));
            }
        }
        for field in before.inputs.names() {
            let change = input_change(&before.inputs, &after.inputs, field);
            change.tell(&format!("its input `{field}`"), &mut tell);
        }
        edges(from.written(before), to.written(after), &mut tell);
    }
    for name in to.nodes.keys().filter(|name| !from.nodes.contains_key(*name)) {
        findings.run(Compatibility::MinorChange, name, "it is new");
    }
}

fn edges(before: &NodeDocument, after: &NodeDocument, tell: &mut dyn FnMut(Compatibility, String)) {
    let leads = |node: &NodeDocument, to| node.next_nodes.iter().any(|edge| edge.to == to);
    for edge in before.next_nodes.iter().filter(|edge| !leads(after, edge.to.clone())) {
        let to = edge.to.as_deref().unwrap_or_default();
        tell(Compatibility::Breaking, format!("it does not lead to `{to}` any more"));
    }
    for edge in after.next_nodes.iter().filter(|edge| !leads(before, edge.to.clone())) {
        let to = edge.to.as_deref().unwrap_or_default();
        tell(Compatibility::MinorChange, format!("it leads to `{to}` too"));
    }
    if before.unites != after.unites {
        tell(Compatibility::Breaking, "it joins otherwise".to_owned());
    }
}

fn outputs(
    what: &str,
    before: &OutlineNode,
    after: &OutlineNode,
    tell: &mut dyn FnMut(Compatibility, String),
) {
    let is_undeclared = |schema: &Schema| schema.is_open() && schema.names().next().is_none();
    let undeclared = is_undeclared(&before.outputs) || is_undeclared(&after.outputs);
    if undeclared && before.fingerprint != after.fingerprint {
        return tell(Compatibility::Unknown, format!("{what} has no declared fields"));
    }
    for field in before.outputs.names() {
        let change = field_change(&before.outputs, &after.outputs, field);
        change.tell(&format!("{what}: the field `{field}`"), tell);
    }
    for field in after.outputs.names().filter(|field| before.outputs.field(field).is_none()) {
        tell(Compatibility::MinorChange, format!("{what}: the field `{field}` is new"));
    }
}

/// What became of a field.
enum Change {
    Same,
    Widened,
    Inside,
    Retyped(FieldType, FieldType),
    Gone,
}

fn field_change(before: &Schema, after: &Schema, name: &str) -> Change {
    let declared = |schema: &Schema| {
        let schema = schema.canonical();
        schema.get("properties").and_then(|fields| fields.get(name)).cloned()
    };
    match (before.field(name), after.field(name)) {
        (None, None) => Change::Same,
        (Some(_), None) => Change::Gone,
        (None, Some(after)) if *after == FieldType::Any => Change::Same,
        (None, Some(after)) => Change::Retyped(FieldType::Any, after.clone()),
        (Some(before), Some(after)) if before != after => {
            Change::Retyped(before.clone(), after.clone())
        }
        _ if declared(before) != declared(after) => Change::Inside,
        _ => Change::Same,
    }
}

/// What became of a field that is taken: it may take more than it did.
fn input_change(before: &Schema, after: &Schema, name: &str) -> Change {
    match (before.field(name), after.field(name)) {
        (Some(before), Some(after)) if widens(before, after) => Change::Widened,
        _ => field_change(before, after, name),
    }
}

/// Whether a field takes more than it did, and all that it took.
fn widens(before: &FieldType, after: &FieldType) -> bool {
    let within = |kind: &FieldType| match after {
        FieldType::Any => true,
        FieldType::Number => *kind == FieldType::Integer,
        FieldType::Union(kinds) => kinds.contains(kind),
        _ => false,
    };
    before != after
        && match before {
            FieldType::Union(kinds) => kinds.iter().all(within),
            kind => within(kind),
        }
}

impl Change {
    fn tell(self, what: &str, tell: &mut dyn FnMut(Compatibility, String)) {
        match self {
            Self::Same => {}
            Self::Widened => tell(Compatibility::MinorChange, format!("{what} takes more")),
            Self::Inside => tell(Compatibility::Unknown, format!("{what} changed inside")),
            Self::Gone => tell(Compatibility::Breaking, format!("{what} is gone")),
            Self::Retyped(before, after) => {
                tell(Compatibility::Breaking, format!("{what} was {before} and is {after}"));
            }
        }
    }
}

/// The worst level of the findings for some concern.
pub(crate) fn worst(findings: &[Finding], concern: Concern) -> Compatibility {
    let levels = findings.iter().filter(|finding| finding.concern == concern);
    levels.map(|finding| finding.level).max().unwrap_or_default()
}
