//! What follows when an attempt ends: pure, and carried out by whichever lane holds the branch.
//!
//! Everything a step changes goes into one [`Batch`]: the end of what ended and the beginning of
//! what it led to, so that no group looks settled in between.

mod branch;
mod fan;
mod ground;
mod merge;
mod note;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use branch::resolve_inputs;
pub(crate) use ground::Ground;

use super::batch::{Batch, Tally};
use super::execution::{Execution, Tokens};
use super::path::Path;
use super::scope::Scope;
use super::status::StateStatus;
use crate::clock::Rng;
use crate::id::NodeIndex;
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
    pub(crate) fn begin(&mut self, input: Value) -> Option<Execution> {
        let root = self.ground.plan.root;
        let child = Child { node: root, input, path: Path::default() };
        self.create(child, &Scope::default(), &Tokens::from([]), None)
    }

    /// The only output of an execution: its children.
    pub(crate) fn returned(&mut self, execution: &Execution, output: Value) -> Vec<Execution> {
        self.count_branches(execution, 1);
        let step = match self.ground.plan.node(execution.node).arity() {
            Arity::One => None,
            Arity::Many => Some(0),
        };
        let queued = Some(StateStatus::Queued);
        let children = self.output(execution, execution.state, queued, output, step);
        self.batch.count(&execution.tokens, ENDED);
        children
    }

    /// An attempt failed: the next one and its delay, or nothing if that was the last.
    pub(crate) fn faulted(
        &mut self,
        execution: &Execution,
        fault: &Fault,
        rng: &mut Rng,
    ) -> Option<(Execution, Duration)> {
        let policy = &self.ground.plan.node(execution.node).retry;
        let last = if fault.timed_out { StateStatus::TimedOut } else { StateStatus::Errored };
        let next = (fault.retryable && policy.decide(execution.attempt))
            .then(|| self.ground.next_state())
            .flatten();
        let Some(state) = next else {
            self.fail(execution, Some(StateStatus::Queued), last, &fault.error);
            self.batch.count(&execution.tokens, ENDED);
            return None;
        };
        self.moved(execution, Some(StateStatus::Queued), StateStatus::RetryCreated);
        let error = Some(fault.error.clone());
        self.record(execution, StateStatus::RetryCreated, None, error);
        let next = execution.clone().again(state);
        self.moved(&next, None, StateStatus::Created);
        let delay = policy.delay(next.attempt, rng).expect("retries count from one");
        Some((next, delay))
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
    pub(crate) fn pruned(&mut self, execution: &Execution, data: Value) {
        let status = StateStatus::Pruned;
        self.moved(execution, Some(StateStatus::Queued), status);
        let error: Arc<str> = "pruned".into();
        self.cause(execution, status, &error);
        self.record(execution, status, Some(data), None);
        self.batch.count(&execution.tokens, ENDED);
    }

    /// The run was cancelled before the execution ended, while it had status `was`.
    pub(crate) fn cancelled(&mut self, execution: &Execution, was: StateStatus) {
        let status = StateStatus::Cancelled;
        self.moved(execution, Some(was), status);
        self.cause(execution, status, &"cancelled".into());
        self.record(execution, status, None, None);
        self.batch.count(&execution.tokens, ENDED);
    }

    /// The time of all attempts was over before the next one could start.
    pub(crate) fn expired(&mut self, execution: &Execution, was: StateStatus) {
        let error: Arc<str> = "the node ran out of time".into();
        self.fail(execution, Some(was), StateStatus::TimedOut, &error);
        self.batch.count(&execution.tokens, ENDED);
    }

    /// Lists a state that is not going to end soon.
    pub(crate) fn list(&mut self, execution: &Execution, status: StateStatus) {
        if self.ground.retention.keeps_live(execution.state) {
            self.put(execution, status, None, None);
        }
    }
}
