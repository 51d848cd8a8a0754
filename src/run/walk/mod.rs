//! What follows when an attempt ends: pure, and carried out by whichever lane holds the branch.
//!
//! Everything a step changes goes into one [`Batch`]: the end of what ended and the beginning of
//! what it led to, so that no group looks settled in between.

mod branch;
mod fan;
mod ground;
mod merge;
mod note;
mod straight;
mod write;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use branch::resolve_inputs;
pub(crate) use fan::Branched;
pub(crate) use ground::Ground;
pub(crate) use merge::Retaken;
pub(crate) use straight::Led;

use super::batch::{Batch, StateEnd, Tally};
use super::durable::{AttemptKey, Entry};
use super::execution::{Execution, Executions};
use super::path::{Path, Step};
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    numbers: Numbers<'a>,
}

/// Where the numbers of states come from.
enum Numbers<'a> {
    /// They are new, and forgotten.
    New,
    /// They are new, and written down in the batch until the step that takes them is.
    Written,
    /// They are those that were written down when the step was first taken.
    Given(std::slice::Iter<'a, u64>),
}

/// How a state succeeds.
#[derive(Clone, Copy)]
struct Success<'a> {
    /// The status that it had.
    was: Option<StateStatus>,
    /// The fanout that its output was drawn from, and the output's place.
    drawn: Option<(&'a Execution, u64)>,
}

/// A state that has an output and cannot have its children, and why.
type Childless = (Box<Execution>, Arc<str>);

/// A child that can be made: its inputs are there.
struct Child {
    node: NodeIndex,
    input: Value,
    path: Path,
    /// What its parent can read, and the groups that it is counted in.
    scope: Scope,
}

impl<'a> Walker<'a> {
    /// `watched` says whether anybody sees events.
    pub(crate) fn new(ground: &'a Ground, batch: &'a mut Batch, watched: bool) -> Self {
        let numbers = match ground.is_durable {
            true => Numbers::Written,
            false => Numbers::New,
        };
        // Those of a step that was not written down.
        batch.numbers.clear();
        Self { ground, batch, watched, numbers }
    }

    /// Takes a step again that was taken before, with the numbers that it took then.
    pub(crate) fn again(ground: &'a Ground, batch: &'a mut Batch, ids: &'a [u64]) -> Self {
        Self { ground, batch, watched: false, numbers: Numbers::Given(ids.iter()) }
    }

    /// Makes the first execution of a run.
    pub(crate) fn begin(&mut self, input: Value) -> Option<Box<Execution>> {
        let root = self.ground.plan.root;
        let child = Child { node: root, input, path: Path::default(), scope: Scope::default() };
        self.try_create(child, None)
    }

    /// The only output of an execution that had status `was`; its children go to `made`.
    #[inline]
    pub(crate) fn returned(
        &mut self,
        (mut execution, was): (Box<Execution>, StateStatus),
        output: Value,
        made: &mut Executions,
    ) {
        let written = self.writes().then(|| (AttemptKey::from(&*execution), output.clone()));
        self.count_branches(&execution, 1);
        if self.ground.plan.node(execution.node).arity() == Arity::Many {
            execution.path = execution.path.then(Step::Output(0));
        }
        let success = Success { was: Some(was), drawn: None };
        if let Err((execution, error)) = self.output(execution, &success, output, made) {
            self.batch.count(execution.tokens(), ENDED);
            self.fail(execution, success.was, StateStatus::NextCreatedError, &error);
        }
        if let Some((of, output)) = written {
            self.write(|ids| Entry::Returned { of, output, ids });
        }
    }

    /// An attempt failed: the next one and its delay, or nothing if that was the last.
    pub(crate) fn faulted(
        &mut self,
        execution: Box<Execution>,
        fault: &Fault,
        rng: &mut Rng,
    ) -> Option<(Box<Execution>, Duration)> {
        let (of, deadline) = (AttemptKey::from(&*execution), execution.deadline());
        let next = self.fault(execution, fault, rng);
        let delay = next.as_ref().map_or(0, |(_, delay)| micros(*delay));
        self.write(|ids| Entry::Faulted { of, fault: fault.clone(), delay, deadline, ids });
        next
    }

    fn fault(
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
            self.batch.count(execution.tokens(), ENDED);
            self.fail(execution, Some(StateStatus::Queued), last, &fault.error);
            return None;
        };
        self.moved(&execution, Some(StateStatus::Queued), StateStatus::RetryCreated);
        let error = StateEnd::Error(fault.error.clone());
        let next = Box::new(execution.again(state));
        let retry = NonZeroU32::MIN.saturating_add(execution.attempt);
        self.record(execution, StateStatus::RetryCreated, error);
        self.moved(&next, None, StateStatus::Created);
        Some((next, policy.delay(retry, rng)))
    }

    /// The same attempt runs again later.
    pub(crate) fn requeued(&mut self, execution: &Execution, delay: Duration) {
        self.moved(execution, Some(StateStatus::Queued), StateStatus::Created);
        let (of, deadline) = (execution.into(), execution.deadline());
        self.write(|_| Entry::Requeued { of, delay: micros(delay), deadline });
    }

    /// An execution was handed to a lane.
    #[inline]
    pub(crate) fn queued(&mut self, execution: &Execution) {
        self.moved(execution, Some(StateStatus::Created), StateStatus::Queued);
    }

    /// The handler ended its branch.
    pub(crate) fn pruned(&mut self, execution: Box<Execution>, data: Value) {
        let status = StateStatus::Pruned;
        let of = AttemptKey::from(&*execution);
        self.write(|_| Entry::Pruned { of, data: data.clone() });
        self.moved(&execution, Some(StateStatus::Queued), status);
        self.cause(&execution, status, &"pruned".into());
        self.batch.count(execution.tokens(), ENDED);
        self.record(execution, status, StateEnd::Output(data));
    }

    /// The run was cancelled before the execution ended, while it had status `was`.
    pub(crate) fn cancelled(&mut self, execution: Box<Execution>, was: StateStatus) {
        self.batch.count(execution.tokens(), ENDED);
        self.cancel(execution, Some(was));
    }

    fn cancel(&mut self, execution: Box<Execution>, was: Option<StateStatus>) {
        let status = StateStatus::Cancelled;
        self.moved(&execution, was, status);
        self.cause(&execution, status, &"cancelled".into());
        self.record(execution, status, StateEnd::Nothing);
    }

    /// The time of all attempts was over before the next one could start.
    pub(crate) fn expired(&mut self, execution: Box<Execution>, was: StateStatus) {
        let (of, was_queued) = (AttemptKey::from(&*execution), was == StateStatus::Queued);
        self.write(|_| Entry::Expired { of, was_queued });
        self.batch.count(execution.tokens(), ENDED);
        let (attempts, was) = (execution.attempt, Some(was));
        let error = "the node ran out of time".into();
        self.fail_after(attempts, execution, was, StateStatus::TimedOut, &error);
    }

    /// Lists a state that is not going to end soon.
    pub(crate) fn list(&mut self, execution: &mut Execution, status: StateStatus) {
        if self.ground.retention.keeps_live() {
            execution.listed = true;
            self.batch.run.trail.list(execution, status);
        }
    }
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)
}
