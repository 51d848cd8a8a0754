//! The labels whose latest rollout has ended: so many are remembered, and none that is gone.

use std::collections::VecDeque;

use super::directory::{Place, Rollouts};
use crate::version::Snapshot;

/// How many labels are remembered whose latest rollout has ended.
///
/// Each keeps the handle of the rollout, and until when the label cools down: some kilobytes.
const PAST: usize = 1_000;

/// The labels whose latest rollout has ended, by its end, oldest first.
#[derive(Debug, Default)]
pub(super) struct Past {
    places: VecDeque<Place>,
}

impl Past {
    /// The rollout of a label has ended; gives the label that is one too many.
    fn add(&mut self, place: Place) -> Option<Place> {
        self.places.push_back(place);
        if self.places.len() > PAST { self.places.pop_front() } else { None }
    }

    /// The label has a rollout under way again.
    pub(super) fn remove(&mut self, place: &Place) {
        self.places.retain(|other| other != place);
    }

    /// Takes out the labels that are not in the routing any more.
    fn take_gone(&mut self, snapshot: &Snapshot) -> VecDeque<Place> {
        let is_there = |(graph, label): &Place| {
            snapshot.route(graph).is_some_and(|route| route.label(label).is_some())
        };
        let (there, gone): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.places).into_iter().partition(is_there);
        self.places = there;
        gone
    }
}

impl Rollouts {
    /// Remembers that the rollout of a label has ended, and forgets the oldest beyond the bound.
    pub(super) fn remember(&self, place: Place) {
        let oldest = self.past.lock().add(place);
        oldest.iter().for_each(|place| self.forget(place));
    }

    /// Forgets the labels that are gone, but for those whose rollouts have yet to see it.
    pub(crate) fn sweep(&self, snapshot: &Snapshot) {
        let gone = self.past.lock().take_gone(snapshot);
        gone.iter().for_each(|place| self.forget(place));
    }

    fn forget(&self, place: &Place) {
        // Another rollout of it may have begun since.
        if self.places.remove_if(place, |_, known| known.watched.is_none()).is_some() {
            #[cfg(feature = "metrics")]
            self.verdicts.forget(place);
        }
    }
}
