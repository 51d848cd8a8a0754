//! Where user code runs: a panic in it becomes an error of its state.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::node::NodeError;

/// Calls user code.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, NodeError> {
    catch_unwind(AssertUnwindSafe(code)).map_err(panicked)
}

/// Drops a user's value; a panic while dropping is lost with the value.
pub(crate) fn drop_guarded<T>(value: T) {
    // Nobody waits for the value any more, so nobody can be told.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(value)));
}

fn panicked(payload: Box<dyn Any + Send>) -> NodeError {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                drop_guarded(payload);
                "a value that is no text".to_owned()
            }
        },
    };
    NodeError::new(format_args!("panicked: {text}"))
}

/// A future of user code.
type UserFuture<T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send>>;

/// A user's future: its polls and its drop are guarded.
pub(crate) struct Guarded<T> {
    future: Option<UserFuture<T>>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(future: UserFuture<T>) -> Self {
        Self { future: Some(future) }
    }
}

impl<T> Future for Guarded<T> {
    type Output = Result<T, NodeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let polled = guarded(|| future.as_mut().poll(cx));
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

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        drop_guarded(self.future.take());
    }
}
