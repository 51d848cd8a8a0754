//! What an observer sees: plain data, to bounded subscribers.
//!
//! Lanes, actors, the registry and rollouts put events in; subscribers take them out. Emitting never waits: a subscriber
//! that is too slow loses the oldest events and is told how many.

mod bus;
mod session;

pub use bus::{EventStream, Lagged};
pub(crate) use bus::{RunBus, RunEvent, RuntimeBus};
pub(crate) use session::SessionBus;

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::id::{GraphName, LabelName, RunId, StateId, VersionNumber};
use crate::value::Value;
use crate::version::{RolloutPhase, Transition};

/// Something that happened in a run, to a version or in a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The event's number among those of its run that somebody watched, from 0.
    ///
    /// Events without a run are numbered together, over the whole runtime. Lanes number their events on their own, so that events of different branches may come out of
    /// order.
    pub sequence: u64,
    /// When it happened, on the runtime's clock.
    pub at: Timestamp,
    /// The run; `None` for what happens to versions and in rollouts.
    pub run: Option<RunId>,
    /// The graph.
    pub graph: GraphName,
    /// The version: that which the run is pinned to, or which the event is about.
    ///
    /// `None` for what happens to a label that leads to no version.
    pub version: Option<VersionNumber>,
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
    /// An input of a session has ended, and its end is on record if anything is: it follows the end of
    /// the run that carried it out.
    InputEnded {
        /// The session.
        session: Arc<str>,
        /// The number of the input in its session, from 1.
        step: u64,
        /// The id that it was given with.
        input_id: Option<Arc<str>>,
        /// How it ended.
        status: &'static str,
    },
    /// A session was finished: no event of it follows.
    SessionFinished {
        /// The session.
        session: Arc<str>,
        /// How many inputs it took.
        steps: u64,
    },
    /// An accepted command changed where starts go, or what is said about a version.
    ///
    /// A command that does several things has one event for each, in their order.
    Routing(Box<RoutingEvent>),
    /// No label leads to the version any more, and the last run on it has ended.
    ///
    /// It comes once each time the version loses its last route. Runs that start on it later, by its
    /// number, bring no other one.
    Drained,
    /// A publish has left the graph with more versions than the soft limit of its retention: those that
    /// stay are in use, held, or kept in another way. The hard limit refuses a publish.
    ManyVersions {
        /// How many versions there are.
        versions: usize,
        /// How many there should be at most.
        soft_limit: usize,
    },
    /// A rollout of the version is in another phase, or was paused or resumed.
    Rollout(Box<RolloutEvent>),
}

/// What an accepted command did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RoutingEvent {
    /// What it did.
    #[serde(flatten)]
    pub change: Transition,
    /// The label, if it is about one.
    pub label: Option<LabelName>,
    /// Who gave the command, if that was said.
    pub by: Option<Arc<str>>,
    /// Whether a rollout gave it by itself; `by` is then who began the rollout.
    pub is_automatic: bool,
    /// Why, if that was said.
    pub reason: Option<Arc<str>>,
    /// The revision of the routing after the command.
    pub revision: u64,
}

/// How a rollout stands since now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RolloutEvent {
    /// The label.
    pub label: LabelName,
    /// How far it is.
    pub phase: RolloutPhase,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Who brought it there, if that was said.
    pub by: Option<Arc<str>>,
    /// Whether it went there by itself; `by` is then who began it.
    pub is_automatic: bool,
    /// Why, if an order said so.
    pub reason: Option<Arc<str>>,
}
