//! Where the branches of a fanout come from: a list or a stream, drawn in steps by any lane.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;

use crate::node::{Emission, NodeError, Placed};
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
    /// Whether each output goes on record with a cursor: one lane at a time draws from it.
    is_resumable: bool,
    /// Whether a state says that the run has none left for the rest.
    exceeded: AtomicBool,
}

/// Outputs that were drawn, with their places.
#[derive(Default)]
pub(crate) struct Drawn {
    pub outputs: Placed,
    /// Of a resumable fanout: where its source stands after each of them.
    pub cursors: VecDeque<Value>,
}

struct Source {
    /// `None` when the end was seen.
    outputs: Option<Emission>,
    drawn: u64,
    max: u64,
}

/// The end of a fanout, seen by one draw and by no other.
pub(crate) struct End {
    pub drawn: u64,
    pub fault: Option<Fault>,
}

/// What follows after a draw.
pub(crate) enum After {
    /// There may be more.
    More,
    /// Nothing yet; the lane is woken when there is more.
    Pending,
    End(End),
    /// The end was seen before.
    Gone,
}

impl Fanout {
    pub(crate) fn new(execution: Execution, outputs: Emission, max: u64) -> Self {
        Self::resumed(execution, outputs, 0, max)
    }

    /// A fanout whose outputs before that place were drawn.
    pub(crate) fn resumed(execution: Execution, outputs: Emission, drawn: u64, max: u64) -> Self {
        let is_resumable = matches!(outputs, Emission::Resumable(_));
        let source = Mutex::new(Source { outputs: Some(outputs), drawn, max });
        let [shared, exceeded] = [(); 2].map(|()| AtomicBool::new(false));
        Self { execution, source, shared, is_resumable, exceeded }
    }

    pub(crate) const fn is_resumable(&self) -> bool {
        self.is_resumable
    }

    pub(crate) fn set_shared(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// The run has no state left for an output; says whether that is new.
    pub(crate) fn exceed(&self) -> bool {
        !self.exceeded.swap(true, Ordering::Relaxed)
    }

    /// How many outputs there are at least.
    pub(crate) fn at_least(&self) -> usize {
        self.size_hint().0
    }

    /// Whether there may be so many more outputs.
    pub(crate) fn may_have(&self, outputs: usize) -> bool {
        self.size_hint().1.is_none_or(|most| most >= outputs)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.source.lock().outputs {
            // It is the handler's own code.
            Some(Emission::Each(items)) => guarded(|| items.size_hint()).unwrap_or((0, None)),
            Some(_) => (0, None),
            None => (0, Some(0)),
        }
    }

    /// Takes up to `count` outputs with their places.
    pub(crate) fn draw(&self, cx: &mut Context<'_>, count: usize, into: &mut Drawn) -> After {
        let mut source = self.source.lock();
        match guarded(|| source.draw(cx, count, into)) {
            Ok(after) => after,
            Err(panic) => After::End(source.end(Some(panic))),
        }
    }

    /// Ends the fanout where it stands, unless its end was seen.
    pub(crate) fn close(&self) -> Option<End> {
        let mut source = self.source.lock();
        source.outputs.is_some().then(|| source.end(None))
    }
}

impl Source {
    fn draw(&mut self, cx: &mut Context<'_>, count: usize, into: &mut Drawn) -> After {
        match &self.outputs {
            None => After::Gone,
            Some(Emission::Each(_)) => self.draw_each(count, &mut into.outputs),
            Some(_) => self.poll(cx, count, into),
        }
    }

    fn draw_each(&mut self, count: usize, into: &mut Placed) -> After {
        let Some(Emission::Each(items)) = &mut self.outputs else { return After::Gone };
        let left = usize::try_from(self.max.saturating_sub(self.drawn)).unwrap_or(usize::MAX);
        let mut end = items.draw(&mut self.drawn, count.min(left), into);
        if end.is_none() && count > left {
            // One more shows whether the limit is where they end.
            let beyond = items.draw(&mut 0, 1, &mut Placed::new());
            end = beyond.or_else(|| Some(Some(self.exceeded())));
        }
        end.map_or(After::More, |error| After::End(self.end(error)))
    }

    fn exceeded(&self) -> NodeError {
        NodeError::permanent(format_args!("limit of {} outputs exceeded", self.max))
    }

    fn poll(&mut self, cx: &mut Context<'_>, count: usize, into: &mut Drawn) -> After {
        for _ in 0..count {
            let Some(outputs) = &mut self.outputs else { return After::Gone };
            let Poll::Ready(next) = poll_next(outputs, cx, &mut into.cursors) else {
                return After::Pending;
            };
            match next {
                Some(Ok(_)) if self.drawn >= self.max => {
                    let error = self.exceeded();
                    return After::End(self.end(Some(error)));
                }
                Some(Ok(output)) => {
                    into.outputs.push_back((self.drawn, output));
                    self.drawn += 1;
                }
                Some(Err(error)) => return After::End(self.end(Some(error))),
                None => return After::End(self.end(None)),
            }
        }
        After::More
    }

    fn end(&mut self, error: Option<NodeError>) -> End {
        drop_guarded(self.outputs.take());
        End { drawn: self.drawn, fault: error.as_ref().map(Fault::of) }
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
    cursors: &mut VecDeque<Value>,
) -> Poll<Option<Result<Value, NodeError>>> {
    match outputs {
        Emission::Stream(items) => items.as_mut().poll_next(cx),
        Emission::Resumable(items) => items.as_mut().poll_next(cx).map_ok(|(output, cursor)| {
            cursors.push_back(cursor);
            output
        }),
        Emission::Nothing | Emission::One(_) | Emission::Each(_) => Poll::Ready(None),
    }
}
