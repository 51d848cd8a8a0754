//! Where user code runs: a panic in it becomes an error of its state.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) use crate::node::drop_guarded;
use crate::node::{AttemptFuture, Emission, ErasedFold, FoldState, NodeError, drop_payload};
use crate::value::Value;

/// Calls user code.
#[inline]
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, NodeError> {
    catch_unwind(AssertUnwindSafe(code)).map_err(panicked)
}

fn panicked(payload: Box<dyn Any + Send>) -> NodeError {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                drop_payload(payload);
                "a value that is no text".to_owned()
            }
        },
    };
    NodeError::new(format_args!("panicked: {text}"))
}

/// An attempt under way: its polls and its drop are guarded.
pub(crate) struct Guarded {
    future: Option<AttemptFuture>,
}

impl Guarded {
    pub(crate) const fn new(future: AttemptFuture) -> Self {
        Self { future: Some(future) }
    }
}

impl Future for Guarded {
    type Output = Result<Emission, NodeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let polled = guarded(|| future.poll(cx));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                drop_guarded(self.future.take());
                Poll::Ready(result)
            }
            Err(error) => {
                drop_guarded(self.future.take());
                Poll::Ready(Err(error))
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop_guarded(self.future.take());
    }
}

/// A fold in progress: all it does is guarded, and so is its drop, wherever that happens.
pub(crate) struct GuardedFold {
    state: Option<Box<dyn FoldState>>,
}

impl GuardedFold {
    pub(crate) fn begin(fold: &dyn ErasedFold) -> Result<Self, NodeError> {
        guarded(|| fold.init()).map(|state| Self { state: Some(state) })
    }

    /// Adds one element.
    pub(crate) fn step(&mut self, element: Value) -> Result<(), NodeError> {
        let state = self.state.as_mut().expect("only its end takes the state");
        guarded(|| state.step(element)).unwrap_or_else(Err)
    }

    /// Makes the output.
    pub(crate) fn finish(mut self) -> Result<Value, NodeError> {
        let state = self.state.take().expect("only its end takes the state");
        guarded(|| state.finish()).unwrap_or_else(Err)
    }
}

impl Drop for GuardedFold {
    fn drop(&mut self) {
        drop_guarded(self.state.take());
    }
}
