//! Why a command on a rollout was refused; nothing has changed then.

use std::fmt;
use std::time::Duration;

use super::gate::Verdict;
use super::phase::{RolloutEnd, RolloutPhase};
use crate::clock::Timestamp;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::VersionError;

/// Which rollout a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutOf {
    /// The graph.
    pub graph: GraphName,
    /// The label.
    pub label: LabelName,
    /// The version that is rolled out, or was to be.
    pub version: VersionNumber,
}

impl fmt::Display for RolloutOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, label, version } = self;
        write!(f, "label `{label}` of graph `{graph}`, version {version}")
    }
}

/// Why a command on a rollout was refused; nothing has changed but the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// Nothing can be rolled out by the plan.
    #[error("{of}: the plan cannot be carried out: {reason}")]
    InvalidPlan {
        /// The rollout that was to begin.
        of: RolloutOf,
        /// What is wrong with the plan.
        reason: String,
    },
    /// The label has a rollout, or a canary that was set by hand; supersede it explicitly.
    #[error("{of}: the label is trying version {tried}")]
    RolloutInProgress {
        /// The rollout that was to begin.
        of: RolloutOf,
        /// The version that the label is trying.
        tried: VersionNumber,
    },
    /// It was begun before under that request id, by another process or long ago: there is no handle
    /// of it any more.
    #[error("{of}: it was begun before under that request id, and is no longer remembered")]
    Forgotten {
        /// The rollout that was begun.
        of: RolloutOf,
    },
    /// The label went back by itself a moment ago.
    #[error("{of}: the label went back by itself, and cools down for another {left:.1?}")]
    CoolingDown {
        /// The rollout that was to begin.
        of: RolloutOf,
        /// When the next rollout may begin.
        until: Timestamp,
        /// How long that is from now.
        left: Duration,
    },
    /// It waits for no promotion.
    #[error("{of}: no promotion is awaited: the rollout is {phase}")]
    NotAwaitingPromotion {
        /// The rollout.
        of: RolloutOf,
        /// How far it is.
        phase: RolloutPhase,
    },
    /// The label does not lead to the version as the rollout left it.
    #[error("{of}: the version is no longer the candidate of the label")]
    NoCandidate {
        /// The rollout.
        of: RolloutOf,
    },
    /// Not every gate passes.
    #[error("{of}: the version is not healthy: {verdict}")]
    NoHealthyCandidate {
        /// The rollout.
        of: RolloutOf,
        /// The gravest verdict.
        verdict: Verdict,
    },
    /// It is at no step that could be skipped.
    #[error("{of}: there is no step to skip: the rollout is {phase}")]
    NothingToSkip {
        /// The rollout.
        of: RolloutOf,
        /// How far it is.
        phase: RolloutPhase,
    },
    /// It waits for no confirmation.
    #[error("{of}: no confirmation is awaited, or no longer: the rollout is {phase}")]
    NothingToConfirm {
        /// The rollout.
        of: RolloutOf,
        /// How far it is.
        phase: RolloutPhase,
    },
    /// It has ended.
    #[error("{of}: the rollout has ended: {end}")]
    Ended {
        /// The rollout.
        of: RolloutOf,
        /// How.
        end: RolloutEnd,
    },
    /// The routing refused the move.
    #[error(transparent)]
    Refused(#[from] VersionError),
}
