//! Manual retries, as a machine decides them: what is taken back, and what is no longer so then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::RetryError;
use super::execution::Execution;
use super::fingerprint::Fingerprint;
use super::machine::{Effects, Machine};
use super::status::StateStatus;
use crate::id::{NodeIndex, StateId};

/// Which states are retried by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RetryWhat {
    /// This one.
    One(StateId),
    /// All that failed.
    Failed,
}

/// A state that is taken back by a manual retry; its next attempt holds the run open.
#[derive(Debug)]
pub(crate) struct TakenBack {
    pub execution: Box<Execution>,
    /// Failed outputs beside it, of whichever draw of its fanout: that is drawn anew once, as a whole.
    pub along: Vec<Execution>,
}

impl TakenBack {
    /// Everything that is taken back.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Execution> {
        std::iter::once(&*self.execution).chain(&self.along)
    }
}

impl Machine {
    /// Accepts a manual retry: the executions whose groups have to be opened again.
    pub(crate) fn retry(
        &mut self,
        what: RetryWhat,
        id: &str,
    ) -> Result<Vec<TakenBack>, RetryError> {
        let states = self.states_to_retry(what, id)?;
        let node = self.node_of(what)?;
        self.ended = false;
        let extra = self.extra_mut();
        extra.retry_ids.add(id, node);
        extra.stop = None;
        let mut beside = self.failed_outputs(&states);
        Ok(states.into_iter().filter_map(|state| self.take_back_with(state, &mut beside)).collect())
    }

    /// The failed outputs of the fanouts that are made anew, by the execution that each repeats.
    fn failed_outputs(&mut self, retried: &[StateId]) -> BTreeMap<u64, Vec<StateId>> {
        let anew = retried.iter().filter_map(|state| self.fanout_of(*state));
        let mut outputs: BTreeMap<_, Vec<_>> = anew.map(|fanout| (fanout, Vec::new())).collect();
        if outputs.is_empty() {
            return outputs;
        }
        let failures: Vec<_> = self.extra().failures.keys().copied().collect();
        for state in failures {
            if let Some(all) = self.fanout_of(state).and_then(|fanout| outputs.get_mut(&fanout)) {
                all.push(state);
            }
        }
        outputs
    }

    /// The fanout that a state is an output of, or a draw of that failed as a whole: its first draw.
    fn fanout_of(&mut self, state: StateId) -> Option<u64> {
        let execution = &self.records.sorted().get(&state)?.execution;
        // Beside what failed as a whole and repeats nothing there are no outputs.
        let may_have_others = execution.is_output() || execution.origin() != execution.id;
        may_have_others.then(|| execution.origin())
    }

    /// Takes a state back with the failed outputs beside it, unless it was taken back with one.
    fn take_back_with(
        &mut self,
        state: StateId,
        beside: &mut BTreeMap<u64, Vec<StateId>>,
    ) -> Option<TakenBack> {
        let record = self.records.sorted().get(&state)?;
        if record.status == StateStatus::RetryCreated {
            return None;
        }
        let execution = self.take_back(state);
        self.tally.holds += 1;
        let mut along = beside.remove(&execution.origin()).unwrap_or_default();
        along.retain(|other| *other != state);
        let along = along.into_iter().map(|other| *self.take_back(other)).collect();
        Some(TakenBack { execution, along })
    }

    /// Which states a manual retry would take back.
    pub(crate) fn states_to_retry(
        &mut self,
        what: RetryWhat,
        id: &str,
    ) -> Result<Vec<StateId>, RetryError> {
        if self.extra().stop.is_some() && !self.ended {
            return Err(RetryError::Stopping);
        }
        let node = self.node_of(what)?;
        if self.extra().retry_ids.has(id, node) {
            return Err(RetryError::Duplicate(id.to_owned()));
        }
        self.retryable(what)
    }

    /// Whether some state was retried by hand: only then can two states have one place.
    pub(crate) fn was_retried(&self) -> bool {
        !self.extra().retry_ids.is_empty()
    }

    /// The node of the state that is to be retried, if it is one.
    fn node_of(&mut self, what: RetryWhat) -> Result<Option<NodeIndex>, RetryError> {
        let RetryWhat::One(state) = what else { return Ok(None) };
        let record = self.records.sorted().get(&state).ok_or(RetryError::UnknownState(state))?;
        Ok(Some(record.execution.node))
    }

    fn retryable(&mut self, what: RetryWhat) -> Result<Vec<StateId>, RetryError> {
        match what {
            RetryWhat::One(state) => {
                let record =
                    self.records.sorted().get(&state).ok_or(RetryError::UnknownState(state))?;
                let node = &self.plan.node(record.execution.node).identifier;
                match record.status {
                    StateStatus::Skipped | StateStatus::RetryCreated => {}
                    status if status.is_terminal() => return Ok(vec![state]),
                    _ => {}
                }
                Err(RetryError::NotRetryable { state, node: node.clone(), status: record.status })
            }
            RetryWhat::Failed => {
                let mut failed: Vec<_> = self.extra().failures.keys().copied().collect();
                let records = self.records.sorted();
                failed.retain(|state| records.contains_key(state));
                if failed.is_empty() { Err(RetryError::NothingToRetry) } else { Ok(failed) }
            }
        }
    }

    /// A state that ended is no longer the last word.
    fn take_back(&mut self, state: StateId) -> Box<Execution> {
        self.extra_mut().failures.remove(&state);
        let record = self.records.sorted().get_mut(&state).expect("checked to be there");
        let (node, path) = (record.execution.node, &record.execution.path);
        // What went wrong left none, and all outputs of a fanout may be taken back at once: no pass over
        // the results for each.
        if record.status == StateStatus::Success {
            for results in &mut self.results {
                results.retain(|(of, place, _)| (*of, &*place) != (node, path));
            }
        }
        self.counts.shift(node, Some(record.status), StateStatus::RetryCreated);
        record.status = StateStatus::RetryCreated;
        Box::new(record.execution.clone())
    }

    /// The groups of a retried state are known: mergers that are waited for again are no longer
    /// skipped, those that its next attempt replaces are forgotten.
    pub(crate) fn reopened(&mut self, reopened: &[Fingerprint], dropped: &[Fingerprint]) {
        self.tally.items += i64::try_from(reopened.len()).unwrap_or(i64::MAX);
        for group in reopened.iter().chain(dropped) {
            let extra = self.extra_mut();
            let merger = extra.skipped_mergers.remove(group);
            let Some(skip) = merger.and_then(|state| extra.skipped.remove(&state)) else {
                continue;
            };
            self.records.sorted().remove(&skip.state);
            self.counts.add(skip.node, StateStatus::Skipped, -1);
        }
    }

    /// The next attempt of a retried state is counted: its hold ends.
    pub(crate) fn release_hold(&mut self) -> Effects {
        self.tally.holds -= 1;
        self.settle().into_iter().collect()
    }
}
