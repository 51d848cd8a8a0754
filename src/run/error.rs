//! What can go wrong with a run's handle.

use crate::id::{NodeIndex, StateId};

/// Why states were not retried by hand; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// The run has no record of the state, or it was not kept.
    #[error("no record of state {0}")]
    UnknownState(StateId),
    /// The state has not ended, or was already retried, or was skipped.
    #[error("state {state} of node {} is {status}, and only a state that ended can be retried", node.0)]
    NotRetryable {
        /// The state.
        state: StateId,
        /// Its node.
        node: NodeIndex,
        /// Its status.
        status: super::status::StateStatus,
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
        graph: crate::id::GraphName,
        /// The version the run is pinned to.
        version: crate::id::VersionNumber,
    },
    /// The run is no longer known, or its actor died.
    #[error("the run is gone")]
    Gone,
}
