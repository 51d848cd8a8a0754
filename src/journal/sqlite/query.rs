//! What a query is in SQL.

use rusqlite::types::Value;

use super::kept;
use crate::journal::record::Stream;
use crate::journal::row::RunQuery;

/// The columns, in the order in which rows are read.
const COLUMNS: &str =
    "run, namespace, name, version, key, status, started_at, ended_at, records, checksum";

/// The statement of a query, and its values in their order.
///
/// Queries with the same conditions have the same text, so that it is prepared once.
pub(super) fn select(query: &RunQuery) -> (String, Vec<Value>) {
    let mut conditions: Vec<&str> = Vec::new();
    let mut values = Vec::new();
    let mut wants = |condition, wanted: &mut dyn Iterator<Item = Value>| {
        conditions.push(condition);
        values.extend(wanted);
    };
    if let Some(run) = query.run {
        wants("run = ?", &mut [kept::key(Stream::Run(run)).to_vec().into()].into_iter());
    }
    if let Some(graph) = &query.graph {
        let names = [graph.namespace(), graph.name()];
        wants("namespace = ? AND name = ?", &mut names.into_iter().map(text));
    }
    if let Some(version) = query.version {
        wants("version = ?", &mut [kept::number(version.0).into()].into_iter());
    }
    if let Some(status) = &query.status {
        wants("status = ?", &mut [text(status)].into_iter());
    }
    if let Some(key) = &query.key {
        wants("key = ?", &mut [text(key)].into_iter());
    }
    match query.is_ended {
        Some(true) => wants("ended_at IS NOT NULL", &mut [].into_iter()),
        Some(false) => wants("ended_at IS NULL", &mut [].into_iter()),
        None => {}
    }
    if let Some(from) = query.from {
        wants("started_at >= ?", &mut [kept::time(from).into()].into_iter());
    }
    if let Some(until) = query.until {
        wants("started_at < ?", &mut [kept::time(until).into()].into_iter());
    }
    if let Some((at, run)) = query.after {
        let run = kept::key(Stream::Run(run)).to_vec();
        wants("(started_at, run) > (?, ?)", &mut [kept::time(at).into(), run.into()].into_iter());
    }
    values.push(kept::limit(query.limit.unwrap_or(usize::MAX)).into());
    let wanted = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    (format!("SELECT {COLUMNS} FROM runs WHERE {wanted} ORDER BY started_at, run LIMIT ?"), values)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
