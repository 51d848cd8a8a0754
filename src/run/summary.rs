//! What a machine tells of its run: how it stands, its states, how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::{Failure, Record, Skip, SkipCause, StateEnd};
use super::branch_status::branch_statuses;
use super::machine::Machine;
use super::order::sort_by_path;
use super::outcome::{FailureReport, Outcome, RunView, SkipReason, SkipReport, StateView};
use super::path::Path;
use super::status::StateStatus;
use crate::graph::Plan;
use crate::id::{NodeIndex, StateId};
use crate::value::{Fields, Value};

impl Machine {
    /// How the run stands, with counts by node and status.
    pub(crate) fn view(&self) -> RunView {
        let mut nodes = BTreeMap::<Arc<str>, BTreeMap<StateStatus, u64>>::new();
        for (node, status, count) in self.counts.iter() {
            if let Ok(count) = u64::try_from(count) {
                nodes.entry(self.name(node)).or_default().insert(status, count);
            }
        }
        RunView { status: self.status(), nodes }
    }

    /// The states whose records are kept, in the order they were made.
    pub(crate) fn states(&mut self) -> Vec<StateView> {
        let line = |record: &Record| {
            let execution = &record.execution;
            (execution.state, execution.parent, record.status)
        };
        let plan = self.plan.clone();
        let records = self.records.sorted();
        let branches = branch_statuses(records.values().map(line));
        records.values().map(|record| state(&plan, record, &branches)).collect()
    }

    /// The outcome as it stands.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            run: self.run,
            graph: self.plan.name.clone(),
            version: self.version,
            status: self.status(),
            stopped: self.extra().stop.as_ref().map(ToString::to_string),
            outputs: self.gather_outputs(),
            failures: self.report_failures(),
            skipped: self.report_skipped(),
            warnings: self.extra().warnings.clone(),
        }
    }

    fn gather_outputs(&self) -> Fields {
        let mut outputs = SmallVec::<[&(NodeIndex, Path, Value); 1]>::new();
        self.results.iter().for_each(|results| outputs.extend(results));
        outputs.sort_by_key(|(node, ..)| *node);
        let named = outputs.chunk_by_mut(|a, b| a.0 == b.0).filter_map(|outputs| {
            let place = self.plan.node(outputs[0].0);
            // Stably sorted, the last of one place is a manual retry's: it counts.
            sort_by_path(outputs, |(_, path, _)| path);
            let output = match place.repeats {
                true => Value::Array(self.latest(outputs)),
                false => outputs.last()?.2.clone(),
            };
            Some((place.identifier.clone().into(), output))
        });
        named.collect()
    }

    /// The last output of each place.
    fn latest(&self, outputs: &[&(NodeIndex, Path, Value)]) -> Arc<[Value]> {
        if !self.was_retried() {
            return outputs.iter().map(|(_, _, output)| output.clone()).collect();
        }
        let places = outputs.chunk_by(|a, b| a.1.fanout_order(&b.1).is_eq());
        places.filter_map(|place| place.last()).map(|(_, _, output)| output.clone()).collect()
    }

    fn report_failures(&self) -> Vec<FailureReport> {
        if self.extra().failures.is_empty() {
            return Vec::new();
        }
        let mut failures: Vec<_> = self.extra().failures.values().collect();
        failures.sort_by(|a, b| a.path.fanout_order(&b.path).then(a.node.cmp(&b.node)));
        let report = |failure: &&Failure| FailureReport {
            state: failure.state,
            node: self.name(failure.node),
            status: failure.status,
            error: failure.error.clone(),
            attempts: failure.attempts,
            tolerated: failure.tolerated,
        };
        failures.iter().map(report).collect()
    }

    fn report_skipped(&self) -> Vec<SkipReport> {
        if self.extra().skipped.is_empty() {
            return Vec::new();
        }
        let mut skipped: Vec<_> = self.extra().skipped.values().collect();
        skipped.sort_by(|a, b| a.path.fanout_order(&b.path).then(a.node.cmp(&b.node)));
        let report = |skip: &&Skip| SkipReport {
            state: skip.state,
            node: self.name(skip.node),
            reason: self.reason(&skip.reason),
        };
        skipped.iter().map(report).collect()
    }

    fn reason(&self, cause: &SkipCause) -> SkipReason {
        match cause {
            SkipCause::Condition(from) => SkipReason::Condition { from: self.name(*from) },
            SkipCause::NoWay => SkipReason::NoWay,
            SkipCause::Prevented(by) => SkipReason::Prevented {
                by: by
                    .iter()
                    .map(|(node, state, status)| (self.name(*node), *state, *status))
                    .collect(),
            },
        }
    }
}

fn state(plan: &Plan, record: &Record, branches: &BTreeMap<StateId, StateStatus>) -> StateView {
    let branch = branches.get(&record.execution.state);
    let (output, error) = match record.end.clone() {
        StateEnd::Nothing => (None, None),
        StateEnd::Output(output) => (Some(output), None),
        StateEnd::Error(error) => (None, Some(error)),
    };
    StateView {
        id: record.execution.state,
        execution: record.execution.origin(),
        node: plan.node(record.execution.node).identifier.clone(),
        status: record.status,
        branch_status: branch.copied().unwrap_or(record.status),
        attempt: record.execution.attempt,
        parent: record.execution.parent,
        inputs: record.execution.input.clone(),
        output,
        error,
    }
}
