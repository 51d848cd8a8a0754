//! The row of a run: what runs are found by, and how many records there have to be.

use std::sync::Arc;

use super::record::hasher;
use crate::clock::Timestamp;
use crate::id::{GraphName, RunId, VersionNumber};

/// What a journal knows of a run without reading its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The graph.
    pub graph: GraphName,
    /// The version it is pinned to.
    pub version: VersionNumber,
    /// The idempotency key that it was started with.
    pub key: Option<Arc<str>>,
    /// Its status, such as `RUNNING` or `SUCCESS`.
    pub status: Arc<str>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; `None` as long as it has not.
    pub ended_at: Option<Timestamp>,
    /// How many records it has.
    pub records: u64,
    /// The checksum of everything above.
    pub check: u64,
}

impl RunRow {
    /// The same row with the checksum that belongs to it: XXH3-64 over every other field.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.check = self.checksum();
        self
    }

    /// Whether it is as it was written.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.check == self.checksum()
    }

    fn checksum(&self) -> u64 {
        let mut hash = hasher(2);
        hash.update(&self.run.0.to_le_bytes());
        let texts = [self.graph.namespace(), self.graph.name(), &self.status];
        for text in texts.into_iter().chain(self.key.as_deref()) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        let ended_at = self.ended_at.map_or(u64::MAX, |at| at.0);
        for number in [self.version.0, self.started_at.0, ended_at, self.records] {
            hash.update(&number.to_le_bytes());
        }
        hash.digest()
    }
}

/// Which runs are wanted; all of them, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct RunQuery {
    pub(crate) run: Option<RunId>,
    pub(crate) graph: Option<GraphName>,
    pub(crate) version: Option<VersionNumber>,
    pub(crate) status: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) is_ended: Option<bool>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) after: Option<(Timestamp, RunId)>,
    pub(crate) limit: Option<usize>,
}

impl RunQuery {
    /// Only this run.
    pub const fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Only runs of this graph.
    pub fn graph(mut self, graph: impl Into<GraphName>) -> Self {
        self.graph = Some(graph.into());
        self
    }

    /// Only runs on a version of this number.
    pub fn version(mut self, version: impl Into<VersionNumber>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Only runs with this status, such as `FAILED`.
    pub fn status(mut self, status: impl Into<Arc<str>>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// Only runs that were started with this idempotency key.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only runs that have not ended.
    pub const fn unfinished(mut self) -> Self {
        self.is_ended = Some(false);
        self
    }

    /// Only runs that have ended.
    pub const fn ended(mut self) -> Self {
        self.is_ended = Some(true);
        self
    }

    /// Only runs that were started at this time or later.
    pub const fn from(mut self, at: Timestamp) -> Self {
        self.from = Some(at);
        self
    }

    /// Only runs that were started before this time.
    pub const fn until(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }

    /// Only runs after this one, in the order of their starts: the next page.
    pub fn after(mut self, row: &RunRow) -> Self {
        self.after = Some((row.started_at, row.run));
        self
    }

    /// At most so many.
    pub const fn limit(mut self, runs: usize) -> Self {
        self.limit = Some(runs);
        self
    }

    /// Whether a row is one of those that are wanted, the limit aside.
    #[must_use]
    pub fn wants(&self, row: &RunRow) -> bool {
        self.run.is_none_or(|run| row.run == run)
            && self.graph.as_ref().is_none_or(|graph| row.graph == *graph)
            && self.version.is_none_or(|version| row.version == version)
            && self.status.as_ref().is_none_or(|status| row.status == *status)
            && self.key.as_ref().is_none_or(|key| row.key.as_ref() == Some(key))
            && self.is_ended.is_none_or(|ended| row.ended_at.is_some() == ended)
            && self.from.is_none_or(|from| row.started_at >= from)
            && self.until.is_none_or(|until| row.started_at < until)
            && self.after.is_none_or(|after| (row.started_at, row.run) > after)
    }
}
