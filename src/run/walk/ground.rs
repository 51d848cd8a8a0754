//! What a run's steps read: the same for every lane, and safe to share.

use std::sync::Arc;

use crate::graph::Plan;
use crate::id::{NodeIndex, RunId, VersionNumber};
use crate::node::Store;
use crate::run::execution::Execution;
use crate::run::fingerprint::{Fingerprint, UnitingIdentity};
use crate::run::retention::StateRetention;
use crate::run::scope::Scope;
use crate::run::state_ids::StateCounter;
use crate::run::tokens::{Token, Tokens};

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
        match self.is_inside_all(parents, node) {
            true => parents.clone(),
            false => self.inside(parents, node),
        }
    }

    /// What an execution of `node` can read of `parents`, and the groups that it is counted in.
    #[inline]
    pub(super) fn scope(&self, parents: Scope, node: NodeIndex) -> Scope {
        let tokens = parents.tokens();
        if self.is_inside_all(tokens, node) {
            return parents;
        }
        let tokens = self.inside(tokens, node);
        parents.with_tokens(tokens)
    }

    /// Whether an execution of `node` is counted in all these groups.
    pub(super) fn is_inside_all(&self, tokens: &[Token], node: NodeIndex) -> bool {
        tokens.iter().all(|token| self.is_inside(*token, node))
    }

    fn inside(&self, tokens: &[Token], node: NodeIndex) -> Tokens {
        tokens.iter().filter(|token| self.is_inside(**token, node)).copied().collect()
    }

    fn is_inside(&self, token: Token, node: NodeIndex) -> bool {
        self.plan.unites(token.merger).region.contains(node)
    }

    /// The identity of the group that an execution of a united node opens.
    pub(super) fn fingerprint(&self, merger: NodeIndex, execution: &Execution) -> Fingerprint {
        let digits = hex(execution.id);
        Fingerprint::of(&UnitingIdentity {
            graph: &self.plan.name,
            version: self.version,
            run: self.run,
            merger: &self.plan.node(merger).identifier,
            group: str::from_utf8(&digits).expect("the digits are ASCII"),
            attempt: 0,
            manual_retry: "",
        })
    }
}

/// Sixteen digits; `format!` would take as long as the hash that they go into.
fn hex(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| {
        let digit = number >> (60 - 4 * place) & 0xf;
        b"0123456789abcdef"[digit as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_told_by_sixteen_digits() {
        for number in [0, 1, 0xfed_cba9_8765_4321, u64::MAX] {
            assert_eq!(hex(number).as_slice(), format!("{number:016x}").as_bytes());
        }
    }
}
