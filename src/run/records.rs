//! The records of a run's states: written in batches, sorted when somebody reads them.
//!
//! Most runs end without anybody reading a record, so a report is put aside as it came.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::batch::Record;
use super::trail::{Change, Marks, Trail};
use crate::id::StateId;

/// How many changes are put aside before they are sorted in: bounds what forgotten states hold.
const PUT_ASIDE: usize = 32_768;

/// The records of a run.
#[derive(Debug, Default)]
pub(crate) struct Records {
    sorted: BTreeMap<StateId, Record>,
    /// In the order of the reports; later changes of a state replace earlier ones.
    aside: SmallVec<[(Vec<Record>, Marks); 1]>,
    aside_changes: usize,
}

impl Records {
    pub(crate) fn change(&mut self, records: Vec<Record>, trail: Trail) {
        if records.is_empty() && trail.is_empty() {
            return;
        }
        self.aside_changes += records.len() + trail.len();
        self.aside.push((records, trail.into_marks()));
        if self.aside_changes > PUT_ASIDE {
            self.sort();
        }
    }

    /// The records by state.
    pub(crate) fn sorted(&mut self) -> &mut BTreeMap<StateId, Record> {
        self.sort();
        &mut self.sorted
    }

    /// How many there are; states with several changes put aside count as often.
    pub(crate) fn at_most(&self) -> usize {
        self.sorted.len() + self.aside_changes
    }

    /// How many things are to be dropped with them, one by one.
    pub(crate) fn weight(&self) -> usize {
        let aside = self.aside.iter().map(|(records, marks)| records.len() + marks.weight());
        self.sorted.len() + aside.sum::<usize>()
    }

    fn sort(&mut self) {
        self.aside_changes = 0;
        for (records, marks) in self.aside.drain(..) {
            self.sorted.extend(records.into_iter().map(|record| (record.execution.state, record)));
            for change in marks.changes() {
                match change {
                    Change::Ended(record) => {
                        self.sorted.insert(record.execution.state, record);
                    }
                    Change::Waits(record) => {
                        // It may have failed since, in the same batch.
                        self.sorted.entry(record.execution.state).or_insert(record);
                    }
                    Change::Forgotten(state) => {
                        self.sorted.remove(&state);
                    }
                }
            }
        }
    }
}
