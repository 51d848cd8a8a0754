//! A resumable fanout of a run that comes back: its handler is called again, with the cursor.
//!
//! The call is an attempt under way: it goes on whether or not its lane may start others, and while
//! the run is paused. What it ends with instead of a stream is an error of the stream.

use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::stream;

use super::attempt::{Begun, Ended, attempt_facts, begin, finish, retry_rng};
use super::drawing::Drawing;
use super::lane::{Lane, Task};
use super::parked::Parked;
use super::source::Fanout;
use super::wait::{Wait, Woken};
use crate::node::{
    Context as NodeContext, Emission, NodeError, OutputStream, RunFacts, Signal, no_attempt,
};
use crate::run::cell::RunCell;
use crate::run::durable::OpenResumable;
use crate::run::execution::Execution;
use crate::run::panics::drop_guarded;
use crate::run::walk::Fault;
use crate::value::Value;

/// The rest of a resumable stream, or why there is none.
pub(super) type Recalled = Result<OutputStream<(Value, Value)>, NodeError>;

/// A handler that is to go on with a resumable fanout.
struct Recall {
    own: Execution,
    cell: Arc<RunCell>,
    /// Those of the run, with the cursor.
    facts: Arc<RunFacts>,
    permits: Option<Arc<tokio::sync::Semaphore>>,
    drawn: u64,
}

impl Lane {
    /// Calls the handler of a resumable fanout, to go on behind the last output that is on record.
    pub(super) fn take_up_resumable(&mut self, open: OpenResumable) {
        let OpenResumable { own, drawn, cursor } = open;
        let tools = &self.tools;
        let recall = Recall {
            own: own.clone(),
            cell: tools.cell.clone(),
            facts: Arc::new(RunFacts { cursor, ..(*tools.facts).clone() }),
            permits: tools.pool.permits(own.node),
            drawn,
        };
        let key = self.park(Parked::Recall { own: Box::new(own), drawn });
        let wait = Box::pin(async move { (key, Woken::Recalled(recall.call().await)) });
        self.wait(Wait::Other(wait));
    }

    /// Draws the rest of a resumable fanout.
    pub(super) fn recalled(&mut self, own: Execution, drawn: u64, rest: Recalled) {
        let outputs =
            rest.unwrap_or_else(|error| Box::pin(stream::once(std::future::ready(Err(error)))));
        let max = self.tools.cell.ground.plan.limits.max_fanout;
        let fanout = Fanout::resumed(own, Emission::Resumable(outputs), drawn, max);
        self.tasks.push(Task::Drawing(Box::new(Drawing::of(Arc::new(fanout)))));
    }
}

impl Recall {
    /// Calls the handler within the time of its node, which begins anew.
    async fn call(self) -> Recalled {
        let Some(limit) = self.cell.ground.plan.node(self.own.node).total_timeout else {
            return self.calls().await;
        };
        tokio::select! {
            biased;
            rest = self.calls() => rest,
            () = self.facts.clock.sleep(limit) => {
                Err(NodeError::permanent("the node ran out of time"))
            }
        }
    }

    /// Calls the handler until it gives the rest of the stream, or says why it cannot.
    async fn calls(&self) -> Recalled {
        let context = NodeContext::new(self.facts.clone(), attempt_facts(&self.own));
        let mut failed = self.own.attempt;
        loop {
            let returned = match self.attempt(&context).await {
                Ended::Many(Emission::Resumable(outputs)) => return Ok(outputs),
                Ended::Fault(fault) => {
                    self.retry(&fault, failed).await?;
                    failed += 1;
                    continue;
                }
                Ended::Pruned(data) => return Err(Signal::Prune(data).into()),
                Ended::Requeue(delay) => {
                    self.facts.clock.sleep(delay).await;
                    continue;
                }
                Ended::Output(_) => "at most one output",
                Ended::Many(outputs) => {
                    drop_guarded(outputs);
                    "outputs without cursors"
                }
            };
            let (node, drawn) = (context.node(), self.drawn);
            return Err(NodeError::permanent(format_args!(
                "node `{node}`: it was called to go on after {drawn} outputs of `Emit::resumable`, \
                 and returned {returned}"
            )));
        }
    }

    /// Waits before the next call, if there may be one.
    async fn retry(&self, fault: &Fault, failed: u32) -> Result<(), NodeError> {
        let policy = &self.cell.ground.plan.node(self.own.node).retry;
        if !fault.retryable || !policy.allows_retry(failed) {
            return Err(NodeError::of_fault(&fault.error, fault.retryable));
        }
        let mut rng = retry_rng(&self.facts, &self.own, failed);
        let delay = policy.delay(NonZeroU32::MIN.saturating_add(failed), &mut rng);
        self.facts.clock.sleep(delay).await;
        Ok(())
    }

    /// One call, within the time of an attempt.
    async fn attempt(&self, context: &NodeContext) -> Ended {
        let permit = match &self.permits {
            Some(permits) => permits.clone().acquire_owned().await.ok(),
            None => None,
        };
        self.facts.control.resumed().await;
        let node = self.cell.ground.plan.node(self.own.node);
        let begun = begin(&self.cell.ground.plan, &self.own, context, &mut no_attempt());
        let ended = match begun {
            Begun::Ended(ended) => ended,
            Begun::Pending(future) => {
                let limit = node.attempt_timeout;
                let limit = limit.map(|limit| (self.facts.clock.sleep(limit), limit));
                finish(future, node.arity(), limit).await
            }
        };
        drop(permit);
        ended
    }
}
