//! What can be asked of the routing, and what it answers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::in_flight::InFlight;
use super::label::{LabelPolicy, Standing, Weight};
use super::manifest::Bindings;
use super::marks::Note;
use super::rollback::RollbackTarget;
use super::rollout::{RolloutAct, RolloutEnd, RolloutOf, RolloutOrder};
use super::secrets::GraphSecrets;
use super::stored::StoredRollout;
use crate::clock::Timestamp;
use crate::graph::{Compatibility, Plan};
use crate::id::{GraphName, LabelName, RunId, VersionNumber};

/// A command, who gave it, and what it is only carried out under.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub change: Change,
    pub terms: Terms,
}

/// Who gives a command, and what it is only carried out under.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub by: Option<Arc<str>>,
    pub reason: Option<Arc<str>>,
    /// Whether a rollout gives it by itself: `by` is who began the rollout.
    pub is_automatic: bool,
    /// The same id again gives the recorded result.
    pub request_id: Option<Arc<str>>,
    /// The revision the command is meant for.
    pub if_revision: Option<u64>,
    /// What the label must lead to that the command is about.
    pub if_standing: Option<Standing>,
}

/// What a command changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Publish(Box<NewVersion>),
    OnLabel {
        graph: GraphName,
        label: LabelName,
        change: LabelChange,
    },
    OnVersion {
        graph: GraphName,
        version: VersionNumber,
        change: VersionChange,
    },
    Judge {
        graph: GraphName,
        from: VersionNumber,
        to: VersionNumber,
        level: Compatibility,
    },
    Release(Vec<(GraphName, LabelName, VersionNumber)>),
    /// Retire what retention gives up.
    Collect {
        graph: GraphName,
    },
}

/// A version that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewVersion {
    pub plan: Arc<Plan>,
    pub bindings: Bindings,
    /// They take the place of those of the graph, also if the version is there already.
    pub secrets: GraphSecrets,
    pub note: Option<Arc<str>>,
    pub tags: Vec<Arc<str>>,
    /// The number that the latest version must have; 0 if there must be none.
    pub if_head: Option<VersionNumber>,
    /// The hash that the definition must have.
    pub if_hash: Option<[u8; 32]>,
    pub promote: bool,
}

/// What is done with a label.
#[derive(Clone, Debug)]
pub(crate) enum LabelChange {
    Promote(VersionNumber),
    Rollback {
        target: RollbackTarget,
        /// What is done if the target leads to none.
        otherwise: Otherwise,
        /// What happens to the runs of the version that is left, once it is left.
        in_flight: InFlight,
    },
    /// Takes back a version that a rollout gave the label, as its canary or its active version.
    Revert(VersionNumber),
    SetCanary(VersionNumber, Weight),
    ClearCanary,
    SetPolicy(LabelPolicy),
    Remove,
    Rollout(Box<RolloutChange>),
}

/// What a rollback does if its target leads to no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Refuse,
    /// It takes the oldest version that can be started.
    Oldest,
}

/// What happens with a rollout: it goes on record, also if the label stays as it is.
#[derive(Clone, Debug)]
pub(crate) struct RolloutChange {
    /// The version that is rolled out.
    pub version: VersionNumber,
    pub act: RolloutAct,
    /// What it comes to for the label.
    pub moves: Option<LabelChange>,
}

/// What is done with a version.
#[derive(Clone, Debug)]
pub(crate) enum VersionChange {
    /// The runs that were in the way when it was asked for, the first ones: a refusal names them.
    Retire(Arc<[RunId]>),
    Revoke,
    /// Its time to drain is up: what happens to the runs in the way, once that is on record.
    Drain(InFlight),
    Hold,
    ReleaseHold,
    Tag(Arc<str>),
    Untag(Arc<str>),
    Approve,
    Reject,
    ClearReverted,
}

/// What a command did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The revision of the routing after it.
    pub revision: u64,
    /// The version it was about: that a label leads to now, that was made or changed.
    pub version: Option<VersionNumber>,
    /// Whether a version was made.
    pub created: bool,
    /// The version that a label led to before.
    pub left: Option<VersionNumber>,
    /// Whether it was done before, and this is what was recorded.
    pub is_repeat: bool,
}

impl Terms {
    /// What is put on record of who gives the command.
    pub(crate) fn note(&self, at: Timestamp) -> Arc<Note> {
        let Self { by, reason, is_automatic, .. } = self.clone();
        Arc::new(Note { by, reason, at, is_automatic })
    }
}

impl Change {
    /// What happens with a rollout, and what it comes to for the label.
    pub(crate) fn rollout(of: &RolloutOf, act: RolloutAct, moves: Option<LabelChange>) -> Self {
        let RolloutOf { graph, label, version } = of.clone();
        let change = LabelChange::Rollout(Box::new(RolloutChange { version, act, moves }));
        Self::OnLabel { graph, label, change }
    }

