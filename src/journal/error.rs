//! Why a journal could not do what it was asked for.

use super::contract::Epoch;
use super::record::Stream;

/// Why a journal could not do what it was asked for; nothing was written then, unless it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process owns the store.
    #[error("the store belongs to {owner}")]
    Owned {
        /// What it calls itself.
        owner: String,
    },
    /// Another process has taken the store since: this one may write no more.
    #[error("the store is at epoch {found}, and epoch {epoch} may not write to it any more")]
    Fenced {
        /// The epoch that would have written.
        epoch: Epoch,
        /// The latest epoch.
        found: Epoch,
    },
    /// The store cannot be reached at this moment; the write may have happened.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The store has no room.
    #[error("the store is full: {0}")]
    Full(String),
    /// The storage failed.
    #[error("the storage failed: {0}")]
    Storage(String),
    /// The store is damaged, or it is none.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
    /// What was read is not what was written.
    #[error("{stream}{}: {why}", seq.map(|seq| format!(", record {seq}")).unwrap_or_default())]
    Corrupt {
        /// The stream.
        stream: Stream,
        /// The number of the record; `None` if it is the run's row, or all of it.
        seq: Option<u64>,
        /// What is wrong.
        why: String,
    },
    /// Another record of that number is there.
    #[error("{stream}, record {seq}: another one is there")]
    Conflict {
        /// The stream.
        stream: Stream,
        /// The number.
        seq: u64,
    },
    /// The store was made by a version of this library that is not known here.
    #[error("the store has format {found}, and only formats up to {known} are known")]
    Format {
        /// The format of the store.
        found: u64,
        /// The latest format that is known.
        known: u64,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// Whether the same write may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::Storage(_))
    }
}
