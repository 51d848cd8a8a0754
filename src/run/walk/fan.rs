//! An execution with many outputs: its groups stay open until it is drawn to the end.

use super::straight::Led;
use super::{ENDED, Fault, Success, Walker};
use crate::run::batch::{StateEnd, Tally};
use crate::run::durable::Entry;
use crate::run::execution::{Execution, Executions};
use crate::run::path::Step;
use crate::run::status::StateStatus;
use crate::value::Value;

/// What an output of a fanout led to.
pub(crate) enum Branched {
    /// Straight on to one child.
    Child(Box<Execution>),
    /// Any number of children, which were put where children go.
    Made,
    /// Nothing: the run may not have its state.
    Refused,
}

impl Branched {
    /// Adds the child of an output that led straight on to the others; says whether the run may have the
    /// output's state.
    pub(crate) fn add_to(self, made: &mut Executions) -> bool {
        match self {
            Self::Child(child) => made.push(child),
            Self::Made => {}
            Self::Refused => return false,
        }
        true
    }
}

impl Walker<'_> {
    /// An execution turned out to have many outputs: its groups stay open until it is drawn.
    ///
    /// A run with a journal keeps them first: so many, and what came after them.
    pub(crate) fn fanned_out(&mut self, execution: &Execution, kept: u64, fault: Option<&Fault>) {
        let of = execution.into();
        self.write(|_| Entry::FannedOut { of, kept, fault: fault.cloned() });
        self.open(execution);
    }

    /// The same in a run with a journal that has each output as it is drawn.
    pub(crate) fn fanned_out_resumable(&mut self, execution: &Execution) {
        let of = execution.into();
        self.write(|_| Entry::FannedOutResumable { of });
        self.open(execution);
    }

    fn open(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Queued), StateStatus::Executed);
        self.batch.count(execution.tokens(), Tally { items: -1, holds: 1 });
    }

    /// A fanout failed before it gave anything: its attempt failed.
    pub(crate) fn not_fanned_out(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Executed), StateStatus::Queued);
        self.batch.count(execution.tokens(), Tally { items: 1, holds: -1 });
    }

    /// One output of a fanout; its children go to `made`, but for one that it leads straight on to.
    ///
    /// `own` is a [localized](Execution::localized) copy, if other lanes draw from the fanout, too.
    #[inline]
    pub(crate) fn drawn(
        &mut self,
        own: &Execution,
        index: u64,
        output: Value,
        made: &mut Executions,
    ) -> Branched {
        let branched = self.branch(own, index, output, made);
        if !matches!(branched, Branched::Refused) {
            self.write_drawn(own.id, index);
        }
        branched
    }

    /// The same of a resumable fanout, with every child in `made`: the output goes on record with the
    /// cursor behind it. Says whether the run may have its state.
    pub(crate) fn drawn_with_cursor(
        &mut self,
        own: &Execution,
        index: u64,
        output: Value,
        cursor: Value,
        made: &mut Executions,
    ) -> bool {
        let has_state = self.branch(own, index, output.clone(), made).add_to(made);
        if has_state {
            self.write_with_cursor(own.id, index, output, cursor);
        }
        has_state
    }

    #[inline(always)]
    fn branch(
        &mut self,
        own: &Execution,
        index: u64,
        mut output: Value,
        made: &mut Executions,
    ) -> Branched {
        let (state, was) = match index {
            0 => (Some(own.state), Some(StateStatus::Executed)),
            _ => (self.next_state(Some(own.state)), None),
        };
        let Some(state) = state else { return Branched::Refused };
        let mut branch = self.batch.spare.branch(own, state, index);
        let success = Success { was, drawn: Some((own, index)) };
        match self.straight(&mut branch, &success, &mut output) {
            Led::On => return Branched::Child(branch),
            Led::Out => self.batch.spare.put(branch),
            Led::Not => self.branch_various(branch, &success, output, made),
        }
        Branched::Made
    }

    fn branch_various(
        &mut self,
        branch: Box<Execution>,
        success: &Success<'_>,
        output: Value,
        made: &mut Executions,
    ) {
        let Err((mut branch, error)) = self.various(branch, success, output, made) else { return };
        self.batch.count(branch.tokens(), ENDED);
        branch.input = success.drawn.map_or(Value::Null, |(own, _)| own.input.clone());
        self.fail(branch, success.was, StateStatus::NextCreatedError, &error);
    }

    /// A fanout has no more outputs; `fault` says why, if it was not the end of them.
    pub(crate) fn exhausted(&mut self, execution: &Execution, drawn: u64, fault: Option<&Fault>) {
        if drawn == 0 && fault.is_none() {
            self.moved(execution, Some(StateStatus::Executed), StateStatus::Success);
            let own = Box::new(execution.clone());
            self.record(own, StateStatus::Success, StateEnd::Nothing);
        }
        if let Some(fault) = fault {
            let (rest, was) = self.rest(execution, drawn);
            self.fail(rest, was, StateStatus::Errored, &fault.error);
        }
        self.closed(execution, drawn);
        let of = execution.id;
        self.write(|ids| Entry::Exhausted { of, drawn, fault: fault.cloned(), ids });
    }

    /// The run has no state left for an output of a fanout that was drawn, nor for so many in all.
    pub(crate) fn exceeded(&mut self, execution: &Execution, index: u64, outputs: usize) {
        let (rest, was) = self.rest(execution, index);
        let error = self.exceeds();
        self.fail(rest, was, StateStatus::Errored, &error);
        self.exceeded_too(execution, index, outputs);
    }

    /// The same for outputs of a fanout of which a state says so already.
    pub(crate) fn exceeded_too(&mut self, execution: &Execution, index: u64, outputs: usize) {
        self.forfeited(execution, outputs);
        let (of, outputs) = (execution.id, outputs as u64);
        self.write(|ids| Entry::Exceeded { of, index, outputs, ids });
    }

    /// The run was cancelled before the outputs of a fanout from `index` on had states.
    pub(crate) fn cut_off(&mut self, execution: &Execution, index: u64) {
        let (rest, was) = self.rest(execution, index);
        self.cancel(rest, was);
        let of = execution.id;
        self.write(|ids| Entry::MadeByStop { of, ids });
    }

    /// Outputs were drawn that get no states.
    pub(crate) fn forfeited(&mut self, execution: &Execution, outputs: usize) {
        let items = i64::try_from(outputs).unwrap_or(i64::MAX);
        self.count_branches(execution, -items);
        self.batch.count(execution.tokens(), Tally { items: -items, holds: 0 });
    }

    /// A fanout was closed before it was drawn to the end, or the run was.
    pub(crate) fn closed(&mut self, execution: &Execution, drawn: u64) {
        let items = i64::try_from(drawn).unwrap_or(i64::MAX);
        self.count_branches(execution, items);
        self.batch.count(execution.tokens(), Tally { items, holds: -1 });
    }

    /// The state that stands for the outputs from `index` on, and its status so far.
    fn rest(&mut self, execution: &Execution, index: u64) -> (Box<Execution>, Option<StateStatus>) {
        let mut rest = Box::new(execution.clone());
        if index == 0 {
            return (rest, Some(StateStatus::Executed));
        }
        rest.path = execution.path.then(Step::Output(index));
        rest.state = self.next_state_unlimited(Some(execution.state));
        (rest, None)
    }

    #[inline]
    pub(super) fn count_branches(&mut self, execution: &Execution, branches: i64) {
        if !self.ground.plan.node(execution.node).mergers.is_empty() {
            self.count_united(execution, branches);
        }
    }

    fn count_united(&mut self, execution: &Execution, branches: i64) {
        for token in execution.tokens().iter() {
            if self.ground.plan.unites(token.merger).node == execution.node {
                self.batch.group(token.group).branches += branches;
            }
        }
    }
}
