//! Puts a graph without problems together: names become places, the document canonical.

use std::collections::HashMap;

use super::checked::{Checked, CheckedNode};
use super::draft::{Draft, DraftNode};
use super::settings::Settings;
use crate::graph::document::{
    Document, EdgeDocument, Entries, LimitsDocument, NodeDocument, StoreConfigDocument,
    TimeoutDocument, TriggerDocument, UnitesDocument, Unknown,
};
use crate::graph::expression::Template;
use crate::graph::plan::{Limits, Strategy};
use crate::graph::problem::Problems;
use crate::graph::retry::milliseconds;
use crate::id::NodeIndex;
use crate::value::Value;

/// Puts a graph together whose nodes come in this order.
pub(super) fn assemble(
    document: &Document,
    draft: &Draft<'_>,
    order: &[&str],
    settings: Settings,
    warnings: Problems,
) -> Checked {
    let places: HashMap<_, _> = order.iter().copied().zip((0..).map(NodeIndex)).collect();
    let mut nodes: Vec<_> = draft.nodes.iter().collect();
    nodes.sort_unstable_by_key(|node| places[node.identifier]);
    let result = document.result.as_deref().map(str::trim);
    Checked {
        document: canonical(document, &nodes, &settings),
        nodes: nodes.iter().map(|node| checked_node(node, &places)).collect(),
        // Nothing comes before the root, so it is the first.
        root: NodeIndex(0),
        name: settings.name,
        required_keys: settings.required_keys,
        defaults: settings.defaults,
        result: result.map(|name| places[name]),
        on_failure: document.on_failure,
        limits: settings.limits,
        timeout: settings.timeout,
        warnings,
    }
}

fn checked_node(node: &DraftNode<'_>, places: &HashMap<&str, NodeIndex>) -> CheckedNode {
    let inputs = node.inputs.iter();
    let inputs =
        inputs.filter_map(|(name, template)| Some(((*name).to_owned(), template.clone()?)));
    CheckedNode {
        identifier: node.identifier.to_owned(),
        namespace: node.namespace.clone(),
        node_name: node.handler.unwrap_or_default().to_owned(),
        handler: node.found.clone(),
        graph: node.graph.clone(),
        inputs: inputs.collect(),
        edges: node.next.iter().map(|(to, when)| (places[to], when.clone())).collect(),
        unites: node.unites.map(|(name, strategy, tolerate)| (places[name], strategy, tolerate)),
        retry: node.retry,
        attempt_timeout: node.attempt_timeout,
        total_timeout: node.total_timeout,
        concurrency: node.concurrency,
    }
}

/// The document with every name trimmed, every default written out, nothing that means nothing,
/// and blanks for the values of secrets.
fn canonical(document: &Document, nodes: &[&DraftNode<'_>], settings: &Settings) -> Document {
    let mut required_keys = settings.required_keys.clone();
    required_keys.sort_unstable();
    let defaults = settings.defaults.iter().map(|(key, value)| (key.clone(), value.clone()));
    let mut secrets = document.secrets.clone();
    secrets.0.values_mut().for_each(String::clear);
    let triggers = document.triggers.iter().map(|trigger| TriggerDocument {
        kind: trigger.kind.as_deref().map(|kind| kind.trim().to_owned()),
        value: trigger.value.clone(),
        unknown: Unknown::new(),
    });
    Document {
        name: Some(settings.name.name().to_owned()),
        namespace: Some(settings.name.namespace().to_owned()),
        nodes: nodes.iter().map(|node| canonical_node(node)).collect(),
        retry_policy: settings.retry.into(),
        store_config: StoreConfigDocument {
            required_keys,
            default_values: Entries(defaults.collect()),
            unknown: Unknown::new(),
        },
        secrets,
        triggers: triggers.collect(),
        result: document.result.as_deref().map(|name| name.trim().to_owned()),
        on_failure: document.on_failure,
        limits: canonical_limits(settings.limits),
        timeout_ms: settings.timeout.map(milliseconds).map(Value::from),
        unknown: Unknown::new(),
    }
}

fn canonical_node(node: &DraftNode<'_>) -> NodeDocument {
    let inputs = node.inputs.iter();
    let inputs = inputs.filter_map(|(name, template)| {
        Some(((*name).to_owned(), template.as_ref().map(Template::source)?.clone()))
    });
    let edges = node.next.iter().map(|(to, when)| EdgeDocument {
        to: Some((*to).to_owned()),
        when: when.as_ref().map(|when| when.as_str().to_owned()),
        unknown: Unknown::new(),
    });
    let unites = node.unites.map(|(name, strategy, tolerate)| UnitesDocument {
        identifier: Some(name.to_owned()),
        strategy: Some(name_of(strategy).to_owned()),
        tolerate,
        unknown: Unknown::new(),
    });
    let timeout = TimeoutDocument {
        attempt_ms: node.attempt_timeout.map(milliseconds).map(Value::from),
        total_ms: node.total_timeout.map(milliseconds).map(Value::from),
        unknown: Unknown::new(),
    };
    NodeDocument {
        node_name: node.handler.map(str::to_owned),
        namespace: Some(node.namespace.clone()),
        identifier: Some(node.identifier.to_owned()),
        inputs: inputs.collect(),
        next_nodes: edges.collect(),
        unites,
        retry: Some(node.retry.into()),
        timeout: Some(timeout).filter(|timeout| *timeout != TimeoutDocument::default()),
        concurrency: node.concurrency.map(Value::from),
        graph: node.graph.clone(),
        unknown: Unknown::new(),
    }
}

const fn name_of(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::AllSuccess => "ALL_SUCCESS",
        Strategy::AllDone => "ALL_DONE",
    }
}

fn canonical_limits(limits: Limits) -> LimitsDocument {
    LimitsDocument {
        max_fanout: Some(limits.max_fanout.into()),
        max_states: Some(limits.max_states.into()),
        in_flight: Some(limits.in_flight.into()),
        unknown: Unknown::new(),
    }
}
