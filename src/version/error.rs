//! Why a command on versions was refused; a refused command changes nothing.

use crate::id::{GraphName, VersionNumber};

/// Why a command on versions was refused; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// No graph of that name was published.
    #[error("graph `{0}` was never published")]
    UnknownGraph(GraphName),
    /// The graph has no version of that number.
    #[error("graph `{graph}` has no version {version}")]
    UnknownVersion {
        /// The graph.
        graph: GraphName,
        /// The version that was asked for.
        version: VersionNumber,
    },
    /// The version is retired.
    #[error("version {version} of graph `{graph}` is gone")]
    VersionGone {
        /// The graph.
        graph: GraphName,
        /// The version that was asked for.
        version: VersionNumber,
    },
    /// The version is the active one.
    #[error("version {version} of graph `{graph}` is active")]
    AlreadyActive {
        /// The graph.
        graph: GraphName,
        /// The active version.
        version: VersionNumber,
    },
    /// New starts are routed to the version.
    #[error("version {version} of graph `{graph}` cannot retire while it is active")]
    StillRouted {
        /// The graph.
        graph: GraphName,
        /// The active version.
        version: VersionNumber,
    },
    /// Runs are pinned to the version.
    #[error("version {version} of graph `{graph}` has {live} live runs")]
    InUse {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
        /// How many runs are pinned to it.
        live: u64,
    },
    /// No earlier version can be rolled back to.
    #[error("graph `{graph}` has no version to roll back to; considered {considered:?}")]
    NoRollbackTarget {
        /// The graph.
        graph: GraphName,
        /// The versions that were active before, latest first, none of which can be taken.
        considered: Vec<VersionNumber>,
    },
    /// Somebody else changed the routing first.
    #[error("the routing is at revision {found}, not at {expected}")]
    Conflict {
        /// The revision the command was meant for.
        expected: u64,
        /// The revision there is.
        found: u64,
    },
    /// The registry has stopped.
    #[error("the registry has stopped")]
    Stopped,
}
