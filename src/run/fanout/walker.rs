//! How a lane starts attempts, parks those that wait, and goes on when they end.

use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::attempt::{Begun, Ended, begin, finish};
use super::lane::{Lane, LaneArguments, Task, Waiting, Woken};
use super::source::Fanout;
use crate::clock::Rng;
use crate::id::StateId;
use crate::node::Emission;
use crate::run::execution::Execution;
use crate::run::panics::Guarded;
use crate::run::status::StateStatus;
use crate::run::walk::Fault;

impl Lane {
    /// Starts an attempt and polls it where it stands.
    pub(super) fn start(&mut self, mut execution: Execution) {
        let ground = self.shared.ground.clone();
        let node = ground.plan.node(execution.node);
        if self.is_expired(&execution) {
            return self.step_with(|walker| walker.expired(&execution, StateStatus::Created));
        }
        if let (Some(total), None) = (node.total_timeout, execution.deadline) {
            execution.deadline = Some(self.shared.facts.clock.now().after(total));
        }
        self.step_with(|walker| walker.queued(&execution));
        let Some(permits) = self.shared.pool.permits(execution.node) else {
            match begin(&ground.plan, &self.shared.facts, &execution) {
                Begun::Ended(ended) => self.ended(execution, ended),
                Begun::Pending(future) => self.park_attempt(execution, future),
            }
            return;
        };
        let shared = self.shared.clone();
        let (state, limited) = (execution.state, execution.clone());
        self.park(
            execution,
            StateStatus::Queued,
            Box::pin(async move {
                let permit = permits.acquire_owned().await;
                let ended = match begin(&shared.ground.plan, &shared.facts, &limited) {
                    Begun::Ended(ended) => ended,
                    Begun::Pending(future) => shared.finish(&limited, future).await,
                };
                drop(permit);
                (state, Woken::Ended(ended))
            }),
        );
    }

    pub(super) fn is_expired(&self, execution: &Execution) -> bool {
        execution.deadline.is_some_and(|deadline| self.shared.facts.clock.now() >= deadline)
    }

    pub(super) fn park_attempt(&mut self, execution: Execution, future: Guarded<Emission>) {
        let (state, shared) = (execution.state, self.shared.clone());
        let attempt = execution.clone();
        self.park(
            execution,
            StateStatus::Queued,
            Box::pin(async move { (state, Woken::Ended(shared.finish(&attempt, future).await)) }),
        );
    }

    /// Lets an execution wait; how it goes on is decided when it is woken.
    pub(super) fn park(&mut self, execution: Execution, status: StateStatus, waiting: Waiting) {
        self.unlisted.push(execution.state);
        self.parked.insert(execution.state, (execution, status));
        self.waiting.push(waiting);
    }

    pub(super) fn park_for(&mut self, execution: Execution, delay: Duration) {
        if delay.is_zero() {
            return self.tasks.push(Task::Execution(execution));
        }
        let now = self.shared.facts.clock.now();
        let left = execution.deadline.map_or(delay, |deadline| deadline.since(now));
        let sleep = self.shared.facts.clock.sleep(delay.min(left));
        let state = execution.state;
        self.park(
            execution,
            StateStatus::Created,
            Box::pin(async move {
                sleep.await;
                (state, Woken::Due)
            }),
        );
    }

    pub(super) fn woken(&mut self, state: StateId, woken: Woken) {
        let Some((execution, _)) = self.parked.remove(&state) else { return };
        match woken {
            Woken::Ended(ended) => self.ended(execution, ended),
            Woken::Due => self.tasks.push(Task::Execution(execution)),
        }
    }

    pub(super) fn ended(&mut self, execution: Execution, ended: Ended) {
        match ended {
            Ended::Output(output) => {
                let children = self.step_with(|walker| walker.returned(&execution, output));
                self.go_on(children);
            }
            Ended::Many(outputs) => {
                self.step_with(|walker| walker.fanned_out(&execution));
                let max = self.shared.ground.plan.limits.max_fanout;
                self.tasks.push(Task::Fanout(Arc::new(Fanout::new(execution, outputs, max))));
            }
            Ended::Fault(fault) => self.faulted(&execution, &fault),
            Ended::Pruned(data) => self.step_with(|walker| walker.pruned(&execution, data)),
            Ended::Requeue(delay) => {
                self.step_with(|walker| walker.requeued(&execution));
                self.park_for(execution, delay);
            }
        }
    }

    pub(super) fn faulted(&mut self, execution: &Execution, fault: &Fault) {
        let attempt = u64::from(execution.attempt).to_le_bytes();
        let seed = self.shared.facts.seed ^ execution.id;
        let mut rng = Rng::seeded(xxh3_64_with_seed(&attempt, seed));
        let next = self.step_with(|walker| walker.faulted(execution, fault, &mut rng));
        if let Some((next, delay)) = next {
            self.park_for(next, delay);
        }
    }

    /// Goes on with the first child; the others wait their turn.
    pub(super) fn go_on(&mut self, children: Vec<Execution>) {
        for child in children.into_iter().rev() {
            match child.not_before {
                Some(delay) => self.park_for(Execution { not_before: None, ..child }, delay),
                None => self.tasks.push(Task::Execution(child)),
            }
        }
    }
}

impl LaneArguments {
    /// Waits for an attempt within its own and its node's time.
    async fn finish(&self, execution: &Execution, future: Guarded<Emission>) -> Ended {
        let node = self.ground.plan.node(execution.node);
        let clock = &self.facts.clock;
        let left = execution.deadline.map(|deadline| deadline.since(clock.now()));
        let limit = [node.attempt_timeout, left].into_iter().flatten().min();
        let limit = limit.map(|limit| (clock.sleep(limit), limit));
        finish(future, node.arity(), limit).await
    }
}
