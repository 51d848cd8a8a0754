//! What the journal of a run says: one entry for each step that was taken.
//!
//! An entry names an execution by its identity, which follows from its place in the graph, and brings
//! what the step cannot derive: what the handler returned, and the numbers of the states it made.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::level::Durability;
use crate::clock::Timestamp;
use crate::id::{GraphName, RunId, StateId, VersionNumber};
use crate::run::execution::Execution;
use crate::run::machine::Stop;
use crate::run::status::RunStatus;
use crate::run::take_back::RetryWhat;
use crate::run::walk::Fault;
use crate::value::{Value, read_record};
use crate::version::Decision;

/// How many outputs of a fanout share an entry.
pub(crate) const KEPT_TOGETHER: usize = 256;

/// One step of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The run was accepted.
    Began(Box<Began>),
    /// When those that follow were written.
    At(Timestamp),
    /// A key of the store was set.
    Put { key: String, value: Value },
    /// A key of the store was removed.
    Removed { key: String },
    /// An attempt gave its only output.
    Returned { of: AttemptKey, output: Value, ids: Vec<u64> },
    /// Outputs of an attempt that is about to fan out, from that place on.
    Kept { of: AttemptKey, from: u64, outputs: Vec<Value> },
    /// An attempt fanned out: so many outputs were kept, and what came after them.
    FannedOut { of: AttemptKey, kept: u64, fault: Option<Fault> },
    /// Outputs of a fanout became states: the place of each, and the numbers it took.
    Drawn { of: u64, outputs: Vec<(u64, Vec<u64>)> },
    /// An attempt fanned out to a stream that can be drawn from its middle; its outputs follow.
    FannedOutResumable { of: AttemptKey },
    /// Outputs of such a fanout were drawn, those after the ones before, and became states.
    DrawnWithCursors { of: u64, outputs: Vec<DrawnOutput> },
    /// A fanout has no more outputs.
    Exhausted { of: u64, drawn: u64, fault: Option<Fault>, ids: Vec<u64> },
    /// The run has no state left for the output at that place, nor for so many in all.
    Exceeded { of: u64, index: u64, outputs: u64, ids: Vec<u64> },
    /// An attempt failed; if there is a next one, it waits so long, in microseconds.
    Faulted { of: AttemptKey, fault: Fault, delay: u64, deadline: Option<Timestamp>, ids: Vec<u64> },
    /// A handler ended its branch.
    Pruned { of: AttemptKey, data: Value },
    /// The same attempt runs again after so many microseconds.
    Requeued { of: AttemptKey, delay: u64, deadline: Option<Timestamp> },
    /// The time of all attempts was over before the next one could start.
    Expired { of: AttemptKey, was_queued: bool },
    /// A merger began.
    Fired { merger: u64, ids: Vec<u64> },
    /// A merger can no longer begin.
    Skipped { merger: u64, ids: Vec<u64> },
    /// The run is being stopped.
    Stopped(Stop),
    /// The stop made states, which a retry by hand may name: of a merger, or of the rest of a fanout.
    MadeByStop { of: u64, ids: Vec<u64> },
    /// States are retried by hand, under that id. What was written so many units before is counted
    /// after that: nobody had been told of it.
    Retried {
        what: RetryWhat,
        id: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        untold: Vec<u64>,
    },
    /// A state that is retried by hand has its next attempt.
    Reopened { state: StateId, ids: Vec<u64> },
    /// The run ended.
    Ended(RunStatus),
    /// The run did not go on in some process, and was ended there by hand.
    GivenUp,
}

/// An attempt of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct AttemptKey(pub u64, pub u32);

/// An output of a resumable fanout: its place, what it is, the cursor that stands behind it, and the
/// numbers that its states took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DrawnOutput(pub u64, pub Value, pub Value, pub Vec<u64>);

impl From<&Execution> for AttemptKey {
    fn from(execution: &Execution) -> Self {
        Self(execution.id, execution.attempt)
    }
}

/// The attempt of a sub-graph node, and the run that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parent {
    /// The two halves of the run's number.
    run: [u64; 2],
    pub attempt: AttemptKey,
}

impl Parent {
    pub(crate) const fn new(run: RunId, attempt: AttemptKey) -> Self {
        Self { run: [(run.0 >> 64) as u64, run.0 as u64], attempt }
    }

    /// The run.
    pub(crate) const fn run(self) -> RunId {
        RunId((self.run[0] as u128) << 64 | self.run[1] as u128)
    }
}

/// What a run began with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Began {
    pub graph: GraphName,
    pub version: VersionNumber,
    /// The hash of the version's definition.
    pub hash: Option<[u8; 32]>,
    /// The version of the engine that wrote this.
    pub engine: String,
    pub level: Durability,
    pub seed: u64,
    pub input: Value,
    pub store: Vec<(String, Value)>,
    pub warnings: Vec<String>,
    pub at: Timestamp,
    pub starts_at: Option<Timestamp>,
    /// How the run came to its version.
    pub decision: Decision,
    /// The idempotency key.
    pub key: Option<String>,
    /// The attempt that waits for the run, if it is that of a sub-graph node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The node that it began at, if that is not the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Arc<str>>,
    /// The session whose input it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Arc<str>>,
}

impl Entry {
    /// What is written.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("entries have string keys and finite numbers")
    }

    /// Reads what was written.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, String> {
        read_record(body)
    }
}
