//! One attempt of an execution: calls the handler and says how it ended.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::{Rng, Sleep};
use crate::graph::Plan;
use crate::node::{
    Arity, AttemptFacts, AttemptFuture, Call, Context as NodeContext, Emission, ErasedNode,
    ErrorKind, NodeError, RunFacts, Signal, no_attempt,
};
use crate::run::execution::Execution;
use crate::run::panics::{Guarded, drop_guarded, guarded};
use crate::run::walk::Fault;
use crate::value::Value;

/// Why a fold is not requeued.
const REQUEUED_FOLD: &str =
    "a fold that keeps no elements cannot be requeued; `Handler::ordered` keeps them";

/// How an attempt ended.
pub(crate) enum Ended {
    Output(Value),
    Many(Emission),
    Fault(Fault),
    Pruned(Value),
    Requeue(Duration),
}

/// What became of an attempt when it was called and polled once; a panic is an error.
pub(super) type Called = Result<Poll<Result<Emission, NodeError>>, NodeError>;

/// An attempt that was polled once.
pub(crate) enum Begun {
    Ended(Ended),
    Pending(Guarded),
}

/// Calls the handler and polls it where it stands.
///
/// `attempt` is none, or one that has ended.
#[inline]
pub(crate) fn begin(
    plan: &Plan,
    execution: &Execution,
    context: &NodeContext,
    attempt: &mut AttemptFuture,
) -> Begun {
    let handler = &plan.node(execution.node).handler;
    let node = match handler.call() {
        Call::Fold(_) => return Begun::Ended(finish_fold(execution)),
        Call::Attempt(node) | Call::KeptFold(node) => node,
    };
    Begun::of(call(&**node, &execution.input, context, attempt), attempt, handler.arity())
}

/// Calls a handler and polls what it returns where it stands.
#[inline]
pub(super) fn call(
    node: &dyn ErasedNode,
    input: &Value,
    context: &NodeContext,
    attempt: &mut AttemptFuture,
) -> Called {
    let mut cx = Context::from_waker(Waker::noop());
    guarded(|| {
        node.call(input, context, attempt);
        attempt.poll(&mut cx)
    })
}

impl Begun {
    /// What `attempt` is after the call of a handler with so many outputs.
    #[inline]
    pub(super) fn of(called: Called, attempt: &mut AttemptFuture, arity: Arity) -> Self {
        match called {
            // What has ended dropped all it had, and stays where it is until another takes its place.
            Ok(Poll::Ready(result)) => Self::Ended(classify(result, arity)),
            Ok(Poll::Pending) => {
                Self::Pending(Guarded::new(std::mem::replace(attempt, no_attempt())))
            }
            Err(panic) => {
                drop_guarded(std::mem::replace(attempt, no_attempt()));
                Self::Ended(Ended::Fault(Fault::of(&panic)))
            }
        }
    }
}

/// What a handler is told of its attempt.
#[inline]
pub(crate) fn attempt_facts(execution: &Execution) -> AttemptFacts {
    AttemptFacts {
        node: execution.node,
        state: execution.state,
        attempt: execution.attempt,
        execution: execution.origin(),
        repeat: execution.id,
        united: execution.merge().map(|merge| merge.united.clone()),
    }
}

/// Where the jitter of a retry comes from, when so many attempts failed before.
pub(super) fn retry_rng(facts: &RunFacts, execution: &Execution, failed: u32) -> Rng {
    let failed = u64::from(failed).to_le_bytes();
    Rng::seeded(xxh3_64_with_seed(&failed, facts.seed ^ execution.id))
}

fn finish_fold(execution: &Execution) -> Ended {
    let folded = execution.merge().and_then(|merge| merge.fold.lock().take());
    let finished = match folded {
        Some(Ok(fold)) => fold.finish(),
        Some(Err(error)) => Err(error),
        None => Err(NodeError::new("the fold's elements were not kept")),
    };
    match finished {
        Ok(output) => Ended::Output(output),
        // Without its elements a fold cannot be tried again, whether now or later.
        Err(error) => match classify(Err(error.no_retry()), Arity::One) {
            Ended::Requeue(_) => Ended::Fault(Fault::of(&NodeError::permanent(REQUEUED_FOLD))),
            ended => ended,
        },
    }
}

/// Waits for an attempt, but no longer than `limit`.
pub(crate) async fn finish(
    mut future: Guarded,
    arity: Arity,
    limit: Option<(Sleep, Duration)>,
) -> Ended {
    let Some((mut sleep, limit)) = limit else { return classify(future.await, arity) };
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = Pin::new(&mut future).poll(cx) {
            return Poll::Ready(classify(result, arity));
        }
        sleep.as_mut().poll(cx).map(|()| Ended::Fault(Fault::timed_out(limit)))
    })
    .await
}

#[inline]
pub(super) fn classify(result: Result<Emission, NodeError>, arity: Arity) -> Ended {
    match result {
        Ok(Emission::Nothing) => Ended::Output(Value::empty_object()),
        Ok(Emission::One(output)) => Ended::Output(output),
        Ok(many) if arity == Arity::One => {
            drop_guarded(many);
            let error = NodeError::permanent("a handler of one output returned several");
            Ended::Fault(Fault::of(&error))
        }
        Ok(many) => Ended::Many(many),
        Err(error) => match error.kind {
            ErrorKind::Signal(Signal::Prune(data)) => Ended::Pruned(data),
            ErrorKind::Signal(Signal::RequeueAfter(delay)) => Ended::Requeue(delay),
            ErrorKind::Failed { .. } => Ended::Fault(Fault::of(&error)),
        },
    }
}

impl Fault {
    /// A failure as the handler described it.
    pub(crate) fn of(error: &NodeError) -> Self {
        let retryable = error.is_retryable();
        Self { error: error.to_string().into(), retryable, timed_out: false }
    }

    fn timed_out(limit: Duration) -> Self {
        let error = format!("timed out after {} ms", limit.as_millis());
        Self { error: error.into(), retryable: true, timed_out: true }
    }
}
