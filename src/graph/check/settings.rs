//! What a document says about the graph as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cron::check_cron;
use super::names::{filled, graph_name, missing, needed};
use super::numbers::Numbers;
use super::report::Report;
use crate::graph::document::{Document, LimitsDocument, TriggerDocument};
use crate::graph::plan::Limits;
use crate::graph::problem::{Problem, ProblemKind};
use crate::graph::retry::RetryPolicy;
use crate::id::{DEFAULT_NAMESPACE, GraphName};
use crate::value::Value;

/// What a document says about the graph as a whole.
pub(super) struct Settings {
    /// Not the document's if a part of its name is missing or blank.
    pub(super) name: GraphName,
    pub(super) retry: RetryPolicy,
    pub(super) required_keys: Vec<String>,
    pub(super) defaults: BTreeMap<String, Value>,
    pub(super) limits: Limits,
    pub(super) timeout: Option<Duration>,
}

impl Settings {
    pub(super) fn check(document: &Document, report: &mut Report) -> Self {
        let name = graph_name(document, report);
        let (required_keys, defaults) = store(document, report);
        secrets(document, report);
        document.triggers.iter().for_each(|trigger| check_trigger(trigger, report));
        unknown_keys(document, report);
        let mut numbers = Numbers { node: None, report };
        Self {
            name: name.unwrap_or_else(|| GraphName::new(DEFAULT_NAMESPACE, "")),
            retry: numbers.retry_policy(&document.retry_policy),
            required_keys,
            defaults,
            limits: limits(&document.limits, &mut numbers),
            timeout: numbers.milliseconds(document.timeout_ms.as_ref(), "timeout_ms"),
        }
    }

    pub(super) fn declares(&self, key: &str) -> bool {
        self.defaults.contains_key(key) || self.required_keys.iter().any(|known| known == key)
    }
}

fn store(document: &Document, report: &mut Report) -> (Vec<String>, BTreeMap<String, Value>) {
    let mut required = BTreeSet::new();
    let mut keys = Vec::new();
    for key in &document.store_config.required_keys {
        let key = store_key(key, report);
        keys.extend(key.filter(|key| is_new(required.insert(*key), key, report)));
    }
    let mut defaults = BTreeMap::new();
    for (key, value) in &document.store_config.default_values.0 {
        let key = store_key(key, report);
        if let Some(key) = key.filter(|key| is_new(!defaults.contains_key(*key), key, report)) {
            defaults.insert(key.to_owned(), value.clone());
        }
    }
    (keys.into_iter().map(str::to_owned).collect(), defaults)
}

fn store_key<'a>(key: &'a str, report: &mut Report) -> Option<&'a str> {
    let Some(key) = filled(key) else {
        report.add(Problem::new(ProblemKind::StoreKeyEmpty, "", "a store key is blank"));
        return None;
    };
    if key.contains('.') {
        let message = format!("the store key `{key}` has a dot");
        report.add(Problem::new(ProblemKind::StoreKeyDot, key, message));
    }
    Some(key)
}

fn is_new(new: bool, key: &str, report: &mut Report) -> bool {
    if !new {
        let message = format!("the store key `{key}` is declared twice");
        report.add(Problem::new(ProblemKind::StoreKeyDuplicate, key, message));
    }
    new
}

fn secrets(document: &Document, report: &mut Report) {
    for (name, value) in &document.secrets.0 {
        if name.trim().is_empty() {
            report.add(Problem::new(ProblemKind::SecretEmpty, "", "the name of a secret is blank"));
        } else if !is_identifier(name) {
            let message = format!("the name of the secret `{name}` is not an identifier");
            report.add(Problem::new(ProblemKind::SecretNameInvalid, name, message));
        }
        if value.trim().is_empty() {
            let message = format!("the secret `{name}` is blank");
            report.add(Problem::new(ProblemKind::SecretEmpty, name, message));
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let begins = |first: char| first.is_alphabetic() || first == '_';
    name.starts_with(begins) && name.chars().all(|char| char.is_alphanumeric() || char == '_')
}

fn check_trigger(trigger: &TriggerDocument, report: &mut Report) {
    let kind = needed(trigger.kind.as_deref(), "type", ProblemKind::TriggerTypeUnknown);
    match kind {
        Ok("CRON") => {}
        Ok(other) => {
            let message = format!("unknown type of trigger `{other}`");
            return report.add(Problem::new(ProblemKind::TriggerTypeUnknown, other, message));
        }
        Err(problem) => return report.add(problem),
    }
    let expression = match trigger.value.get("expression") {
        None => return report.add(missing("expression")),
        Some(expression) => expression.as_str().unwrap_or_default(),
    };
    if let Err(reason) = check_cron(expression) {
        let message = format!("the cron expression `{expression}` is not valid: {reason}");
        return report.add(Problem::new(ProblemKind::CronInvalid, expression, message));
    }
    let message = format!("the trigger `{expression}` is kept, but starts no run in this version");
    report.warn(Problem::new(ProblemKind::TriggerInert, expression, message));
}

fn limits(document: &LimitsDocument, numbers: &mut Numbers<'_>) -> Limits {
    let default = Limits::default();
    let place = |name| (ProblemKind::LimitInvalid, name);
    let fanout = numbers.whole(document.max_fanout.as_ref(), 1, place("max_fanout"));
    let states = numbers.whole(document.max_states.as_ref(), 1, place("max_states"));
    let in_flight = numbers.count(document.in_flight.as_ref(), place("in_flight"));
    Limits {
        max_fanout: fanout.unwrap_or(default.max_fanout),
        max_states: states.unwrap_or(default.max_states),
        in_flight: in_flight.unwrap_or(default.in_flight),
    }
}

fn unknown_keys(document: &Document, report: &mut Report) {
    let keys = (document.unknown.keys().map(|key| (String::new(), key)))
        .chain(document.retry_policy.unknown.keys().map(|key| ("retry_policy.".into(), key)))
        .chain(document.store_config.unknown.keys().map(|key| ("store_config.".into(), key)))
        .chain(document.limits.unknown.keys().map(|key| ("limits.".into(), key)));
    for (inside, key) in keys {
        report.warn(unknown_key(&format!("{inside}{key}")));
    }
}

/// A warning about a key that means nothing.
pub(super) fn unknown_key(key: &str) -> Problem {
    Problem::new(ProblemKind::FieldUnknown, key, format!("`{key}` means nothing here"))
}
