//! What a run's steps read: the same for every lane, and safe to share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::graph::Plan;
use crate::id::{NodeIndex, RunId, StateId, VersionNumber};
use crate::node::Store;
use crate::run::execution::{Execution, Token, Tokens};
use crate::run::fingerprint::{Fingerprint, UnitingIdentity};
use crate::run::retention::StateRetention;

/// What a run's steps read: the same for every lane.
#[derive(Debug)]
pub(crate) struct Ground {
    pub plan: Arc<Plan>,
    pub run: RunId,
    pub version: VersionNumber,
    pub store: Store,
    pub retention: StateRetention,
    /// How many states were made.
    pub states: AtomicU64,
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

    /// The next state, if the run may have one more.
    pub(crate) fn next_state(&self) -> Option<StateId> {
        let state = self.states.fetch_add(1, Ordering::Relaxed);
        (state < self.plan.limits.max_states).then_some(StateId(state))
    }

    /// The next state, for one that only says what went wrong or did not run.
    pub(crate) fn next_state_unbounded(&self) -> StateId {
        StateId(self.states.fetch_add(1, Ordering::Relaxed))
    }
}
