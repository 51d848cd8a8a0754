//! Every command that was given, accepted or refused; what the accepted ones add up to.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::VersionError;
use super::marks::Note;
use super::routing::{Routing, RoutingChange};
use crate::id::GraphName;

/// How many records are kept; older ones are only kept as what they add up to.
///
/// A record is some hundred bytes: a few megabytes together.
const RECORDS: usize = 10_000;

/// A command that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Its number among all commands, from 1.
    pub seq: u64,
    /// Who gave it, why and when.
    pub note: Arc<Note>,
    /// The name under which it can be repeated, if it has one.
    pub request_id: Option<Arc<str>>,
    /// The graphs it was about.
    pub graphs: Vec<GraphName>,
    /// What it was, in words.
    pub command: String,
    /// What it changed, or why it was refused.
    pub outcome: Result<Arc<[RoutingChange]>, VersionError>,
    /// The revision of the routing before it.
    pub revision_before: u64,
    /// The revision of the routing after it; the same if it was refused or changed nothing.
    pub revision_after: u64,
}

/// Which records are wanted; all of them, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct AuditQuery {
    graph: Option<GraphName>,
    by: Option<String>,
    is_refused: Option<bool>,
    after: u64,
    limit: Option<usize>,
}

impl AuditQuery {
    /// Only commands about this graph.
    pub fn graph(mut self, graph: impl Into<GraphName>) -> Self {
        self.graph = Some(graph.into());
        self
    }

    /// Only commands given by this person.
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// Only commands that were accepted.
    pub const fn accepted(mut self) -> Self {
        self.is_refused = Some(false);
        self
    }

    /// Only commands that were refused.
    pub const fn refused(mut self) -> Self {
        self.is_refused = Some(true);
        self
    }

    /// Only commands after the one of this number: the next page.
    pub const fn after(mut self, seq: u64) -> Self {
        self.after = seq;
        self
    }

    /// At most so many, from the oldest on.
    pub const fn limit(mut self, records: usize) -> Self {
        self.limit = Some(records);
        self
    }

    fn wants(&self, record: &AuditRecord) -> bool {
        let is_graph = self.graph.as_ref().is_none_or(|graph| record.graphs.contains(graph));
        let is_by = self.by.as_deref().is_none_or(|by| record.note.by.as_deref() == Some(by));
        let is_outcome = self.is_refused.is_none_or(|wanted| record.outcome.is_err() == wanted);
        record.seq > self.after && is_graph && is_by && is_outcome
    }
}

/// The commands that were given, oldest first.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    records: VecDeque<Arc<AuditRecord>>,
    /// What the records that are no longer kept add up to.
    base: Routing,
    last: u64,
}

impl AuditLog {
    /// Adds a record, and gives it its number.
    pub(crate) fn append(&mut self, mut record: AuditRecord) -> Arc<AuditRecord> {
        self.last += 1;
        record.seq = self.last;
        let record = Arc::new(record);
        self.records.push_back(record.clone());
        if self.records.len() > RECORDS
            && let Some(oldest) = self.records.pop_front()
        {
            fold(&mut self.base, &oldest);
        }
        record
    }

    /// The records that a query wants, oldest first.
    pub(crate) fn query(&self, query: &AuditQuery) -> Vec<Arc<AuditRecord>> {
        let wanted = self.records.iter().filter(|record| query.wants(record));
        wanted.take(query.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// What all accepted commands add up to.
    pub(crate) fn fold(&self) -> Routing {
        let mut routing = self.base.clone();
        self.records.iter().for_each(|record| fold(&mut routing, record));
        routing
    }

    /// The latest command that changed something.
    pub(crate) fn last_change(&self) -> Option<&Arc<AuditRecord>> {
        self.records.iter().rev().find(|record| record.revision_after > record.revision_before)
    }
}

fn fold(routing: &mut Routing, record: &AuditRecord) {
    if let Ok(changes) = &record.outcome {
        changes.iter().for_each(|change| routing.apply(change));
        routing.revision = record.revision_after;
    }
}
