//! What a run did, as its journal tells it to people.

use super::entry::Entry;
use crate::clock::Timestamp;
use crate::journal::Record;
use crate::value::Value;

/// One record of a run, as its history shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HistoryStep {
    /// The number of the record.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says, such as `Returned` or `Fired`.
    pub kind: String,
    /// The record itself, as data; its form may change from one version of the library to the next.
    pub detail: Value,
}

impl HistoryStep {
    /// The steps that records tell of; those that only say when leave none.
    pub(crate) fn of(records: &[Record]) -> Result<Vec<Self>, (u64, String)> {
        let (mut at, mut steps) = (Timestamp::default(), Vec::new());
        for record in records {
            let entry = Entry::decode(&record.body).map_err(|why| (record.seq, why))?;
            match entry {
                Entry::At(now) => {
                    at = now;
                    continue;
                }
                Entry::Began(began) => at = began.at,
                _ => {}
            }
            let text = String::from_utf8_lossy(&record.body);
            let body = Value::from_json(&text).map_err(|why| (record.seq, why.to_string()))?;
            let fields = body.as_object().and_then(|fields| fields.iter().next());
            let (kind, detail) = fields.map_or_else(
                || (body.as_str().unwrap_or_default().to_owned(), Value::Null),
                |(kind, detail)| (kind.as_str().to_owned(), detail.clone()),
            );
            steps.push(Self { seq: record.seq, at, kind, detail });
        }
        Ok(steps)
    }
}
