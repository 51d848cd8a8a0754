//! What a lane waits for on behalf of an execution, and how the wait ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::OwnedSemaphorePermit;

use super::attempt::{Ended, classify};
use super::recall::Recalled;
use crate::node::Arity;
use crate::run::panics::Guarded;

/// Why a parked execution goes on.
pub(super) enum Woken {
    Ended(Ended),
    /// Its delay is over.
    Due,
    /// Its time was over before its attempt could start.
    Expired,
    /// The handler of a resumable fanout was called again.
    Recalled(Recalled),
}

/// A wait that ends with the key of what is parked.
pub(super) enum Wait {
    /// For an attempt that may take as long as it does: most waits, and so without a box.
    Attempt(AttemptWait),
    /// For anything else.
    Other(Pin<Box<dyn Future<Output = (usize, Woken)> + Send>>),
}

/// An attempt under way that has no time limit.
pub(super) struct AttemptWait {
    pub key: usize,
    pub future: Guarded,
    pub arity: Arity,
    /// Given back when the attempt has ended.
    pub permit: Option<OwnedSemaphorePermit>,
}

impl Future for Wait {
    type Output = (usize, Woken);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Other(wait) => wait.as_mut().poll(cx),
            Self::Attempt(AttemptWait { key, future, arity, permit }) => {
                let result = std::task::ready!(Pin::new(future).poll(cx));
                *permit = None;
                Poll::Ready((*key, Woken::Ended(classify(result, *arity))))
            }
        }
    }
}
