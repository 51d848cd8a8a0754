//! What a step writes down: counts, causes, failures, records, events.

use std::sync::Arc;

use super::Walker;
use crate::event::EventKind;
use crate::run::batch::{Cause, Failure, Record, StateEnd};
use crate::run::execution::Execution;
use crate::run::status::StateStatus;
use crate::value::Value;

impl Walker<'_> {
    #[inline]
    pub(super) fn moved(
        &mut self,
        execution: &Execution,
        was: Option<StateStatus>,
        status: StateStatus,
    ) {
        self.batch.moved(execution.node, was, status);
        if self.watched {
            self.announce(execution, status);
        }
    }

    #[cold]
    fn announce(&mut self, execution: &Execution, status: StateStatus) {
        self.batch.events.push(EventKind::State {
            node: self.ground.plan.node(execution.node).identifier.clone(),
            state: execution.state,
            attempt: execution.attempt,
            status: status.as_str(),
        });
    }

    /// A state ended as a failure of its attempt.
    pub(super) fn fail(
        &mut self,
        execution: Box<Execution>,
        was: Option<StateStatus>,
        status: StateStatus,
        error: &Arc<str>,
    ) {
        let attempts = execution.attempt + 1;
        self.fail_after(attempts, execution, was, status, error);
    }

    /// A state ended as a failure when its handler had been called so often.
    pub(super) fn fail_after(
        &mut self,
        attempts: u32,
        execution: Box<Execution>,
        was: Option<StateStatus>,
        status: StateStatus,
        error: &Arc<str>,
    ) {
        self.moved(&execution, was, status);
        self.cause(&execution, status, error);
        let plan = &self.ground.plan;
        let tolerated = execution.tokens().iter().any(|token| plan.unites(token.merger).tolerate);
        self.batch.run.failures.push(Failure {
            state: execution.state,
            node: execution.node,
            status,
            error: error.clone(),
            attempts,
            tolerated,
            path: execution.path.clone(),
        });
        self.record(execution, status, StateEnd::Error(error.clone()));
    }

    /// Tells every group of the execution that it went wrong.
    pub(super) fn cause(&mut self, execution: &Execution, status: StateStatus, error: &Arc<str>) {
        for token in execution.tokens().iter() {
            let leads = self.ground.plan.unites(token.merger).leads.contains(execution.node);
            let delta = self.batch.group(token.group);
            delta.lost += i64::from(leads);
            delta.causes.push(Cause {
                state: execution.state,
                node: execution.node,
                status,
                error: error.clone(),
                path: execution.path.clone(),
                leads,
            });
        }
    }

    /// Keeps the record of a state.
    #[inline]
    pub(super) fn keep(&mut self, execution: Execution, status: StateStatus, end: StateEnd) {
        self.batch.run.records.push(Record { execution, status, end });
    }

    /// Writes down that a state succeeded; what only its record has goes there.
    #[inline(always)]
    pub(super) fn succeeded(
        &mut self,
        execution: &mut Execution,
        drawn: Option<(&Execution, u64)>,
        output: Value,
    ) {
        if !self.ground.retention.keeps(execution.state, StateStatus::Success) {
            return self.unlist(execution);
        }
        let trail = &mut self.batch.run.trail;
        match drawn {
            Some((fanout, index)) => trail.branch(fanout, execution, index, output),
            None => trail.succeeded(execution, output),
        }
    }

    /// Writes down how a state ended.
    #[inline]
    pub(super) fn record(&mut self, execution: Box<Execution>, status: StateStatus, end: StateEnd) {
        if self.ground.retention.keeps(execution.state, status) {
            let execution = self.batch.spare.take_out(execution);
            self.keep(execution, status, end);
        } else {
            self.forget(execution);
        }
    }

    /// Keeps no record of a state that ended.
    #[inline]
    fn forget(&mut self, execution: Box<Execution>) {
        self.unlist(&execution);
        self.batch.spare.put(execution);
    }

    /// Forgets the record of a state that was live, if there is one.
    #[inline]
    pub(super) fn unlist(&mut self, execution: &Execution) {
        if execution.listed {
            self.batch.run.trail.forget(execution.state);
        }
    }
}
