//! What was written before a retry by hand, and counted after it.
//!
//! A lane writes down what it did, and tells the run when that is on record. A retry by hand that is
//! accepted in between does not know of it: it may give up a merger that would have fired.

use std::collections::HashMap;

use super::entry::Entry;
use crate::run::batch::Batch;

/// What is counted later than it was written.
#[derive(Default)]
pub(super) struct Late {
    /// By unit, the one with the last retry that comes before it.
    until: HashMap<u64, u64>,
    /// The unit that is read.
    unit: u64,
    held: Vec<(u64, Batch)>,
}

impl Late {
    /// What the entries of a run say of it.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let (mut late, mut unit) = (Self::default(), 0_u64);
        for entry in entries {
            match entry {
                Entry::At(_) => unit += 1,
                Entry::Retried { untold, .. } => {
                    let units = untold.iter().filter_map(|before| unit.checked_sub(*before));
                    late.until.extend(units.map(|untold| (untold, unit)));
                }
                _ => {}
            }
        }
        late
    }

    /// The next unit is read.
    pub(super) const fn next(&mut self) {
        self.unit += 1;
    }

    /// What the unit changes, unless that is counted later.
    pub(super) fn now(&mut self, batch: Batch) -> Option<Batch> {
        let Some(until) = self.until.get(&self.unit) else { return Some(batch) };
        self.held.push((*until, batch));
        None
    }

    /// What is counted right after the retry that is read.
    pub(super) fn due(&mut self) -> Vec<Batch> {
        let unit = self.unit;
        let due = self.held.extract_if(.., |(until, _)| *until == unit);
        due.map(|(_, batch)| batch).collect()
    }
}
