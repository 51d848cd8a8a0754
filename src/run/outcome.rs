//! How a run ended, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::status::{RunStatus, StateStatus};
use crate::graph::Mark;
use crate::id::{GraphName, RunId, StateId, VersionNumber};
use crate::value::{Fields, Value, ValueError, from_value};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The run.
    pub run: RunId,
    /// The graph it executed.
    pub graph: GraphName,
    /// The version it was pinned to.
    pub version: VersionNumber,
    /// The terminal status.
    pub status: RunStatus,
    /// What stopped the run before its states had ended, if anything did.
    pub stopped: Option<String>,
    /// The outputs by node identifier: those of the `result` node, else of every leaf. One value
    /// where a run can have at most one such state, else an array in fanout order.
    pub outputs: Fields,
    /// States that ended as failures, in fanout order.
    pub failures: Vec<FailureReport>,
    /// What could no longer run, in fanout order.
    pub skipped: Vec<SkipReport>,
    /// What the start ignored.
    pub warnings: Vec<String>,
}

/// A state that ended as a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureReport {
    /// The state.
    pub state: StateId,
    /// Its node.
    pub node: Arc<str>,
    /// `ERRORED`, `NEXT_CREATED_ERROR` or `TIMED_OUT`.
    pub status: StateStatus,
    /// What the handler or the engine said.
    pub error: Arc<str>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Whether a merger with `tolerate` handled it.
    pub tolerated: bool,
}

/// Something that could no longer run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkipReport {
    /// The state.
    pub state: StateId,
    /// The node that did not run.
    pub node: Arc<str>,
    /// Why.
    pub reason: SkipReason,
}

/// Why something could no longer run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SkipReason {
    /// The condition on the edge from this node did not hold.
    Condition {
        /// The node the edge comes from.
        from: Arc<str>,
    },
    /// Conditions skipped every way to the merger.
    NoWay,
    /// States of the merger's group went wrong.
    Prevented {
        /// Node, state and status of each, in fanout order; a few of them if they lie outside the group and
        /// prevented a merger that it waits for.
        by: Vec<(Arc<str>, StateId, StateStatus)>,
    },
}

impl Outcome {
    /// A run that was to begin on a version, and cannot any more.
    pub(crate) fn not_begun(
        run: RunId,
        (graph, version): (GraphName, VersionNumber),
        why: String,
    ) -> Self {
        Self {
            run,
            graph,
            version,
            status: RunStatus::Cancelled,
            stopped: Some(why),
            outputs: Fields::default(),
            failures: Vec::new(),
            skipped: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the run ended as `SUCCESS`.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == RunStatus::Success
    }

    /// The only output, as a type.
    ///
    /// # Errors
    ///
    /// If the run has no output or several, or the output does not fit the type.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, OutputError> {
        let mut outputs = self.outputs.iter();
        match (outputs.next(), outputs.next()) {
            (Some((node, output)), None) => from_value(output)
                .map_err(|source| OutputError::Misfit { node: node.as_str().to_owned(), source }),
            (None, _) => {
                let failure = self.failures.first();
                let because = failure.map(|it| format!("node `{}`: {}", it.node, it.error));
                Err(OutputError::None { status: self.status, because })
            }
            (Some(_), Some(_)) => {
                let names = self.outputs.iter().map(|(node, _)| node.as_str().to_owned());
                Err(OutputError::Several { nodes: names.collect() })
            }
        }
    }
}

/// Why an outcome has no single output of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// No state gave an output.
    #[error("the run ended as {status} without an output{}", after_colon(because))]
    None {
        /// How the run ended.
        status: RunStatus,
        /// The first failure of the outcome, if it has any.
        because: Option<String>,
    },
    /// Several nodes gave one; take them from `outputs`, or name one as the graph's `result`.
    #[error("the run has outputs of several nodes: {}", nodes.join(", "))]
    Several {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// The output is of another type.
    #[error("output of node `{node}` does not fit")]
    Misfit {
        /// The node.
        node: String,
        /// What does not fit.
        source: ValueError,
    },
}

fn after_colon(because: &Option<String>) -> String {
    because.as_ref().map(|because| format!(": {because}")).unwrap_or_default()
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunView {
    /// The status.
    pub status: RunStatus,
    /// How many states of each node have which status; statuses without states are left out.
    pub nodes: BTreeMap<Arc<str>, BTreeMap<StateStatus, u64>>,
}

/// What a live run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RunPhase {
    /// It was accepted, and has no state yet.
    Queued,
    /// An attempt is under way, or its outputs are being drawn.
    Running,
    /// It is paused.
    Waiting,
    /// Each of its live states waits for its time: a start delay, a retry, a requeue.
    Sleeping,
}

impl RunView {
    /// What the run is doing; `None` if it has ended.
    #[must_use]
    pub fn phase(&self) -> Option<RunPhase> {
        match self.status {
            RunStatus::Paused => Some(RunPhase::Waiting),
            RunStatus::Running if self.nodes.is_empty() => Some(RunPhase::Queued),
            RunStatus::Running => {
                let under_way = self.count(StateStatus::Queued) + self.count(StateStatus::Executed);
                let is_asleep = under_way == 0 && self.count(StateStatus::Created) > 0;
                Some(if is_asleep { RunPhase::Sleeping } else { RunPhase::Running })
            }
            _ => None,
        }
    }

    /// How many states have that status.
    #[must_use]
    pub fn count(&self, status: StateStatus) -> u64 {
        self.nodes.values().filter_map(|counts| counts.get(&status)).sum()
    }

    /// What a drawing says about a node: its counts, and the status that most needs attention.
    pub(crate) fn mark(&self, node: &str) -> Option<Mark> {
        let counts = self.nodes.get(node)?;
        let words: Vec<_> =
            counts.iter().map(|(status, count)| format!("{status} {count}")).collect();
        let worst =
            counts.keys().max_by_key(|status| (status.is_failure(), !status.is_terminal()))?;
        Some(Mark { label: words.join(", "), class: worst.as_str().to_lowercase() })
    }

    /// How many states of a node have that status.
    #[must_use]
    pub fn of(&self, node: &str, status: StateStatus) -> u64 {
        self.nodes.get(node).and_then(|counts| counts.get(&status)).copied().unwrap_or(0)
    }
}

/// What is known of one state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StateView {
    /// The state.
    pub id: StateId,
    /// Identifies the execution it belongs to: the same for all attempts and outputs of one, manual
    /// retries included.
    pub execution: u64,
    /// Its node.
    pub node: Arc<str>,
    /// Its status.
    pub status: StateStatus,
    /// How everything below it ended, itself included: a live status if anything is live, else that
    /// of a failure if there was one. Of states whose records are kept; a state that was tried again
    /// stays `RETRY_CREATED`, and the state that replaced it says how that ended.
    pub branch_status: StateStatus,
    /// How many attempts failed before this one.
    pub attempt: u32,
    /// The state whose output led to it.
    pub parent: Option<StateId>,
    /// What the handler was given.
    pub inputs: Value,
    /// What the handler returned, or the data it was pruned with.
    pub output: Option<Value>,
    /// What went wrong.
    pub error: Option<Arc<str>>,
}
