//! Every node on its own: names trimmed, expressions parsed, numbers read.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::limits::{CheckLimits, longest_text};
use super::names::{filled, needed};
use super::numbers::{Numbers, whole};
use super::report::Report;
use super::settings::{Settings, unknown_key};
use crate::graph::condition::Condition;
use crate::graph::document::{
    Document, EdgeDocument, NodeDocument, SubGraphDocument, UnitesDocument,
};
use crate::graph::expression::{ExpressionErrorKind, Template};
use crate::graph::plan::Strategy;
use crate::graph::problem::{Problem, ProblemKind};
use crate::graph::retry::RetryPolicy;
use crate::node::Handler;

/// The nodes of a document, as far as they could be read.
pub(super) struct Draft<'a> {
    pub(super) nodes: Vec<DraftNode<'a>>,
}

/// A node as far as it could be read; what could not has been reported.
pub(super) struct DraftNode<'a> {
    /// Blank if there is none.
    pub(super) identifier: &'a str,
    pub(super) namespace: String,
    /// The handler's name; `None` if there is none, or a graph carries out the node.
    pub(super) handler: Option<&'a str>,
    /// The handler itself, once it was looked up and found.
    pub(super) found: Option<Arc<Handler>>,
    pub(super) graph: Option<SubGraphDocument>,
    /// In the order of their names; without a template if it is malformed.
    pub(super) inputs: Vec<(&'a str, Option<Template>)>,
    pub(super) next: Vec<(&'a str, Option<Condition>)>,
    /// Whether the node unites anything, even if what it unites could not be read.
    pub(super) is_merger: bool,
    pub(super) unites: Option<(&'a str, Strategy, bool)>,
    pub(super) retry: RetryPolicy,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) total_timeout: Option<Duration>,
    pub(super) concurrency: Option<u32>,
}

impl<'a> Draft<'a> {
    pub(super) fn check(
        document: &'a Document,
        settings: &Settings,
        limits: &CheckLimits,
        report: &mut Report,
    ) -> Self {
        let nodes = document.nodes.iter().map(|node| {
            let identifier = node.identifier.as_deref().unwrap_or_default().trim();
            Reader { node, identifier, settings, limits, report }.read()
        });
        let nodes: Vec<_> = nodes.collect();
        let mut known = HashSet::new();
        for name in nodes.iter().map(|node| node.identifier).filter(|name| !name.is_empty()) {
            if !known.insert(name) {
                let message = "the identifier is used twice";
                report.add(Problem::new(ProblemKind::IdentifierDuplicate, name, message).at(name));
            }
        }
        Self { nodes }
    }
}

struct Reader<'a, 'r> {
    node: &'a NodeDocument,
    identifier: &'a str,
    settings: &'r Settings,
    limits: &'r CheckLimits,
    report: &'r mut Report,
}

impl<'a> Reader<'a, '_> {
    fn read(mut self) -> DraftNode<'a> {
        let (node, identifier) = (self.node, self.identifier);
        self.check_identifier();
        self.warn_unknown();
        let namespace = self.namespace();
        let (handler, graph) = self.work(&namespace);
        let inputs = node.inputs.iter().map(|(name, value)| {
            let template = (longest_text(value) <= self.limits.expression_length)
                .then(|| Template::parse(value));
            (name.as_str(), self.template(name, template))
        });
        let inputs = inputs.collect();
        let next = self.next();
        let unites = node.unites.as_ref().and_then(|unites| self.unites(unites));
        let settings = self.settings;
        let mut numbers = self.numbers();
        let retry = node.retry.as_ref().map(|retry| numbers.retry_policy(retry));
        let timeout = node.timeout.as_ref();
        let attempt = timeout.and_then(|timeout| timeout.attempt_ms.as_ref());
        let total = timeout.and_then(|timeout| timeout.total_ms.as_ref());
        let concurrency = (ProblemKind::ConcurrencyInvalid, "concurrency");
        DraftNode {
            identifier,
            namespace,
            handler,
            found: None,
            graph,
            inputs,
            next,
            is_merger: node.unites.is_some(),
            unites,
            retry: retry.unwrap_or(settings.retry),
            attempt_timeout: numbers.milliseconds(attempt, "attempt_ms"),
            total_timeout: numbers.milliseconds(total, "total_ms"),
            concurrency: numbers.count(node.concurrency.as_ref(), concurrency),
        }
    }

    fn numbers(&mut self) -> Numbers<'_> {
        Numbers { node: filled(self.identifier), report: self.report }
    }

    fn problem(&mut self, problem: Problem) {
        self.numbers().add(problem);
    }

    fn check_identifier(&mut self) {
        let identifier = self.node.identifier.as_deref();
        if let Err(problem) = needed(identifier, "identifier", ProblemKind::IdentifierEmpty) {
            self.problem(problem);
        }
        if self.identifier == "store" {
            let message = "`store` is what expressions call the store";
            self.problem(Problem::new(ProblemKind::IdentifierReserved, "store", message));
        }
    }

    fn warn_unknown(&mut self) {
        let node = self.node;
        let unites = node.unites.iter().flat_map(|unites| unites.unknown.keys());
        let retry = node.retry.iter().flat_map(|retry| retry.unknown.keys());
        let timeout = node.timeout.iter().flat_map(|timeout| timeout.unknown.keys());
        let graph = node.graph.iter().flat_map(|graph| graph.unknown.keys());
        let edges = node.next_nodes.iter().flat_map(|edge| edge.unknown.keys());
        let keys = (node.unknown.keys().map(|key| ("", key)))
            .chain(unites.map(|key| ("unites.", key)))
            .chain(retry.map(|key| ("retry.", key)))
            .chain(timeout.map(|key| ("timeout.", key)))
            .chain(graph.map(|key| ("graph.", key)))
            .chain(edges.map(|key| ("next_nodes.", key)));
        for (inside, key) in keys {
            self.report.warn(unknown_key(&format!("{inside}{key}")).at(self.identifier));
        }
    }

    fn namespace(&mut self) -> String {
        let graph = self.settings.name.namespace();
        let own = self.node.namespace.as_deref().unwrap_or(graph);
        let own = needed(Some(own), "namespace", ProblemKind::GraphNamespaceEmpty);
        own.map_err(|problem| self.problem(problem)).unwrap_or(graph).to_owned()
    }

    fn work(&mut self, namespace: &str) -> (Option<&'a str>, Option<SubGraphDocument>) {
        let name = self.node.node_name.as_deref();
        match (name, &self.node.graph) {
            (name, None) => {
                let name = needed(name, "node_name", ProblemKind::NodeNameEmpty);
                (name.map_err(|problem| self.problem(problem)).ok(), None)
            }
            (None, Some(graph)) => (None, Some(self.sub_graph(graph, namespace))),
            (Some(name), Some(_)) => {
                let message = "a node has either `node_name` or `graph`";
                self.problem(Problem::new(ProblemKind::SubgraphInvalid, name, message));
                (None, None)
            }
        }
    }

    fn sub_graph(&mut self, graph: &SubGraphDocument, namespace: &str) -> SubGraphDocument {
        let blank = ProblemKind::SubgraphInvalid;
        let mut name = |text: Option<&str>, field: &str| {
            let name = needed(text, field, blank).map_err(|problem| self.problem(problem));
            Some(name.unwrap_or_default().to_owned())
        };
        let mut checked = SubGraphDocument {
            name: name(graph.name.as_deref(), "graph.name"),
            ..SubGraphDocument::default()
        };
        checked.namespace =
            name(Some(graph.namespace.as_deref().unwrap_or(namespace)), "graph.namespace");
        checked.label = graph.label.as_deref().and_then(|label| name(Some(label), "graph.label"));
        let version = graph.version.as_ref();
        let number = version.and_then(whole).filter(|number| *number > 0);
        checked.version = number.map(Into::into);
        if version.is_some() && number.is_none() {
            let message = "`graph.version` is not a whole number from 1 on";
            self.problem(Problem::new(blank, "version", message));
        }
        if version.is_some() && graph.label.is_some() {
            let message = "a sub-graph has either a `label` or a `version`";
            self.problem(Problem::new(blank, "label", message));
        }
        checked
    }

    fn template(
        &mut self,
        name: &str,
        template: Option<Result<Template, crate::graph::expression::ExpressionError>>,
    ) -> Option<Template> {
        let (kind, reason) = match template {
            Some(Ok(template)) => return Some(template),
            Some(Err(error)) if error.kind == ExpressionErrorKind::TooDeep => {
                (ProblemKind::LimitExceeded, error.to_string())
            }
            Some(Err(error)) => (ProblemKind::InputSyntax, error.to_string()),
            None => {
                let limit = self.limits.expression_length;
                (ProblemKind::LimitExceeded, format!("a string is longer than {limit} bytes"))
            }
        };
        self.problem(Problem::new(kind, name, format!("input `{name}`: {reason}")));
        None
    }

    fn next(&mut self) -> Vec<(&'a str, Option<Condition>)> {
        let mut known = HashSet::new();
        let mut next = Vec::new();
        for edge in &self.node.next_nodes {
            let name = needed(edge.to.as_deref(), "next_nodes.to", ProblemKind::NextNodeEmpty);
            match name {
                Err(problem) => self.problem(problem),
                Ok(name) if !known.insert(name) => {
                    let message = format!("the next node `{name}` is named twice");
                    self.problem(Problem::new(ProblemKind::NextNodeDuplicate, name, message));
                }
                Ok(name) => next.push((name, self.condition(name, edge))),
            }
        }
        next
    }

    fn condition(&mut self, to: &str, edge: &EdgeDocument) -> Option<Condition> {
        let text = edge.when.as_deref()?;
        let limit = self.limits.expression_length;
        let (kind, reason) = match Condition::parse(text) {
            _ if text.len() > limit => {
                (ProblemKind::LimitExceeded, format!("longer than {limit} bytes"))
            }
            Ok(condition) => return Some(condition),
            Err(error) => (ProblemKind::ConditionInvalid, error.to_string()),
        };
        self.problem(Problem::new(kind, to, format!("the condition of `{to}`: {reason}")));
        None
    }

    fn unites(&mut self, unites: &'a UnitesDocument) -> Option<(&'a str, Strategy, bool)> {
        let strategy = match unites.strategy.as_deref().map(str::trim) {
            None | Some("ALL_SUCCESS") => Strategy::AllSuccess,
            Some("ALL_DONE") => Strategy::AllDone,
            Some(other) => {
                let message = format!("unknown unites strategy `{other}`");
                self.problem(Problem::new(ProblemKind::UnitesStrategyUnknown, other, message));
                Strategy::AllSuccess
            }
        };
        let name = unites.identifier.as_deref();
        let name = needed(name, "unites.identifier", ProblemKind::UnitesIdentifierEmpty);
        let name = name.map_err(|problem| self.problem(problem)).ok()?;
        Some((name, strategy, unites.tolerate))
    }
}
