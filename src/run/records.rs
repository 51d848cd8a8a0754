//! The records of a run's states: written in batches when they end, sorted when somebody reads them.
//!
//! Most runs end without anybody reading a record, so a report is put aside as it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::Record;
use super::parked::ParkedStates;
use super::status::StateStatus;
use super::trail::{Marks, Trail};
use crate::id::{NodeIndex, StateId};

/// The records of a run.
#[derive(Debug, Default)]
pub(crate) struct Records {
    sorted: BTreeMap<StateId, Record>,
    /// In the order of the reports.
    aside: SmallVec<[(Vec<Record>, Marks); 1]>,
    aside_records: usize,
    /// What waits, by lane.
    parked: SmallVec<[Arc<ParkedStates>; 1]>,
}

impl Records {
    /// Adds those of states that ended.
    pub(crate) fn add(&mut self, records: Vec<Record>, trail: Trail) {
        if records.is_empty() && trail.is_empty() {
            return;
        }
        self.aside_records += records.len() + trail.len();
        self.aside.push((records, trail.into_marks()));
    }

    /// Looks at what waits in one more lane from now on.
    pub(crate) fn watch(&mut self, parked: Arc<ParkedStates>) {
        self.parked.push(parked);
    }

    /// The records of states that ended, by state.
    pub(crate) fn sorted(&mut self) -> &mut BTreeMap<StateId, Record> {
        self.sort();
        &mut self.sorted
    }

    /// Those of states that wait.
    pub(crate) fn live(&self) -> Vec<Record> {
        self.parked.iter().flat_map(|parked| parked.records()).collect()
    }

    /// The same when nothing is to be told of what waits from now on.
    pub(crate) fn take_live(&mut self) -> Vec<Record> {
        if self.parked.is_empty() {
            // As in most runs.
            return Vec::new();
        }
        let live = self.live();
        self.parked.clear();
        live
    }

    /// The node and the status of a state.
    pub(crate) fn find(&mut self, state: StateId) -> Option<(NodeIndex, StateStatus)> {
        let told = |record: &Record| (record.execution.node, record.status);
        if let Some(ended) = self.sorted().get(&state) {
            return Some(told(ended));
        }
        self.live().iter().find(|live| live.execution.state == state).map(told)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len() + self.aside_records
    }

    /// How many things are to be dropped with them, one by one.
    pub(crate) fn weight(&self) -> usize {
        let aside = self.aside.iter().map(|(records, marks)| records.len() + marks.weight());
        self.sorted.len() + aside.sum::<usize>()
    }

    fn sort(&mut self) {
        self.aside_records = 0;
        for (records, marks) in self.aside.drain(..) {
            let records = records.into_iter().chain(marks.records());
            self.sorted.extend(records.map(|record| (record.execution.state, record)));
        }
    }
}
