//! What a rollout's actor is told, and what it tells.

use tokio::sync::oneshot;

use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::{RolloutError, RolloutOrder, RolloutPhase, Terms, Verdict, VersionError};

/// A message to a rollout's actor.
#[derive(Debug)]
pub(crate) enum RolloutMessage {
    /// The directory knows the rollout: it may go on.
    Begun,
    /// It is time to ask the gates.
    Due,
    /// What they said.
    Judged(Verdict),
    /// Carry out an order and say whether it was.
    Order(Order, oneshot::Sender<Result<(), RolloutError>>),
    /// Another rollout has the label, by whom and why.
    LetGo(Terms, oneshot::Sender<()>),
}

/// What a rollout is told to do, by whom and why.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub kind: RolloutOrder,
    pub terms: Terms,
}

/// How a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutStatus {
    /// The graph.
    pub graph: GraphName,
    /// The label.
    pub label: LabelName,
    /// The version that is rolled out.
    pub version: VersionNumber,
    /// How far it is.
    pub phase: RolloutPhase,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The gravest of the latest verdicts.
    pub verdict: Verdict,
    /// Why the routing refused what the rollout last wanted by itself; it is tried again when the
    /// routing has changed.
    pub refused: Option<VersionError>,
}
