//! What the front door refuses, and why.

use super::recovery::StrandedReason;
use crate::graph::{EntryError, Problems};
use crate::id::{GraphName, LabelName, RunId, VersionNumber};
use crate::journal::JournalError;
use crate::node::CatalogError;
use crate::version::{ResolveError, VersionError};

/// Why a runtime was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A handler cannot be registered.
    #[error(transparent)]
    Handler(#[from] CatalogError),
    /// The registry's actor did not start.
    #[error("the registry's actor did not start")]
    Registry,
    /// The journal cannot be used.
    #[error("the journal")]
    Journal(#[from] JournalError),
    /// A rollout that a restart cut off cannot be taken back.
    #[error("a rollout that a restart cut off cannot be taken back")]
    Rollout(#[from] VersionError),
}

/// Why a graph was not published; nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The graph is not valid: every problem with it.
    #[error("graph `{graph}` is not valid:\n{problems}{}", listed(warnings))]
    Invalid {
        /// The graph.
        graph: GraphName,
        /// Every problem, each with its kind and place.
        problems: Problems,
        /// What is no problem but may be the cause of one, such as a key that means nothing.
        warnings: Problems,
    },
    /// The registry refused.
    #[error(transparent)]
    Version(#[from] VersionError),
}

/// Why a run was not started; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A run of that idempotency key is in the journal, and this process cannot go on with it, or
    /// read it.
    #[error("graph `{graph}`: run {run} has that key, and can neither go on nor be read here")]
    Stranded {
        /// The graph.
        graph: GraphName,
        /// The run.
        run: RunId,
        /// Why it does not go on.
        #[source]
        reason: Box<StrandedReason>,
    },
    /// The journal does not take the start, or cannot be asked for its key.
    #[error("graph `{graph}`: the journal does not take the start")]
    Journal {
        /// The graph.
        graph: GraphName,
        /// Why not.
        source: JournalError,
    },
    /// No graph of that name was published.
    #[error("graph `{0}` was never published")]
    UnknownGraph(GraphName),
    /// The graph has no label of that name.
    #[error("graph `{graph}` has no label `{label}`")]
    UnknownLabel {
        /// The graph.
        graph: GraphName,
        /// The label that was asked for.
        label: LabelName,
    },
    /// The version is revoked.
    #[error("version {version} of graph `{graph}` is revoked")]
    VersionRevoked {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
    },
    /// The process lacks a handler or a secret that the version needs, which came from the journal.
    #[error("the process lacks what version {version} of graph `{graph}` needs")]
    VersionAbsent {
        /// The graph.
        graph: GraphName,
        /// The version.
        version: VersionNumber,
    },
    /// The graph has no version that new runs start on.
    #[error("graph `{0}` has no active version")]
    NoActiveVersion(GraphName),
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
    /// Required store keys were not given.
    #[error("graph `{graph}` needs the store keys {}", keys.join(", "))]
    MissingStoreKeys {
        /// The graph.
        graph: GraphName,
        /// The keys that are missing.
        keys: Vec<String>,
    },
    /// An input of the root node cannot be made or does not fit.
    #[error("graph `{graph}`: input of node `{node}`: {reason}")]
    InvalidInput {
        /// The graph.
        graph: GraphName,
        /// The root node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A run of the version cannot begin at the node that was named.
    #[error("graph `{graph}`")]
    Entry {
        /// The graph.
        graph: GraphName,
        /// Why not.
        source: EntryError,
    },
    /// As many runs are live as may be.
    #[error("overloaded: {limit} runs are live")]
    Overloaded {
        /// The most runs that may be live.
        limit: usize,
    },
    /// The runtime is shutting down.
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

fn listed(warnings: &Problems) -> String {
    warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect()
}

impl StartError {
    /// Why the registry gave no version.
    pub(super) fn of(graph: GraphName, error: ResolveError) -> Self {
        match error {
            ResolveError::UnknownGraph => Self::UnknownGraph(graph),
            ResolveError::UnknownLabel(label) => Self::UnknownLabel { graph, label },
            ResolveError::Revoked(version) => Self::VersionRevoked { graph, version },
            ResolveError::NoActiveVersion => Self::NoActiveVersion(graph),
            ResolveError::UnknownVersion(version) => Self::UnknownVersion { graph, version },
            ResolveError::Gone(version) => Self::VersionGone { graph, version },
            ResolveError::Absent(version) => Self::VersionAbsent { graph, version },
        }
    }
}
