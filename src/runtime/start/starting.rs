//! The future of a start: done at its first poll, unless there is a journal to wait for.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Start, StartError};
use crate::run::Run;

/// What awaiting a [`Start`] gives: the handle of the run, or why there is none.
///
/// Nothing happens before it is polled; what dropping it does is said at [`Start`].
#[must_use = "the run starts when this is polled"]
#[derive(Debug)]
pub struct Starting {
    /// There until the first poll.
    start: Option<Start>,
    /// There if it takes more than one.
    on_record: Option<OnRecord>,
}

/// The start of a run in a runtime with a journal.
struct OnRecord(Pin<Box<dyn Future<Output = Result<Run, StartError>> + Send>>);

impl Future for Starting {
    type Output = Result<Run, StartError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(start) = self.start.take() {
            if start.inner.keeper.is_none() {
                return Poll::Ready(start.open_now());
            }
            self.on_record = Some(OnRecord(Box::pin(start.launch())));
        }
        let OnRecord(future) = self.on_record.as_mut().expect("what is done is not polled");
        future.as_mut().poll(cx)
    }
}

impl IntoFuture for Start {
    type Output = Result<Run, StartError>;
    type IntoFuture = Starting;

    fn into_future(self) -> Self::IntoFuture {
        Starting { start: Some(self), on_record: None }
    }
}

impl std::fmt::Debug for OnRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnRecord").finish_non_exhaustive()
    }
}
