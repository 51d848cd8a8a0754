//! What waits in a lane, and which of it no record lists yet.

use slab::Slab;

use super::unlisted::Unlisted;
use crate::id::StateId;
use crate::run::execution::Execution;
use crate::run::status::StateStatus;

/// From so many on, room is made for four times as many: what is there is moved less often.
const FEW: usize = 16;

/// What waits.
pub(super) enum Parked {
    /// An execution, and the status it has meanwhile.
    ///
    /// Without its box: the next one takes that over.
    Execution { execution: Execution, status: StateStatus },
    /// A resumable fanout with so many outputs on record, whose handler is called again.
    Recall { own: Box<Execution>, drawn: u64 },
}

impl Parked {
    pub(super) const fn state(&self) -> StateId {
        match self {
            Self::Execution { execution, .. } => execution.state,
            Self::Recall { own, .. } => own.state,
        }
    }
}

/// What waits in a lane, by key.
#[derive(Default)]
pub(super) struct ParkedList {
    slab: Slab<Parked>,
    unlisted: Unlisted,
}

impl ParkedList {
    /// Puts something in, and says under which key.
    pub(super) fn insert(&mut self, parked: Parked) -> usize {
        let there = self.slab.len();
        if self.slab.capacity() == 0 {
            // Most runs that wait for long have one.
            self.slab.reserve_exact(1);
        } else if there == self.slab.capacity() && there >= FEW {
            self.slab.reserve(3 * there);
        }
        let key = self.slab.insert(parked);
        self.unlisted.note(key);
        key
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Parked> {
        self.slab.get_mut(key)
    }

    /// Takes out what waits under a key, if it is there.
    pub(super) fn remove(&mut self, key: usize) -> Option<Parked> {
        self.slab.try_remove(key)
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> Vec<Parked> {
        self.slab.drain().collect()
    }

    /// The keys under which something was put in since this was last asked.
    pub(super) fn take_unlisted(&mut self) -> Vec<usize> {
        self.unlisted.take()
    }

    /// Whether nothing was put in since.
    pub(super) const fn is_listed(&self) -> bool {
        self.unlisted.is_empty()
    }

    /// What waits, without room behind the last one: it may wait for long.
    pub(super) fn into_slab(mut self) -> Slab<Parked> {
        self.slab.shrink_to_fit();
        self.slab
    }

    /// What waits, and is listed.
    pub(super) fn of(slab: Slab<Parked>) -> Self {
        Self { slab, unlisted: Unlisted::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }
}
