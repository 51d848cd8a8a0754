//! The numbers of a run's states: lanes take them in blocks.
//!
//! Invariants:
//! 1. No two states of a run have one number, and a state's is greater than its parent's.
//! 2. No state that counts against the limit has a number at or above it, and near the limit no
//!    number goes unused.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::StateId;

/// How many numbers a lane takes at once: lanes that took each one singly would wait for each other.
const BLOCK: u64 = 64;

/// How close to the limit numbers are taken singly: the blocks that 64 lanes may have open.
const NEAR: u64 = 64 * BLOCK;

/// Which numbers of a run were taken.
#[derive(Debug, Default)]
pub(crate) struct StateCounter {
    taken: AtomicU64,
}

/// Numbers that one lane may use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StateIds {
    next: u64,
    end: u64,
}

impl StateCounter {
    /// Takes every number up to this one, which states that came back from a journal have.
    pub(crate) fn take_up_to(&self, last: u64) {
        self.taken.fetch_max(last.saturating_add(1), Ordering::Relaxed);
    }

    /// A number for a state below `parent` if the run, which may have `limit` states, may have it.
    #[inline]
    pub(crate) fn next(
        &self,
        ids: &mut StateIds,
        parent: Option<StateId>,
        limit: u64,
    ) -> Option<StateId> {
        let state = self.next_unlimited(ids, parent, limit);
        (state.0 < limit).then_some(state)
    }

    /// A number for a state that only says what went wrong or did not run.
    #[inline]
    pub(crate) fn next_unlimited(
        &self,
        ids: &mut StateIds,
        parent: Option<StateId>,
        limit: u64,
    ) -> StateId {
        let lowest = parent.map_or(0, |parent| parent.0 + 1);
        if ids.next == ids.end || ids.next < lowest {
            // A stale count is less than the true one by what other lanes took: `NEAR` covers it.
            let is_near = self.taken.load(Ordering::Relaxed) + NEAR >= limit;
            let count = if is_near { 1 } else { BLOCK };
            ids.next = self.taken.fetch_add(count, Ordering::Relaxed);
            ids.end = ids.next + count;
        }
        ids.next += 1;
        StateId(ids.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_a_greater_number_than_its_parent() {
        let counter = StateCounter::default();
        let (mut a, mut b) = (StateIds::default(), StateIds::default());
        let early = counter.next(&mut a, None, 10_000).unwrap();
        let parent = counter.next(&mut b, None, 10_000).unwrap();
        let child = counter.next(&mut a, Some(parent), 10_000).unwrap();
        assert!(early < parent && parent < child, "{early:?} {parent:?} {child:?}");
    }

    #[test]
    fn the_limit_is_exact() {
        let counter = StateCounter::default();
        let mut lanes = [StateIds::default(); 3];
        let taken = (0..20_000).filter_map(|at| counter.next(&mut lanes[at % 3], None, 6_000));
        assert_eq!(taken.collect::<std::collections::BTreeSet<_>>().len(), 6_000);
    }
}
