//! What a session refuses, and why.

use std::sync::Arc;

use crate::graph::EntryError;
use crate::id::GraphName;
use crate::journal::JournalError;
use crate::node::SlotError;
use crate::runtime::{StartError, StrandedReason};

/// Why a session did not do what it was asked for; it is as it was, unless it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no session of that id, and no graph was named that it could begin on.
    #[error("there is no session `{session}`, and no graph for a new one")]
    Unknown {
        /// The session.
        session: Arc<str>,
    },
    /// The session is one of another graph.
    #[error("session `{session}` is one of graph `{graph}`, and not of `{asked}`")]
    OtherGraph {
        /// The session.
        session: Arc<str>,
        /// Its graph.
        graph: GraphName,
        /// The graph that was named.
        asked: GraphName,
    },
    /// The session is finished: it takes nothing more.
    #[error("session `{session}` is finished")]
    Finished {
        /// The session.
        session: Arc<str>,
    },
    /// An earlier input has that id, and another value or entry.
    #[error("session `{session}`: input {step} has the id `{input_id}`, and is another one")]
    Conflict {
        /// The session.
        session: Arc<str>,
        /// The id.
        input_id: Arc<str>,
        /// The number of the earlier input.
        step: u64,
    },
    /// A run cannot begin at the node that was named.
    #[error("session `{session}`")]
    Entry {
        /// The session.
        session: Arc<str>,
        /// Why not.
        source: EntryError,
    },
    /// The run of an input was refused.
    #[error("session `{session}`")]
    Start {
        /// The session.
        session: Arc<str>,
        /// Why.
        source: Box<StartError>,
    },
    /// The session cannot be read from the journal, or what was asked for cannot be put on record.
    #[error("session `{session}`: the journal")]
    Journal {
        /// The session.
        session: Arc<str>,
        /// Why not.
        source: JournalError,
    },
    /// An input that was accepted does not go on in this process, and holds back those after it.
    #[error("session `{session}`: input {step} is stranded")]
    Stranded {
        /// The session.
        session: Arc<str>,
        /// The number of the input.
        step: u64,
        /// Why its run does not go on.
        #[source]
        reason: Box<StrandedReason>,
    },
    /// The input was accepted, and waits in the journal for a runtime that goes on with it.
    #[error("session `{session}`: input {step} is parked")]
    Parked {
        /// The session.
        session: Arc<str>,
        /// The number of the input.
        step: u64,
    },
    /// A slot cannot be read or written.
    #[error("session `{session}`")]
    Slot {
        /// The session.
        session: Arc<str>,
        /// Why not.
        source: SlotError,
    },
    /// What was asked for was cut off: the executor was shut down, or a hook of a slot panicked.
    #[error("session `{session}`: what was asked for was cut off")]
    CutOff {
        /// The session.
        session: Arc<str>,
    },
}

impl SessionError {
    /// Why a run was refused.
    pub(super) fn of_start(session: &Arc<str>, error: StartError) -> Self {
        let session = session.clone();
        match error {
            StartError::Entry { source, .. } => Self::Entry { session, source },
            source => Self::Start { session, source: Box::new(source) },
        }
    }
}
