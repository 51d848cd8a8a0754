//! What an observer sees: plain data, to bounded subscribers.
//!
//! Lanes and actors put events in; subscribers take them out. Emitting never waits: a subscriber
//! that is too slow loses the oldest events and is told how many.

mod bus;

pub use bus::{EventStream, Lagged};
pub(crate) use bus::{RunBus, RuntimeBus};

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::id::{GraphName, RunId, StateId, VersionNumber};
use crate::value::Value;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The event's number among those of its run that somebody watched, from 0.
    ///
    /// Lanes number their events on their own, so that events of different branches may come out of
    /// order.
    pub sequence: u64,
    /// When it happened, on the runtime's clock.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// The graph.
    pub graph: GraphName,
    /// The version the run is pinned to.
    pub version: VersionNumber,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run was accepted, or a manual retry opened its next episode.
    RunStarted,
    /// A state has a new status.
    State {
        /// The node.
        node: Arc<str>,
        /// The state.
        state: StateId,
        /// How many attempts failed before.
        attempt: u32,
        /// The new status.
        status: &'static str,
    },
    /// A handler reported progress.
    Progress {
        /// The node.
        node: Arc<str>,
        /// The state.
        state: StateId,
        /// What it reported.
        progress: Value,
    },
    /// The run holds new states back.
    RunPaused,
    /// The run goes on.
    RunResumed,
    /// The run ended; nothing follows but a manual retry.
    RunEnded {
        /// The terminal status.
        status: &'static str,
    },
}
