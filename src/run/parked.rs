//! What waits in the lanes of a run: whoever asks for the run's states looks it up where it is.
//!
//! Nothing is written down when an execution begins to wait, or goes on: most runs end without
//! anybody asking.
//!
//! Invariants:
//! 1. Only its lane puts something in or takes it out; everybody else looks.
//! 2. What goes on is out before it ends: no state is both here and on record.

use std::sync::Arc;

use parking_lot::Mutex;
use slab::Slab;

use super::batch::{Record, StateEnd};
use super::execution::Execution;
use super::status::StateStatus;
use crate::id::StateId;

/// From so many on, room is made for four times as many: what is there is moved less often.
const FEW: usize = 16;

/// What waits.
pub(crate) enum Parked {
    /// An execution, and the status it has meanwhile.
    ///
    /// Without its box: the next one takes that over.
    Execution { execution: Execution, status: StateStatus },
    /// A resumable fanout with so many outputs on record, whose handler is called again.
    Recall { own: Box<Execution>, drawn: u64 },
}

impl Parked {
    pub(crate) const fn state(&self) -> StateId {
        match self {
            Self::Execution { execution, .. } => execution.state,
            Self::Recall { own, .. } => own.state,
        }
    }

    /// The record of a state that waits.
    fn record(&self) -> Option<Record> {
        let Self::Execution { execution, status } = self else { return None };
        Some(Record { execution: execution.clone(), status: *status, end: StateEnd::Nothing })
    }
}

/// What waits in one lane, as others see it.
#[derive(Default)]
pub(crate) struct ParkedStates(Mutex<Slab<Parked>>);

impl ParkedStates {
    /// Copies of what waits now.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.lock().iter().filter_map(|(_, parked)| parked.record()).collect()
    }
}

impl std::fmt::Debug for ParkedStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParkedStates").finish_non_exhaustive()
    }
}

/// What waits in one lane, as the lane has it.
#[derive(Default)]
pub(crate) struct ParkedList {
    /// `None` as long as nothing has waited.
    states: Option<Arc<ParkedStates>>,
    len: usize,
    /// How often something was put in.
    parks: u64,
}

impl ParkedList {
    /// What others can look at, if nobody was told of it yet.
    pub(crate) fn introduce(&mut self) -> Option<Arc<ParkedStates>> {
        match self.states {
            None => Some(self.states.get_or_insert_default().clone()),
            Some(_) => None,
        }
    }

    /// Puts something in, and says under which key.
    pub(crate) fn insert(&mut self, parked: Parked) -> usize {
        self.len += 1;
        self.parks += 1;
        let mut states = self.states.get_or_insert_default().0.lock();
        let there = states.len();
        if there == states.capacity() && there >= FEW {
            states.reserve(3 * there);
        }
        states.insert(parked)
    }

    /// Takes out what waits under a key, if it is there.
    pub(crate) fn remove(&mut self, key: usize) -> Option<Parked> {
        let removed = self.states.as_ref()?.0.lock().try_remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Takes out everything.
    pub(crate) fn drain(&mut self) -> Vec<Parked> {
        self.len = 0;
        let drain = |states: &Arc<ParkedStates>| states.0.lock().drain().collect();
        self.states.as_ref().map(drain).unwrap_or_default()
    }

    /// Keeps no room for more: what is there may wait for long.
    pub(crate) fn shrink(&self) {
        if let Some(states) = &self.states {
            states.0.lock().shrink_to_fit();
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How often something was put in: tells whether something was put in meanwhile.
    pub(crate) const fn parks(&self) -> u64 {
        self.parks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;
    use crate::run::path::Path;
    use crate::run::scope::Scope;
    use crate::value::Value;

    fn waiting(state: u64) -> Parked {
        let (scope, path) = (Scope::NONE, Path::ROOT);
        let node = NodeIndex(0);
        let execution = Execution::first(node, StateId(state), None, Value::Null, scope, path);
        Parked::Execution { execution, status: StateStatus::Queued }
    }

    fn seen(states: &ParkedStates) -> Vec<u64> {
        states.records().iter().map(|record| record.execution.state.0).collect()
    }

    #[test]
    fn others_see_what_waits_and_only_that() {
        let mut list = ParkedList::default();
        assert!(list.is_empty() && list.drain().is_empty() && list.remove(0).is_none());
        let states = list.introduce().expect("nobody was told of it");
        assert!(list.introduce().is_none(), "everybody is told once");
        let keys = [7, 8, 9].map(|state| list.insert(waiting(state)));
        assert_eq!((seen(&states), list.len(), list.parks()), (vec![7, 8, 9], 3, 3));
        let removed = list.remove(keys[1]).map(|parked| parked.state());
        assert_eq!(removed, Some(StateId(8)));
        assert!(list.remove(keys[1]).is_none(), "it is there no more");
        assert_eq!((seen(&states), list.len()), (vec![7, 9], 2));
        list.insert(waiting(10));
        list.shrink();
        assert_eq!((list.drain().len(), list.len(), list.parks()), (3, 0, 4));
        assert_eq!(seen(&states), [] as [u64; 0]);
    }
}