    /// The rollout that it begins, confirms or ends.
    pub(crate) fn rollout_edge(&self) -> Option<StoredRollout> {
        let Self::OnLabel { graph, label, change: LabelChange::Rollout(change) } = self else {
            return None;
        };
        let (is_begun, is_confirmed) = match change.act {
            RolloutAct::Begin(_) => (true, false),
            RolloutAct::Order(RolloutOrder::Confirm) => (true, true),
            // The next process finds it under way.
            RolloutAct::End(RolloutEnd::ShutDown) => return None,
            RolloutAct::End(_) => (false, false),
            RolloutAct::Order(_) | RolloutAct::Move => return None,
        };
        let (graph, label, version) = (graph.clone(), label.clone(), change.version);
        Some(StoredRollout { graph, label, version, is_begun, is_confirmed })
    }

    /// What tells it from other commands: the same for a repeat of it.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Publish(new) => format!("{self} {:?}", new.plan.hash()),
            Self::OnLabel { change: LabelChange::Rollout(change), .. } => match &change.act {
                RolloutAct::Begin(plan) => format!("{self} by {plan}"),
                _ => self.to_string(),
            },
            _ => self.to_string(),
        }
    }

    /// The graphs it is about.
    pub(crate) fn graphs(&self) -> Vec<GraphName> {
        match self {
            Self::Publish(new) => vec![new.plan.name().clone()],
            Self::OnLabel { graph, .. }
            | Self::OnVersion { graph, .. }
            | Self::Judge { graph, .. }
            | Self::Collect { graph } => vec![graph.clone()],
            Self::Release(promotions) => {
                let mut graphs: Vec<_> =
                    promotions.iter().map(|(graph, ..)| graph.clone()).collect();
                graphs.sort_unstable();
                graphs.dedup();
                graphs
            }
        }
    }
}

impl LabelChange {
    /// What it does with the label, whoever wants it.
    pub(crate) fn moved(&self) -> &Self {
        match self {
            Self::Rollout(change) => change.moves.as_ref().map_or(self, Self::moved),
            _ => self,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(new) => {
                let promote = if new.promote { " and promote" } else { "" };
                write!(f, "publish{promote} {}", new.plan.name())
            }
            Self::OnLabel { graph, label, change } => write!(f, "{change} on {graph}:{label}"),
            Self::OnVersion { graph, version, change } => {
                write!(f, "{change} version {version} of {graph}")
            }
            Self::Judge { graph, from, to, level } => {
                write!(f, "judge {from} -> {to} of {graph} to be {level}")
            }
            Self::Release(promotions) => {
                f.write_str("release")?;
                let mut all = promotions.iter();
                all.try_for_each(|(graph, label, version)| write!(f, " {graph}:{label}={version}"))
            }
            Self::Collect { graph } => write!(f, "collect {graph}"),
        }
    }
}

impl fmt::Display for LabelChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promote(version) => write!(f, "promote {version}"),
            Self::Rollback { target, otherwise, in_flight } => {
                let force = match otherwise {
                    Otherwise::Refuse => "",
                    Otherwise::Oldest => ", by force",
                };
                write!(f, "rollback to {target:?}{force}")?;
                match in_flight {
                    InFlight::Finish => Ok(()),
                    ordered => write!(f, ", {} the runs that are left", ordered.word()),
                }
            }
            Self::Revert(version) => write!(f, "revert {version}"),
            Self::SetCanary(version, weight) => write!(f, "set canary {version} at {weight}"),
            Self::ClearCanary => f.write_str("clear canary"),
            Self::SetPolicy(policy) => write!(f, "set {policy:?}"),
            Self::Remove => f.write_str("remove label"),
            Self::Rollout(change) => write!(f, "{change}"),
        }
    }
}

impl fmt::Display for RolloutChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, act, moves } = self;
        match (act, moves) {
            (RolloutAct::Begin(_), _) => write!(f, "begin rollout of {version}"),
            (RolloutAct::Order(order), _) => write!(f, "{order} rollout of {version}"),
            (RolloutAct::End(end), _) => write!(f, "end rollout of {version} as {}", end.word()),
            (RolloutAct::Move, Some(moves)) => write!(f, "{moves}"),
            (RolloutAct::Move, None) => write!(f, "go on with rollout of {version}"),
        }
    }
}

impl fmt::Display for VersionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retire(_) => f.write_str("retire"),
            Self::Revoke => f.write_str("revoke"),
            Self::Drain(in_flight) => {
                write!(f, "drain, {} the runs in the way, of", in_flight.word())
            }
            Self::Hold => f.write_str("hold"),
            Self::ReleaseHold => f.write_str("release the hold of"),
            Self::Tag(tag) => write!(f, "tag as `{tag}`"),
            Self::Untag(tag) => write!(f, "untag as `{tag}`"),
            Self::Approve => f.write_str("approve"),
            Self::Reject => f.write_str("reject"),
            Self::ClearReverted => f.write_str("clear the revert of"),
        }
    }
}
