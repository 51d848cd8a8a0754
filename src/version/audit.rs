//! Every command that was given, accepted or refused; what the accepted ones add up to.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::command::Command;
use super::error::VersionError;
use super::marks::Note;
use super::rollout::RolloutError;
use super::routing::{Routing, RoutingChange};
use crate::id::{GraphName, VersionNumber};

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
    /// The version that it came to and does not name: what a publish made, what a rollback leads to.
    pub version: Option<VersionNumber>,
    /// What it changed, or why it was refused.
    pub outcome: Result<Arc<[RoutingChange]>, Refusal>,
    /// The revision of the routing before it.
    pub revision_before: u64,
    /// The revision of the routing after it; the same if it was refused or changed nothing.
    pub revision_after: u64,
}

impl AuditRecord {
    /// A record without its number, which the log gives it.
    pub(crate) fn of(
        Command { change, terms }: &Command,
        note: Arc<Note>,
        outcome: Result<Arc<[RoutingChange]>, Refusal>,
        [revision_before, revision_after]: [u64; 2],
    ) -> Self {
        Self {
            seq: 0,
            note,
            request_id: terms.request_id.clone(),
            graphs: change.graphs(),
            command: change.to_string(),
            version: None,
            outcome,
            revision_before,
            revision_after,
        }
    }

    /// The same record of a command that came to a version.
    pub(crate) fn about(mut self, version: Option<VersionNumber>) -> Self {
        let names = |version: &VersionNumber| {
            let name = version.to_string();
            self.command.split(' ').any(|word| word == name)
        };
        self.version = version.filter(|version| !names(version));
        self
    }
}

/// Why a command on record was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The routing stood against it.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The rollout that it was about did.
    #[error(transparent)]
    Rollout(RolloutError),
}

impl From<RolloutError> for Refusal {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Refused(error) => Self::Version(error),
            error => Self::Rollout(error),
        }
    }
}

impl Refusal {
    /// The refusal of a command that is about no rollout.
    pub(crate) fn into_version_error(self) -> VersionError {
        match self {
            Self::Version(error) => error,
            Self::Rollout(error) => VersionError::Recorded(error.to_string()),
        }
    }
}

impl From<Refusal> for RolloutError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Version(error) => Self::Refused(error),
            Refusal::Rollout(error) => error,
        }
    }
}

impl fmt::Display for AuditRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, note, command, version, revision_before, revision_after, .. } = self;
        let (at, version) = (note.at, version.map_or_else(String::new, |it| format!(" -> {it}")));
        let (outcome, why) = match &self.outcome {
            Err(error) => ("refused".to_owned(), format!(": {error}")),
            Ok(_) if revision_before == revision_after => ("no change".to_owned(), String::new()),
            Ok(_) => (format!("revision {revision_after}"), String::new()),
        };
        let told = format!("#{seq} {at} [{outcome}] {command}{version} {note}{why}");
        // A reason, or a report inside an error, may have several lines.
        let lines: Vec<_> = told.lines().map(str::trim).collect();
        f.write_str(&lines.join(" "))
    }
}

/// Which records are wanted; all of them, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct AuditQuery {
    graph: Option<GraphName>,
    by: Option<String>,
    is_automatic: Option<bool>,
    is_refused: Option<bool>,
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

impl AuditQuery {
    /// Only commands about this graph.
    pub fn graph(mut self, graph: impl Into<GraphName>) -> Self {
        self.graph = Some(graph.into());
        self
    }

    /// Only commands given by this person; not what a rollout did that the person began.
    pub fn by(mut self, by: impl Into<String>) -> Self {
        (self.by, self.is_automatic) = (Some(by.into()), Some(false));
        self
    }

    /// Only what rollouts did by themselves, whoever began them.
    pub fn automatic(mut self) -> Self {
        (self.by, self.is_automatic) = (None, Some(true));
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

    /// Only commands after the one of this number: the next page, if one goes on from 0.
    pub const fn after(mut self, seq: u64) -> Self {
        self.after = Some(seq);
        self
    }

    /// Only commands before the one of this number: the page before, if one goes back.
    pub const fn before(mut self, seq: u64) -> Self {
        self.before = Some(seq);
        self
    }

    /// At most so many: the latest ones or, if [`after`](Self::after) is given, the first ones after it.
    ///
    /// Whichever they are, they come oldest first.
    pub const fn limit(mut self, records: usize) -> Self {
        self.limit = Some(records);
        self
    }

    fn wants(&self, record: &AuditRecord) -> bool {
        let is_graph = self.graph.as_ref().is_none_or(|graph| record.graphs.contains(graph));
        let is_by = self.by.as_deref().is_none_or(|by| record.note.by.as_deref() == Some(by));
        let is_author = self.is_automatic.is_none_or(|wanted| record.note.is_automatic == wanted);
        let is_outcome = self.is_refused.is_none_or(|wanted| record.outcome.is_err() == wanted);
        let is_after = self.after.is_none_or(|after| record.seq > after);
        let is_before = self.before.is_none_or(|before| record.seq < before);
        is_after && is_before && is_graph && is_by && is_author && is_outcome
    }
}

/// The commands that were given, oldest first.
#[derive(Clone, Debug, Default)]
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
        let wanted = self.records.iter().filter(|record| query.wants(record)).cloned();
        let limit = query.limit.unwrap_or(usize::MAX);
        if query.after.is_some() {
            return wanted.take(limit).collect();
        }
        let mut latest: Vec<_> = wanted.rev().take(limit).collect();
        latest.reverse();
        latest
    }

    /// The number of the latest record.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The records after that of this number, oldest first.
    pub(crate) fn since(&self, seq: u64) -> impl Iterator<Item = &Arc<AuditRecord>> {
        let news = usize::try_from(self.last - seq).unwrap_or(usize::MAX);
        self.records.iter().skip(self.records.len().saturating_sub(news))
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
