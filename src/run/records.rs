//! The records of a run's states: written in batches, sorted when somebody reads them.
//!
//! Most runs end without anybody reading a record, so a report is put aside as it came.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::batch::{Record, RecordChange};
use super::trail::{Marks, Trail};
use crate::id::StateId;

/// How many changes are put aside before they are sorted in: bounds what forgotten states hold.
const PUT_ASIDE: usize = 32_768;

/// The records of a run.
#[derive(Debug, Default)]
pub(crate) struct Records {
    sorted: BTreeMap<StateId, Record>,
    /// In the order of the reports; later changes of a state replace earlier ones.
    aside: SmallVec<[(Vec<RecordChange>, Marks); 1]>,
    aside_changes: usize,
}

impl Records {
    pub(crate) fn change(&mut self, changes: Vec<RecordChange>, trail: Trail) {
        if changes.is_empty() && trail.is_empty() {
            return;
        }
        self.aside_changes += changes.len() + trail.len();
        self.aside.push((changes, trail.into_marks()));
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

    fn sort(&mut self) {
        self.aside_changes = 0;
        for (changes, marks) in self.aside.drain(..) {
            for change in changes {
                match change {
                    RecordChange::Put(record) => {
                        self.sorted.insert(record.execution.state, record);
                    }
                    RecordChange::Forget(state) => {
                        self.sorted.remove(&state);
                    }
                }
            }
            self.sorted.extend(marks.records().map(|record| (record.execution.state, record)));
        }
    }
}
