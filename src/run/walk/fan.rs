//! An execution with many outputs: its groups stay open until it is drawn to the end.

use super::{ENDED, Fault, Walker};
use crate::run::batch::Tally;
use crate::run::execution::Execution;
use crate::run::path::Step;
use crate::run::status::StateStatus;
use crate::value::Value;

impl Walker<'_> {
    /// An execution turned out to have many outputs: its groups stay open until it is drawn.
    pub(crate) fn fanned_out(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Queued), StateStatus::Executed);
        self.batch.count(&execution.tokens, Tally { items: -1, holds: 1 });
    }

    /// A fanout failed before it gave anything: its attempt failed.
    pub(crate) fn not_fanned_out(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Executed), StateStatus::Queued);
        self.batch.count(&execution.tokens, Tally { items: 1, holds: -1 });
    }

    /// One output of a fanout: its children, or `None` if the run may have no more states.
    pub(crate) fn drawn(
        &mut self,
        execution: &Execution,
        index: u64,
        output: Value,
    ) -> Option<Vec<Execution>> {
        let (state, was) = match index {
            0 => (execution.state, Some(StateStatus::Executed)),
            _ => (self.ground.next_state()?, None),
        };
        let children = self.output(execution, state, was, output, Some(index));
        self.batch.count(&execution.tokens, ENDED);
        Some(children)
    }

    /// A fanout has no more outputs; `fault` says why, if it was not the end of them.
    pub(crate) fn exhausted(&mut self, execution: &Execution, drawn: u64, fault: Option<&Fault>) {
        self.count_branches(execution, drawn);
        if drawn == 0 && fault.is_none() {
            self.moved(execution, Some(StateStatus::Executed), StateStatus::Success);
            self.record(execution, StateStatus::Success, None, None);
        }
        if let Some(fault) = fault {
            self.broke_off(execution, drawn, fault);
        }
        let items = i64::try_from(drawn).unwrap_or(i64::MAX);
        self.batch.count(&execution.tokens, Tally { items, holds: -1 });
    }

    /// The state that stands for the outputs that a broken fanout did not give.
    fn broke_off(&mut self, execution: &Execution, drawn: u64, fault: &Fault) {
        let mut failed = execution.clone();
        let mut was = Some(StateStatus::Executed);
        if drawn > 0 {
            was = None;
            failed.path = execution.path.then(Step::Output(drawn));
            failed.state = self.ground.next_state_unbounded();
        }
        self.fail(&failed, was, StateStatus::Errored, &fault.error);
    }

    /// The run was cancelled before a fanout was drawn to the end.
    pub(crate) fn cut_off(&mut self, execution: &Execution, drawn: u64) {
        let mut rest = execution.clone();
        let mut was = Some(StateStatus::Executed);
        if drawn > 0 {
            was = None;
            rest.path = execution.path.then(Step::Output(drawn));
            rest.state = self.ground.next_state_unbounded();
        }
        self.moved(&rest, was, StateStatus::Cancelled);
        self.cause(&rest, StateStatus::Cancelled, &"cancelled".into());
        self.record(&rest, StateStatus::Cancelled, None, None);
        let items = i64::try_from(drawn).unwrap_or(i64::MAX);
        self.batch.count(&execution.tokens, Tally { items, holds: -1 });
    }

    pub(super) fn count_branches(&mut self, execution: &Execution, branches: u64) {
        for token in execution.tokens.iter() {
            if self.ground.plan.unites(token.merger).node == execution.node {
                self.batch.group(token.group).branches += branches;
            }
        }
    }
}
