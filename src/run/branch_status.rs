//! How everything below a state ended: derived, never stored.

use std::collections::BTreeMap;

use super::status::StateStatus;
use crate::id::StateId;

/// How much a status says about a branch: what is live says most, then what went wrong.
const fn weight(status: StateStatus) -> u8 {
    match status {
        StateStatus::Created | StateStatus::Queued | StateStatus::Executed => 5,
        StateStatus::Errored | StateStatus::NextCreatedError | StateStatus::TimedOut => 4,
        StateStatus::Cancelled => 3,
        StateStatus::Pruned => 2,
        StateStatus::Skipped => 1,
        StateStatus::Success | StateStatus::RetryCreated => 0,
    }
}

/// The status of each state's branch: the one that says most, of the state and all below it.
///
/// States come with their parents and in the order they were made, so a parent before its children.
/// A failed attempt that got another one says nothing: the other one does.
pub(crate) fn branch_statuses(
    states: impl DoubleEndedIterator<Item = (StateId, Option<StateId>, StateStatus)> + Clone,
) -> BTreeMap<StateId, StateStatus> {
    let mut branches: BTreeMap<_, _> =
        states.clone().map(|(state, _, status)| (state, status)).collect();
    for (state, parent, own) in states.rev() {
        let status = branches.get(&state).copied().unwrap_or(own);
        let parent = parent.and_then(|parent| branches.get_mut(&parent));
        if let Some(above) = parent.filter(|above| weight(status) > weight(**above)) {
            *above = status;
        }
    }
    branches
}
