//! What a query is in SQL.

use tokio_postgres::types::{ToSql, Type};

use crate::journal::kept;
use crate::journal::record::Stream;
use crate::journal::row::RunQuery;

/// The columns, in the order in which rows are read.
const COLUMNS: &str =
    "run, namespace, name, version, key, status, started_at, ended_at, records, checksum";

/// A value with the type that the server knows it by.
pub(super) type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

/// A value of a query.
#[derive(Debug)]
pub(super) enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) fn typed(&self) -> Typed<'_> {
        match self {
            Self::Number(number) => (number, Type::INT8),
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
        }
    }
}

/// Conditions and their values, which have numbers.
#[derive(Default)]
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    fn number(&mut self, condition: &str, number: i64) {
        let place = self.push(Value::Number(number));
        self.conditions.push(format!("{condition} ${place}"));
    }

    /// A text, as its bytes: the beginning is found in an index, and the rest is compared.
    fn text(&mut self, column: &str, text: &str) {
        let place = self.push(Value::Bytes(text.as_bytes().to_vec()));
        self.conditions.push(format!("substr({column}, 1, 256) = substr(${place}, 1, 256)"));
        self.conditions.push(format!("{column} = ${place}"));
    }

    fn push(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }
}

/// The statement of a query, and its values in their order.
pub(super) fn select(query: &RunQuery) -> (String, Vec<Value>) {
    let mut wanted = Wanted::default();
    if let Some(run) = query.run {
        let run = wanted.push(Value::Bytes(kept::key(Stream::Run(run)).to_vec()));
        wanted.conditions.push(format!("run = ${run}"));
    }
    if let Some(graph) = &query.graph {
        wanted.text("namespace", graph.namespace());
        wanted.text("name", graph.name());
    }
    if let Some(version) = query.version {
        wanted.number("version =", kept::number(version.0));
    }
    if let Some(status) = &query.status {
        wanted.text("status", status);
    }
    if let Some(key) = &query.key {
        wanted.text("key", key);
    }
    match query.is_ended {
        Some(true) => wanted.conditions.push("ended_at IS NOT NULL".to_owned()),
        Some(false) => wanted.conditions.push("ended_at IS NULL".to_owned()),
        None => {}
    }
    if let Some(from) = query.from {
        wanted.number("started_at >=", kept::time(from));
    }
    if let Some(until) = query.until {
        wanted.number("started_at <", kept::time(until));
    }
    if let Some((at, run)) = query.after {
        let at = wanted.push(Value::Number(kept::time(at)));
        let run = wanted.push(Value::Bytes(kept::key(Stream::Run(run)).to_vec()));
        wanted.conditions.push(format!("(started_at, run) > (${at}, ${run})"));
    }
    let limit = wanted.push(Value::Number(kept::limit(query.limit.unwrap_or(usize::MAX))));
    let Wanted { conditions, values } = wanted;
    let wanted = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let order = "ORDER BY started_at, run LIMIT";
    (format!("SELECT {COLUMNS} FROM runs WHERE {wanted} {order} ${limit}"), values)
}
