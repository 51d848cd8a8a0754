//! What can go wrong with a run's handle.

use std::sync::Arc;

use super::status::StateStatus;
use crate::id::{GraphName, StateId, VersionNumber};
use crate::journal::JournalError;

/// Why states were not retried by hand; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// The run has no record of the state, or it was not kept.
    #[error("no record of state {0}")]
    UnknownState(StateId),
    /// The state has not ended, or was already retried, or was skipped.
    #[error("state {state} of node `{node}` is {status}, and cannot be retried")]
    NotRetryable {
        /// The state.
        state: StateId,
        /// Its node.
        node: Arc<str>,
        /// Its status.
        status: StateStatus,
    },
    /// A retry under this id was accepted before.
    #[error("a retry under the id `{0}` was accepted before")]
    Duplicate(String),
    /// No state failed.
    #[error("no state to retry")]
    NothingToRetry,
    /// The run is being stopped.
    #[error("the run is being stopped")]
    Stopping,
    /// The version is retired: its handlers are gone.
    #[error("version {version} of `{graph}` is gone")]
    VersionGone {
        /// The graph.
        graph: GraphName,
        /// The version the run is pinned to.
        version: VersionNumber,
    },
    /// The version is revoked: nothing starts on it any more.
    #[error("version {version} of `{graph}` is revoked")]
    VersionRevoked {
        /// The graph.
        graph: GraphName,
        /// The version the run is pinned to.
        version: VersionNumber,
    },
    /// The runtime was shut down.
    #[error("the runtime is shutting down")]
    ShuttingDown,
    /// What the run needs to go on is gone: its actor died.
    #[error("what the run needs to go on is gone")]
    Gone,
    /// The run was deleted from the journal.
    #[error("the run was deleted")]
    Deleted,
    /// The run was forgotten since, and another handle of it is known or went on with it: that one
    /// can retry, `Storage::load` gives it.
    #[error("another handle went on with the run")]
    Superseded,
    /// The journal does not say at the moment whether the run is there as this handle knows it, or the
    /// run was parked before it took the retry.
    #[error("the journal cannot tell of the run")]
    Journal(#[source] JournalError),
}
