//! A resumable fanout of a run that comes back: its handler is called again, with the cursor.
//!
//! The call is the beginning of the stream: a lane draws from it as from any other, and what the call
//! ends with instead of a stream is an error of the stream.

use std::sync::Arc;

use futures_util::{TryStreamExt, stream};

use super::attempt::{Begun, Ended, attempt_facts, begin, finish};
use super::drawing::Drawing;
use super::lane::{Lane, Task};
use super::source::Fanout;
use crate::node::{
    Context as NodeContext, CursorError, Emission, NodeError, OutputStream, RunFacts, Signal,
};
use crate::run::durable::OpenResumable;
use crate::run::execution::Execution;
use crate::run::walk::Ground;
use crate::value::Value;

/// A handler that is to go on with a resumable fanout.
struct Recall {
    own: Execution,
    ground: Arc<Ground>,
    /// Those of the run, with the cursor.
    facts: Arc<RunFacts>,
    permits: Option<Arc<tokio::sync::Semaphore>>,
    drawn: u64,
}

impl Lane {
    /// Goes on with a resumable fanout behind the last output that is on record.
    pub(super) fn take_up_resumable(&mut self, open: OpenResumable) {
        let OpenResumable { own, drawn, cursor } = open;
        let tools = &self.tools;
        let recall = Recall {
            own: own.clone(),
            ground: tools.ground.clone(),
            facts: Arc::new(RunFacts { cursor, ..(*tools.facts).clone() }),
            permits: tools.pool.permits(own.node),
            drawn,
        };
        let outputs = Emission::Resumable(Box::pin(stream::once(recall.call()).try_flatten()));
        let max = tools.ground.plan.limits.max_fanout;
        let fanout = Arc::new(Fanout::resumed(own, outputs, drawn, max));
        self.tasks.push(Task::Drawing(Box::new(Drawing::of(fanout))));
    }
}

impl Recall {
    /// Calls the handler until it gives the rest of the stream, or says why it cannot.
    async fn call(self) -> Result<OutputStream<(Value, Value)>, NodeError> {
        let context = NodeContext::new(self.facts.clone(), attempt_facts(&self.own));
        loop {
            let returned = match self.attempt(&context).await {
                Ended::Many(Emission::Resumable(outputs)) => return Ok(outputs),
                Ended::Fault(fault) => {
                    return Err(NodeError::of_fault(&fault.error, fault.retryable));
                }
                Ended::Pruned(data) => return Err(Signal::Prune(data).into()),
                Ended::Requeue(delay) => {
                    self.facts.clock.sleep(delay).await;
                    continue;
                }
                Ended::Output(_) => "a single output",
                Ended::Many(_) => "outputs without cursors",
            };
            let (node, drawn) = (context.node().to_owned(), self.drawn);
            let error = CursorError::NotResumable { node, drawn, returned };
            return Err(NodeError::permanent(error));
        }
    }

    /// One call, within the time of an attempt and of its node, both of which begin anew.
    async fn attempt(&self, context: &NodeContext) -> Ended {
        let permit = match &self.permits {
            Some(permits) => permits.clone().acquire_owned().await.ok(),
            None => None,
        };
        self.facts.control.resumed().await;
        let node = self.ground.plan.node(self.own.node);
        let ended = match begin(&self.ground.plan, &self.own, context) {
            Begun::Ended(ended) => ended,
            Begun::Pending(future) => {
                let limit = [node.attempt_timeout, node.total_timeout].into_iter().flatten().min();
                let limit = limit.map(|limit| (self.facts.clock.sleep(limit), limit));
                finish(future, node.arity(), limit).await
            }
        };
        drop(permit);
        ended
    }
}
