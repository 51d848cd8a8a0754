//! Runs of sub-graph nodes that come back from the journal, beside the runs that wait for them.

use std::collections::BTreeMap;

use super::Inner;
use super::recovery::Found;
use crate::id::RunId;
use crate::run::{Parent, Run};

impl Inner {
    /// Has runs that were taken up together follow the signals of those that wait for them, and stops
    /// those that nobody waits for; so with the runs that went on before one that waits for them.
    pub(super) fn join(&self, found: &BTreeMap<RunId, Found>) {
        let earlier = self.take_ahead(found);
        for (child, parent) in &earlier {
            self.follow(child, *parent);
        }
        for child in found.values() {
            // Others were asked for, and follow whoever did.
            if let Some(parent) = child.parent.filter(|_| !child.run.control().is_below()) {
                self.follow(&child.run, parent);
            }
        }
        for child in found.values().filter(|child| self.is_orphan(child, found)) {
            child.run.cancel();
        }
        for (child, _) in earlier.iter().filter(|(_, parent)| !self.is_awaited(*parent, found)) {
            child.cancel();
        }
    }

    /// The live runs that went on before one of these, which waits for them.
    fn take_ahead(&self, found: &BTreeMap<RunId, Found>) -> Vec<(Run, Parent)> {
        let mut ahead = self.ahead.lock();
        ahead.retain(|(child, _)| self.run_of(*child).is_some_and(|child| !child.is_ended()));
        let taken = ahead.extract_if(.., |(_, parent)| found.contains_key(&parent.run()));
        taken.filter_map(|(child, parent)| Some((self.run_of(child)?, parent))).collect()
    }

    /// Has the run of a sub-graph node follow the signals of the run that waits for it.
    fn follow(&self, child: &Run, parent: Parent) {
        match self.run_of(parent.run()) {
            Some(above) => above.control().adopt(&child.control()),
            None if self.is_stranded(parent.run()) => {
                child.control().expect_parent();
                self.ahead.lock().push((child.id(), parent));
            }
            None => {}
        }
    }

    /// Whether nobody waits any more for the run of a sub-graph node, or for one above it: it ought to
    /// have been stopped.
    fn is_orphan(&self, child: &Found, found: &BTreeMap<RunId, Found>) -> bool {
        let above = |child: &&Found| found.get(&child.parent?.run());
        let mut family = std::iter::successors(Some(child), above);
        let is_awaited = |parent| self.is_awaited(parent, found);
        family.any(|child| child.parent.is_some_and(|parent| !is_awaited(parent)))
    }

    /// Whether an attempt of a sub-graph node may still be under way.
    fn is_awaited(&self, parent: Parent, found: &BTreeMap<RunId, Found>) -> bool {
        let run = parent.run();
        if let Some(above) = found.get(&run) {
            return above.awaits(parent.attempt);
        }
        match self.run_of(run) {
            Some(above) => above.awaits(parent.attempt),
            None => self.is_stranded(run),
        }
    }
}
