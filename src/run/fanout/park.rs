//! How a lane starts attempts, parks those that wait, and goes on when they end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::attempt::{Begun, Ended, attempt_facts, begin, finish, retry_rng};
use super::drawing::Drawing;
use super::keeping::Keeping;
use super::lane::{Lane, Task, Tools};
use super::parked::Parked;
use super::source::Fanout;
use super::wait::{AttemptWait, Wait, Woken};
use crate::clock::Timestamp;
use crate::id::NodeIndex;
use crate::node::{Context as NodeContext, no_attempt};
use crate::run::execution::Execution;
use crate::run::panics::Guarded;
use crate::run::status::StateStatus;
use crate::run::walk::Fault;
use crate::value::Value;

/// Fanouts with more branches make room for their records as they go.
const FEW_BRANCHES: usize = 128;

/// Room for the records of a merger and of some nodes after it.
const FEW_MORE: usize = 8;

impl Lane {
    /// Starts an attempt and polls it where it stands.
    #[inline]
    pub(super) fn start(&mut self, mut execution: Box<Execution>) {
        if self.tools.is_expired(&execution) {
            return self.step_with(|walker| walker.expired(execution, StateStatus::Created));
        }
        let tools = &self.tools;
        if let (Some(total), None) =
            (tools.cell.ground.plan.node(execution.node).total_timeout, execution.deadline())
        {
            execution.set_deadline(Some(tools.facts.clock.now().after(total)));
        }
        match tools.pool.permits(execution.node) {
            None => self.attempt(execution, None),
            Some(permits) => match permits.clone().try_acquire_owned() {
                Ok(permit) => self.attempt(execution, Some(permit)),
                Err(_) => self.queue(execution, permits),
            },
        }
    }

    /// Calls the handler; `permit` is given back when the attempt has ended.
    #[inline]
    fn attempt(&mut self, execution: Box<Execution>, permit: Option<OwnedSemaphorePermit>) {
        self.context.turn_to(attempt_facts(&execution));
        // That it is under way is told first only if somebody can see it before it has ended.
        let is_told = self.tools.cell.bus.is_watched();
        if is_told {
            self.step_with(|walker| walker.queued(&execution));
        }
        let begun = begin(&self.tools.cell.ground.plan, &execution, &self.context, &mut self.next);
        if !is_told {
            if let Begun::Ended(Ended::Output(output)) = begun {
                return self.returned((execution, StateStatus::Created), output);
            }
            self.step_with(|walker| walker.queued(&execution));
        }
        self.begun(execution, begun, permit);
    }

    /// What follows when an attempt was polled once.
    pub(super) fn begun(
        &mut self,
        execution: Box<Execution>,
        begun: Begun,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        match begun {
            Begun::Ended(ended) => self.ended(execution, ended),
            Begun::Pending(future) => {
                let attempt = Attempt::of(&execution);
                let key = self.park_execution(execution, StateStatus::Queued);
                let wait = self.wait_for((key, attempt), future, permit);
                self.wait(wait);
            }
        }
    }

