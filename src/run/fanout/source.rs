//! Where the branches of a fanout come from: a list or a stream, drawn one at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;

use crate::node::{Emission, NodeError};
use crate::run::execution::Execution;
use crate::run::panics::{drop_guarded, guarded};
use crate::run::walk::Fault;
use crate::value::Value;

/// A fanout that is being drawn.
pub(crate) struct Fanout {
    pub execution: Execution,
    source: Mutex<Source>,
    /// Whether every lane may draw; set before the other lanes can see the fanout.
    shared: AtomicBool,
}

struct Source {
    /// `None` when the end was seen.
    outputs: Option<Emission>,
    drawn: u64,
    max: u64,
}

/// What a draw gave.
pub(crate) enum Drawn {
    /// The next output and its place.
    Output(u64, Value),
    /// Nothing yet; the lane is woken when there is more.
    Pending,
    /// The end, seen by this draw and by no other.
    End { drawn: u64, fault: Option<Fault> },
    /// The end was seen before.
    Gone,
}

impl Fanout {
    pub(crate) fn new(execution: Execution, outputs: Emission, max: u64) -> Self {
        let source = Mutex::new(Source { outputs: Some(outputs), drawn: 0, max });
        Self { execution, source, shared: AtomicBool::new(false) }
    }

    pub(crate) fn set_shared(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Takes the next output.
    pub(crate) fn draw(&self, cx: &mut Context<'_>) -> Drawn {
        let mut source = self.source.lock();
        let Some(outputs) = &mut source.outputs else { return Drawn::Gone };
        let next = match guarded(|| poll_next(outputs, cx)) {
            Ok(Poll::Pending) => return Drawn::Pending,
            Ok(Poll::Ready(next)) => next,
            Err(panic) => Some(Err(panic)),
        };
        match next {
            Some(Ok(_)) if source.drawn >= source.max => {
                let error = format!("limit of {} outputs exceeded", source.max);
                source.end(Some(NodeError::permanent(error)))
            }
            Some(Ok(output)) => {
                source.drawn += 1;
                Drawn::Output(source.drawn - 1, output)
            }
            Some(Err(error)) => source.end(Some(error)),
            None => source.end(None),
        }
    }

    /// Takes back an output for which the run had no state left, and ends the fanout.
    pub(crate) fn break_off(&self, error: &str) -> Drawn {
        let mut source = self.source.lock();
        if source.outputs.is_none() {
            return Drawn::Gone;
        }
        source.end(Some(NodeError::permanent(error)))
    }

    /// Ends the fanout where it stands.
    pub(crate) fn close(&self) -> Drawn {
        let mut source = self.source.lock();
        if source.outputs.is_none() {
            return Drawn::Gone;
        }
        source.end(None)
    }
}

impl Source {
    fn end(&mut self, error: Option<NodeError>) -> Drawn {
        drop_guarded(self.outputs.take());
        Drawn::End { drawn: self.drawn, fault: error.as_ref().map(Fault::of) }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        drop_guarded(self.outputs.take());
    }
}

fn poll_next(
    outputs: &mut Emission,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Value, NodeError>>> {
    match outputs {
        Emission::Each(items) => Poll::Ready(items.next()),
        Emission::Stream(items) => items.as_mut().poll_next(cx),
        Emission::Nothing | Emission::One(_) => Poll::Ready(None),
    }
}
