//! What follows when an attempt ends: pure, and carried out by whichever lane holds the branch.
//!
//! Everything a step changes goes into one [`Batch`]: the end of what ended and the beginning of
//! what it led to, so that no group looks settled in between.

mod branch;
mod fan;
mod ground;
mod merge;
mod note;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use branch::resolve_inputs;
pub(crate) use fan::Fan;
pub(crate) use ground::Ground;

use super::batch::{Batch, Tally};
use super::execution::{Execution, Executions, Tokens};
use super::path::{Path, Step};
use super::scope::Scope;
use super::status::StateStatus;
use crate::clock::Rng;
use crate::id::{NodeIndex, StateId};
use crate::node::Arity;
use crate::value::Value;

/// One item, begun or ended.
const BEGUN: Tally = Tally { items: 1, holds: 0 };
const ENDED: Tally = Tally { items: -1, holds: 0 };

/// How an attempt ended without an output.
#[derive(Debug)]
pub(crate) struct Fault {
    pub error: Arc<str>,
    pub retryable: bool,
    pub timed_out: bool,
}

/// Steps of a walk, collected in a batch.
pub(crate) struct Walker<'a> {
    ground: &'a Ground,
    batch: &'a mut Batch,
    watched: bool,
}

/// A child that can be made: its inputs are there.
struct Child {
    node: NodeIndex,
    input: Value,
    path: Path,
}

impl<'a> Walker<'a> {
    /// `watched` says whether anybody sees events.
    pub(crate) const fn new(ground: &'a Ground, batch: &'a mut Batch, watched: bool) -> Self {
        Self { ground, batch, watched }
    }

    /// Makes the first execution of a run.
    pub(crate) fn begin(&mut self, input: Value) -> Option<Box<Execution>> {
        let root = self.ground.plan.root;
        let child = Child { node: root, input, path: Path::default() };
        self.create(child, &Scope::default(), &Tokens::default(), None)
    }

    /// The only output of an execution; its children go to `made`.
    pub(crate) fn returned(
        &mut self,
        mut execution: Box<Execution>,
        output: Value,
        made: &mut Executions,
    ) {
        self.count_branches(&execution, 1);
        if self.ground.plan.node(execution.node).arity() == Arity::Many {
            execution.path = execution.path.then(Step::Output(0));
        }
        self.batch.count(&execution.tokens, ENDED);
        let queued = Some(StateStatus::Queued);
        match self.output(&execution, queued, &output, made) {
            Ok(()) => self.record(execution, StateStatus::Success, Some(output), None),
            Err(error) => self.fail(execution, queued, StateStatus::NextCreatedError, &error),
        }
    }

    /// An attempt failed: the next one and its delay, or nothing if that was the last.
    pub(crate) fn faulted(
        &mut self,
        execution: Box<Execution>,
        fault: &Fault,
        rng: &mut Rng,
    ) -> Option<(Box<Execution>, Duration)> {
        let policy = &self.ground.plan.node(execution.node).retry;
        let last = if fault.timed_out { StateStatus::TimedOut } else { StateStatus::Errored };
        let next = (fault.retryable && policy.allows_retry(execution.attempt))
            .then(|| self.next_state(Some(execution.state)))
            .flatten();
        let Some(state) = next else {
            self.batch.count(&execution.tokens, ENDED);
            self.fail(execution, Some(StateStatus::Queued), last, &fault.error);
            return None;
        };
        self.moved(&execution, Some(StateStatus::Queued), StateStatus::RetryCreated);
        let error = Some(fault.error.clone());
        let next = Box::new(execution.again(state));
        let retry = NonZeroU32::MIN.saturating_add(execution.attempt);
        self.record(execution, StateStatus::RetryCreated, None, error);
        self.moved(&next, None, StateStatus::Created);
        Some((next, policy.delay(retry, rng)))
    }

    fn next_state(&mut self, parent: Option<StateId>) -> Option<StateId> {
        let limit = self.ground.plan.limits.max_states;
        self.ground.states.next(&mut self.batch.ids, parent, limit)
    }

    fn next_state_unlimited(&mut self, parent: Option<StateId>) -> StateId {
        let limit = self.ground.plan.limits.max_states;
        self.ground.states.next_unlimited(&mut self.batch.ids, parent, limit)
    }

    /// The same attempt runs again later.
    pub(crate) fn requeued(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Queued), StateStatus::Created);
    }

    /// An execution was handed to a lane.
    pub(crate) fn queued(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Created), StateStatus::Queued);
    }

    /// The handler ended its branch.
    pub(crate) fn pruned(&mut self, execution: Box<Execution>, data: Value) {
        let status = StateStatus::Pruned;
        self.moved(&execution, Some(StateStatus::Queued), status);
        self.cause(&execution, status, &"pruned".into());
        self.batch.count(&execution.tokens, ENDED);
        self.record(execution, status, Some(data), None);
    }

    /// The run was cancelled before the execution ended, while it had status `was`.
    pub(crate) fn cancelled(&mut self, execution: Box<Execution>, was: StateStatus) {
        self.batch.count(&execution.tokens, ENDED);
        self.cancel(execution, Some(was));
    }

    fn cancel(&mut self, execution: Box<Execution>, was: Option<StateStatus>) {
        let status = StateStatus::Cancelled;
        self.moved(&execution, was, status);
        self.cause(&execution, status, &"cancelled".into());
        self.record(execution, status, None, None);
    }

    /// The time of all attempts was over before the next one could start.
    pub(crate) fn expired(&mut self, execution: Box<Execution>, was: StateStatus) {
        self.batch.count(&execution.tokens, ENDED);
        let (attempts, was) = (execution.attempt, Some(was));
        let error = "the node ran out of time".into();
        self.fail_after(attempts, execution, was, StateStatus::TimedOut, &error);
    }

    /// Lists a state that is not going to end soon.
    pub(crate) fn list(&mut self, execution: &mut Execution, status: StateStatus) {
        if self.ground.retention.keeps_live() {
            execution.listed = true;
            self.keep(execution.clone(), status, None, None);
        }
    }
}
