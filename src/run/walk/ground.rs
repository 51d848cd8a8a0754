//! What a run's steps read: the same for every lane, and safe to share.

use std::sync::Arc;

use crate::graph::Plan;
use crate::id::{NodeIndex, RunId, VersionNumber};
use crate::node::Store;
use crate::run::execution::{Execution, Token, Tokens};
use crate::run::fingerprint::{Fingerprint, UnitingIdentity};
use crate::run::retention::StateRetention;
use crate::run::state_ids::StateCounter;

/// What a run's steps read: the same for every lane.
#[derive(Debug)]
pub(crate) struct Ground {
    pub plan: Arc<Plan>,
    pub run: RunId,
    pub version: VersionNumber,
    pub store: Store,
    pub retention: StateRetention,
    pub states: StateCounter,
    /// Whether steps are written down, for the run's journal.
    pub is_durable: bool,
}

impl Ground {
    /// The groups of `parents` whose region `node` lies in.
    pub(super) fn inherit(&self, parents: &Tokens, node: NodeIndex) -> Tokens {
        let inside = |token: &&Token| self.plan.unites(token.merger).region.contains(node);
        if parents.iter().all(|token| inside(&token)) {
            return parents.clone();
        }
        parents.iter().filter(inside).copied().collect()
    }

    /// The identity of the group that an execution of a united node opens.
    pub(super) fn fingerprint(&self, merger: NodeIndex, execution: &Execution) -> Fingerprint {
        Fingerprint::of(&UnitingIdentity {
            graph: &self.plan.name,
            version: self.version,
            run: self.run,
            merger: &self.plan.node(merger).identifier,
            group: &format!("{:016x}", execution.id),
            attempt: 0,
            manual_retry: "",
        })
    }
}