    /// The wait for an attempt under way.
    fn wait_for(
        &self,
        (key, attempt): (usize, Attempt),
        future: Guarded,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Wait {
        let node = self.tools.cell.ground.plan.node(attempt.node);
        if node.attempt_timeout.is_none() && attempt.deadline.is_none() {
            return Wait::Attempt(AttemptWait { key, future, arity: node.arity(), permit });
        }
        let tools = self.tools.clone();
        Wait::Other(Box::pin(async move {
            let ended = tools.finish(attempt, future).await;
            drop(permit);
            (key, Woken::Ended(ended))
        }))
    }

    /// Waits for a permit of a node whose concurrency is limited.
    fn queue(&mut self, execution: Box<Execution>, permits: Arc<Semaphore>) {
        self.step_with(|walker| walker.queued(&execution));
        let (tools, queued) = (self.tools.clone(), execution.clone());
        let key = self.park_execution(execution, StateStatus::Queued);
        let wait = Box::pin(async move {
            let permit = permits.acquire_owned().await;
            tools.pool.control.resumed().await;
            if tools.is_expired(&queued) {
                return (key, Woken::Expired);
            }
            let context = NodeContext::new(tools.facts.clone(), attempt_facts(&queued));
            let begun = begin(&tools.cell.ground.plan, &queued, &context, &mut no_attempt());
            let ended = match begun {
                Begun::Ended(ended) => ended,
                Begun::Pending(future) => tools.finish(Attempt::of(&queued), future).await,
            };
            drop(permit);
            (key, Woken::Ended(ended))
        });
        self.wait(Wait::Other(wait));
    }

    /// Lets something wait, and says by which key it is woken; how it goes on is decided then.
    pub(super) fn park(&mut self, parked: Parked) -> usize {
        self.parked.insert(parked)
    }

    fn park_execution(&mut self, execution: Box<Execution>, status: StateStatus) -> usize {
        let execution = self.batch.spare.take_out(execution);
        self.park(Parked::Execution { execution, status })
    }

    /// Waits, among other things, for what was parked.
    pub(super) fn wait(&mut self, wait: Wait) {
        self.waiting.get_or_insert_default().push(wait);
    }

    /// Goes on with an execution when the delay is over.
    pub(super) fn park_for(&mut self, execution: Box<Execution>, delay: Duration) {
        if delay.is_zero() {
            return self.tasks.push(Task::Execution(execution));
        }
        let clock = &self.tools.facts.clock;
        let left = execution.deadline().map_or(delay, |deadline| deadline.since(clock.now()));
        let sleep = clock.sleep(delay.min(left));
        let key = self.park_execution(execution, StateStatus::Created);
        self.wait(Wait::Other(Box::pin(async move {
            sleep.await;
            (key, Woken::Due)
        })));
    }

    pub(super) fn woken(&mut self, key: usize, woken: Woken) {
        let Some(parked) = self.parked.remove(key) else { return };
        match parked {
            Parked::Execution { execution, .. } => {
                let execution = self.batch.spare.put_in(execution);
                self.execution_woken(execution, woken);
            }
            Parked::Recall { own, drawn } => {
                let Woken::Recalled(rest) = woken else { unreachable!("it was called again") };
                self.recalled(*own, drawn, rest);
            }
        }
        self.go_on();
    }

    fn execution_woken(&mut self, execution: Box<Execution>, woken: Woken) {
        match woken {
            Woken::Ended(ended) => self.ended(execution, ended),
            Woken::Due => self.tasks.push(Task::Execution(execution)),
            Woken::Expired => {
                self.step_with(|walker| walker.expired(execution, StateStatus::Queued));
            }
            Woken::Recalled(_) => unreachable!("it was not called again"),
        }
    }

    /// What follows from the end of an attempt; children go to `made`.
    fn ended(&mut self, execution: Box<Execution>, ended: Ended) {
        match ended {
            Ended::Output(output) => self.returned((execution, StateStatus::Queued), output),
            Ended::Many(outputs) if self.tools.cell.journal.is_some() => {
                let max = self.tools.cell.ground.plan.limits.max_fanout;
                self.tasks.push(Task::Keeping(Box::new(Keeping::new(*execution, outputs, max))));
            }
            Ended::Many(outputs) => {
                self.step_with(|walker| walker.fanned_out(&execution, 0, None));
                let max = self.tools.cell.ground.plan.limits.max_fanout;
                let fanout = Arc::new(Fanout::new(*execution, outputs.without_cursors(), max));
                self.make_room(&fanout);
                self.tasks.push(Task::Drawing(Box::new(Drawing::opened(fanout))));
                self.opened = true;
            }
            Ended::Fault(fault) => self.faulted(execution, &fault),
            Ended::Pruned(data) => self.step_with(|walker| walker.pruned(execution, data)),
            Ended::Requeue(delay) => {
                self.step_with(|walker| walker.requeued(&execution, delay));
                self.park_for(execution, delay);
            }
        }
    }

    /// Makes room for the records of a fanout's branches, each with one child, if they are few; and
    /// for those of what follows, which would have all of them moved.
    fn make_room(&mut self, fanout: &Fanout) {
        let (branches, state) = (fanout.at_least(), fanout.execution.state);
        let is_kept = self.tools.cell.ground.retention.keeps(state, StateStatus::Success);
        if is_kept && branches <= FEW_BRANCHES {
            self.batch.run.trail.reserve(2 * branches + FEW_MORE);
        }
    }

    /// The only output of an execution that had this status.
    #[inline]
    pub(super) fn returned(&mut self, execution: (Box<Execution>, StateStatus), output: Value) {
        self.step_making(|walker, made| walker.returned(execution, output, made));
        self.hold();
    }

    /// What a state led to waits until the state is on record, if every state has to be.
    fn hold(&mut self) {
        if self.tools.cell.journal.as_ref().is_some_and(|journal| journal.is_every_state()) {
            self.held.extend(self.made.drain(..).rev().map(Task::Execution));
        }
    }

    pub(super) fn faulted(&mut self, execution: Box<Execution>, fault: &Fault) {
        let mut rng = retry_rng(&self.tools.facts, &execution, execution.attempt);
        let next = self.step_with(|walker| walker.faulted(execution, fault, &mut rng));
        if let Some((next, delay)) = next {
            self.park_for(next, delay);
        }
    }

    /// Puts what was made on top of the tasks, the first child uppermost.
    pub(super) fn go_on(&mut self) {
        if !self.made.is_empty() {
            self.tasks.extend(self.made.drain(..).rev().map(Task::Execution));
        }
    }
}

/// What the wait for an attempt needs to know of it.
#[derive(Clone, Copy)]
struct Attempt {
    node: NodeIndex,
    deadline: Option<Timestamp>,
}

impl Attempt {
    fn of(execution: &Execution) -> Self {
        Self { node: execution.node, deadline: execution.deadline() }
    }
}

impl Tools {
    /// Whether the time of all attempts together is over.
    fn is_expired(&self, execution: &Execution) -> bool {
        execution.deadline().is_some_and(|deadline| self.facts.clock.now() >= deadline)
    }

    /// Waits for an attempt within its own and its node's time.
    async fn finish(&self, attempt: Attempt, future: Guarded) -> Ended {
        let node = self.cell.ground.plan.node(attempt.node);
        let clock = &self.facts.clock;
        let left = attempt.deadline.map(|deadline| deadline.since(clock.now()));
        let limit = [node.attempt_timeout, left].into_iter().flatten().min();
        let limit = limit.map(|limit| (clock.sleep(limit), limit));
        finish(future, node.arity(), limit).await
    }
}
