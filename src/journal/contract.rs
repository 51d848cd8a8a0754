//! What a journal has to do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::error::JournalError;
use super::record::{Record, Stream};
use super::row::{RunQuery, RunRow};
use crate::id::RunId;

/// What a journal answers with.
pub type JournalFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// Which owner of a store somebody is, counted from 1; writes of an earlier one are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing that a commit writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Appends a record to a stream.
    Record(Stream, Record),
    /// Puts a run's row in the place of the one that is there, if one is.
    Row(RunRow),
    /// Takes back the records of a stream after the one of that number, and if that is 0 the run's
    /// row as well.
    Truncate(Stream, u64),
}

/// How much a journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalSize {
    /// Runs and sessions, ended or not.
    pub runs: u64,
    /// Those that have not ended.
    pub unfinished: u64,
    /// Records of all runs and of the versions.
    pub records: u64,
    /// Bytes that the store takes, free space inside it included.
    pub bytes: u64,
}

/// Keeps records for one owner at a time: what a runtime needs to go on after a crash.
///
/// What every implementation promises:
///
/// 1. A commit is all or nothing, and durable when it answers `Ok`.
/// 2. A commit that failed may be given again as it was: a record that is there already is no
///    second one. A record of the same key with other content is a
///    [`Conflict`](JournalError::Conflict).
/// 3. A commit of an epoch that is not the latest writes nothing and answers
///    [`Fenced`](JournalError::Fenced).
/// 4. What was written is read back as it was, also if it has been damaged since: whoever reads it
///    checks it with [`Record::is_intact`] and [`RunRow::is_intact`].
///
/// # Cancel safety
///
/// Any future may be dropped. A commit or a deletion is then done as a whole, also later, or not at all,
/// and the same one again tells; so is a release. Those that are given later come after it.
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// Takes the store for `owner`: the epoch after the latest one.
    ///
    /// Answers [`Owned`](JournalError::Owned) while another owner lives.
    fn claim<'a>(&'a self, owner: &'a str) -> JournalFuture<'a, Epoch>;

    /// Gives the store back, if it is still owned.
    fn release(&self, epoch: Epoch) -> JournalFuture<'_, ()>;

    /// Writes everything or nothing.
    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()>;

    /// The records of a stream after the one of that number, in their order: at most `limit`.
    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>>;

    /// The rows of the runs that a query wants, in the order of their starts.
    fn runs<'a>(&'a self, query: &'a RunQuery) -> JournalFuture<'a, Vec<RunRow>>;

    /// Deletes runs with all their records, and says how many there were.
    fn delete(&self, epoch: Epoch, runs: Arc<[RunId]>) -> JournalFuture<'_, u64>;

    /// Gives free space inside the store back.
    fn vacuum(&self, epoch: Epoch) -> JournalFuture<'_, ()>;

    /// How much it holds.
    fn size(&self) -> JournalFuture<'_, JournalSize>;
}
