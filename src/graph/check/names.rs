//! Names of a document: trimmed, and there.

use super::report::Report;
use crate::graph::document::Document;
use crate::graph::problem::{Problem, ProblemKind};
use crate::id::{DEFAULT_NAMESPACE, GraphName};

/// The trimmed text, unless it is blank.
pub(super) fn filled(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

/// A name that must be given and must not be blank; otherwise two kinds of problem.
pub(super) fn needed<'a>(
    text: Option<&'a str>,
    field: &str,
    blank: ProblemKind,
) -> Result<&'a str, Problem> {
    match text.map(filled) {
        None => Err(missing(field)),
        Some(None) => Err(Problem::new(blank, "", format!("`{field}` is blank"))),
        Some(Some(text)) => Ok(text),
    }
}

pub(super) fn missing(field: &str) -> Problem {
    Problem::new(ProblemKind::FieldMissing, field, format!("`{field}` is missing"))
}

/// The graph's name; `None` if a part of it is missing or blank.
pub(super) fn graph_name(document: &Document, report: &mut Report) -> Option<GraphName> {
    let unnamed = || {
        let message = "`name` is missing; `Document::named` gives a template its name";
        Problem::new(ProblemKind::FieldMissing, "name", message)
    };
    let name = document.name.as_deref().ok_or_else(unnamed);
    let name = name.and_then(|name| needed(Some(name), "name", ProblemKind::GraphNameEmpty));
    let namespace = document.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let blank = ProblemKind::GraphNamespaceEmpty;
    match (name, needed(Some(namespace), "namespace", blank)) {
        (Ok(name), Ok(namespace)) => Some(GraphName::new(namespace, name)),
        (name, namespace) => {
            [name, namespace].into_iter().filter_map(Result::err).for_each(|p| report.add(p));
            None
        }
    }
}
