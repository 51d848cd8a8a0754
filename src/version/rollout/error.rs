//! Why a command on a rollout was refused; nothing has changed then.

use super::gate::Verdict;
use super::machine::{RolloutEnd, RolloutPhase};
use crate::clock::Timestamp;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::VersionError;

/// Why a command on a rollout was refused; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// Nothing can be rolled out by the plan.
    #[error("the plan of the rollout: {reason}")]
    InvalidPlan {
        /// What is wrong with it.
        reason: String,
    },
    /// The label has a rollout, or a canary that was set by hand; supersede it explicitly.
    #[error("label `{label}` of graph `{graph}` is trying version {version}")]
    RolloutInProgress {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// The version that is rolled out.
        version: VersionNumber,
    },
    /// The label went back by itself a moment ago.
    #[error("label `{label}` of graph `{graph}` was rolled back by itself; it cools down")]
    CoolingDown {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
        /// When the next rollout may begin.
        until: Timestamp,
    },
    /// The label has no rollout.
    #[error("label `{label}` of graph `{graph}` has no rollout")]
    NoRollout {
        /// The graph.
        graph: GraphName,
        /// The label.
        label: LabelName,
    },
    /// It waits for no promotion.
    #[error("the rollout awaits no promotion: it is at {phase:?}")]
    NotAwaitingPromotion {
        /// How far it is.
        phase: RolloutPhase,
    },
    /// The version can no longer be started.
    #[error("the version of the rollout is gone")]
    NoCandidate,
    /// Not every gate passes.
    #[error("the version of the rollout is not healthy: {verdict}")]
    NoHealthyCandidate {
        /// The gravest verdict.
        verdict: Verdict,
    },
    /// It is at no step that could be skipped.
    #[error("the rollout has nothing to skip: it is at {phase:?}")]
    NothingToSkip {
        /// How far it is.
        phase: RolloutPhase,
    },
    /// It waits for no confirmation.
    #[error("the rollout waits for no confirmation, or no longer: it is at {phase:?}")]
    NothingToConfirm {
        /// How far it is.
        phase: RolloutPhase,
    },
    /// It has ended.
    #[error("the rollout has ended: {end:?}")]
    Ended {
        /// How.
        end: RolloutEnd,
    },
    /// The routing refused the move.
    #[error(transparent)]
    Refused(#[from] VersionError),
}
