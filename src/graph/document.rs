//! A graph as it is written down: Exosphere's template and what hotgraph adds.
//!
//! Reading refuses only what does not have the shape of a document; everything else is kept as it
//! is given, so that the check can report all of it at once. Keys that mean nothing are kept too.

mod entries;
mod forms;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

pub use entries::{Entries, Secrets};
pub use forms::{EdgeDocument, TimeoutDocument};
pub use read::{DocumentError, MAX_DOCUMENT_BYTES};

use super::retry::RetryPolicy;
use crate::value::Value;

/// Keys that mean nothing, with their values.
pub(in crate::graph) type Unknown = BTreeMap<String, Value>;

/// A graph as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with the `name` and the `nodes` of a graph")]
#[non_exhaustive]
pub struct Document {
    /// The graph's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The graph's namespace; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The nodes, in any order.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<NodeDocument>,
    /// How failed attempts are repeated, where a node does not say.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub retry_policy: RetryPolicyDocument,
    /// Which keys the store of a run has.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub store_config: StoreConfigDocument,
    /// Secrets by name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub secrets: Secrets,
    /// What should start runs by itself; kept, but this version starts no run by it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerDocument>,
    /// The node whose outputs are the run's; every leaf's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What a failure does to the rest of the run.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// What a run may use.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub limits: LimitsDocument,
    /// How long a run may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Value>,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A node as it is written down; it has either a `node_name` or a `graph`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeDocument {
    /// The name of the handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The namespace of the handler; the graph's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the node is called in this graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// The inputs by name: any JSON, with expressions inside its strings.
    #[serde(default, deserialize_with = "or_default")]
    pub inputs: BTreeMap<String, Value>,
    /// Which nodes come next.
    #[serde(default, deserialize_with = "or_default")]
    pub next_nodes: Vec<EdgeDocument>,
    /// What the node joins, if it is a merger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unites: Option<UnitesDocument>,
    /// How failed attempts are repeated, instead of the graph's policy as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicyDocument>,
    /// How long the node may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeoutDocument>,
    /// How many states of the node may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Value>,
    /// The graph that carries out the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<SubGraphDocument>,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What a merger joins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnitesDocument {
    /// The node whose groups are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// `ALL_SUCCESS` unless given, or `ALL_DONE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Whether failures of what is joined count as handled.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub tolerate: bool,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A retry policy as it is written down; what is missing or null takes its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryPolicyDocument {
    /// How many attempts may follow the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<Value>,
    /// The name of one of the nine strategies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The delay to start from, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_factor: Option<Value>,
    /// What an exponential delay is multiplied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<Value>,
    /// The longest delay, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Value>,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl From<RetryPolicy> for RetryPolicyDocument {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            max_retries: Some(policy.max_retries.into()),
            strategy: Some(policy.strategy.as_str().to_owned()),
            backoff_factor: Some(policy.backoff_factor.into()),
            exponent: Some(policy.exponent.into()),
            max_delay: policy.max_delay.map(Value::from),
            unknown: Unknown::new(),
        }
    }
}

/// The keys of a run's store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreConfigDocument {
    /// Keys that a start must give, unless they have a default.
    #[serde(default, deserialize_with = "or_default")]
    pub required_keys: Vec<String>,
    /// What keys hold unless a start says otherwise.
    #[serde(default, deserialize_with = "or_default")]
    pub default_values: Entries,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What should start runs by itself; this version only checks and keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TriggerDocument {
    /// `CRON`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of a cron trigger, an object with the `expression`.
    #[serde(default)]
    pub value: Value,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What a failure does to the rest of its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFailure {
    /// Other branches go on.
    #[default]
    Continue,
    /// Other branches are cancelled.
    FailFast,
}

/// What a run may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitsDocument {
    /// How many outputs one execution may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fanout: Option<Value>,
    /// How many states a run may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_states: Option<Value>,
    /// How many branches of a fanout may be in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<Value>,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The graph that carries out a node: its active version, a label's, or one by number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubGraphDocument {
    /// The graph's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The graph's namespace; that of the graph around it unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The label whose active version is taken when the graph is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The number of the version that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Value>,
    /// Keys that mean nothing.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Reads null as if nothing had been given.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
