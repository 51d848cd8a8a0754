//! A run that waits for one execution: what is left of its lane meanwhile.
//!
//! A run may wait for days, and most of what a lane has would be empty.

use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use slab::Slab;

use super::alone::Alone;
use super::lane::Lane;
use super::parked::{Parked, ParkedList};
use super::pool::Pool;
use super::wait::Wait;
use crate::run::cell::RunCell;
use crate::run::state_ids::StateIds;
use crate::run::unites::Barriers;

/// What was begun and has not ended, without a lane actor.
pub(crate) enum Unended {
    Awake(Box<Alone>),
    Asleep(Box<Asleep>),
}

impl Unended {
    /// What can go on with it.
    pub(crate) fn awake(self, cell: &Arc<RunCell>, pool: &Arc<Pool>) -> Box<Alone> {
        match self {
            Self::Awake(alone) => alone,
            Self::Asleep(asleep) => Box::new(asleep.wake(cell, pool)),
        }
    }
}

/// What a lane had that had nothing but one execution which waits.
pub(crate) struct Asleep {
    parked: Slab<Parked>,
    waiting: Option<FuturesUnordered<Wait>>,
    ids: StateIds,
    barriers: Option<Box<Barriers>>,
}

impl Alone {
    /// Whether the lane has nothing but one execution that waits, and nothing to note of it.
    pub(crate) fn can_sleep(&self) -> bool {
        let Lane { batch, parked, stalled_keeping, held, .. } = &self.lane;
        let is_noted = batch.is_empty() && parked.is_listed();
        self.waits_for_one() && is_noted && stalled_keeping.is_empty() && held.is_empty()
    }

    /// Keeps what waits, and no lane around it.
    pub(crate) fn sleep(self: Box<Self>) -> Unended {
        let Self { lane: Lane { parked, waiting, batch, .. }, barriers, .. } = *self;
        let parked = parked.into_slab();
        Unended::Asleep(Box::new(Asleep { parked, waiting, ids: batch.ids, barriers }))
    }
}

impl Asleep {
    /// A lane that goes on with it.
    fn wake(self, cell: &Arc<RunCell>, pool: &Arc<Pool>) -> Alone {
        let mut lane = Lane::new(cell.first_tools(pool));
        lane.parked = ParkedList::of(self.parked);
        lane.waiting = self.waiting;
        lane.batch.ids = self.ids;
        Alone { lane, barriers: self.barriers }
    }
}
