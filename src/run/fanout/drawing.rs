//! How one lane draws from a fanout: in steps sized by how many turns the last one took.
//!
//! Invariants:
//! 1. What was drawn and has no state yet is in the buffer of exactly one lane.
//! 2. A slow branch holds back at most [`LONGEST_STEP`] others: those of its lane's step.

use std::sync::Arc;
use std::task::Context;

use super::source::{After, Drawn, End, Fanout};
use crate::node::Placed;
use crate::run::execution::Execution;
use crate::value::Value;

/// How many outputs are drawn at first: nobody knows yet how long they take.
const FIRST_STEP: usize = 2;

/// The most outputs that are drawn at once.
const LONGEST_STEP: usize = 32;

/// A fanout as one lane draws it.
pub(crate) struct Drawing {
    pub fanout: Arc<Fanout>,
    /// Its execution, whose branches touch no reference count that another lane touches.
    pub own: Execution,
    buffer: Drawn,
    /// Seen, but what was drawn before it comes first.
    end: Option<End>,
    step: usize,
    /// The turn of the last step; `None` before the first one.
    turn: Option<u32>,
}

/// What a lane does next about a fanout.
pub(crate) enum Next {
    /// The next output and its place.
    Output(u64, Value),
    /// Nothing yet; the lane is woken when there is more.
    Pending,
    /// This lane saw the end.
    End(End),
    /// Another lane did.
    Gone,
}

impl Drawing {
    /// By any lane that takes it.
    pub(crate) fn of(fanout: Arc<Fanout>) -> Self {
        let (own, buffer) = (fanout.execution.localized(), room_for(&fanout));
        Self::with(fanout, own, buffer, None)
    }

    /// By the lane that opened it, before any other lane has it.
    pub(crate) fn opened(fanout: Arc<Fanout>) -> Self {
        let (own, buffer) = (fanout.execution.localized_by_maker(), room_for(&fanout));
        Self::with(fanout, own, buffer, None)
    }

    /// A fanout of which this was drawn, and the end if it was seen.
    pub(crate) fn begun(fanout: Arc<Fanout>, buffer: Drawn, end: Option<End>) -> Self {
        let own = fanout.execution.localized();
        Self::with(fanout, own, buffer, end)
    }

    const fn with(fanout: Arc<Fanout>, own: Execution, buffer: Drawn, end: Option<End>) -> Self {
        Self { fanout, own, buffer, end, step: FIRST_STEP, turn: None }
    }

    /// The next output, drawn together with those that follow it: at most `room` of them, so that
    /// nothing is drawn that could not be under way. `turn` is the number of the lane's turn.
    #[inline]
    pub(crate) fn next(&mut self, cx: &mut Context<'_>, room: usize, turn: u32) -> Next {
        loop {
            if let Some((index, output)) = self.buffer.outputs.pop_front() {
                return Next::Output(index, output);
            }
            if let Some(end) = self.end.take() {
                return Next::End(end);
            }
            self.size_step(turn);
            match self.fanout.draw(cx, self.step.min(room), &mut self.buffer) {
                After::Pending if self.buffer.outputs.is_empty() => return Next::Pending,
                After::More | After::Pending => {}
                After::End(end) => self.end = Some(end),
                // What was drawn before is walked first; the next draw finds the same.
                After::Gone => return Next::Gone,
            }
        }
    }

    /// Draws so many outputs of a resumable fanout, or fewer; says whether there is anything to go on
    /// with.
    pub(crate) fn draw_with_cursors(&mut self, cx: &mut Context<'_>, count: usize) -> bool {
        if let After::End(end) = self.fanout.draw(cx, count, &mut self.buffer) {
            self.end = Some(end);
        }
        self.end.is_some() || !self.buffer.outputs.is_empty()
    }

    /// The next output that was drawn of a resumable fanout, its place and its cursor.
    pub(crate) fn take_with_cursor(&mut self) -> Option<(u64, Value, Value)> {
        let (index, output) = self.buffer.outputs.pop_front()?;
        Some((index, output, self.buffer.cursors.pop_front()?))
    }

    /// The end, if this lane saw it.
    pub(crate) const fn take_end(&mut self) -> Option<End> {
        self.end.take()
    }

    /// Turns are sized by time. A step within one is lengthened: drawing is a small part of steps only
    /// when they are long. One over several turns is shortened: other lanes want something to do.
    fn size_step(&mut self, turn: u32) {
        let last = self.turn.replace(turn);
        self.step = match last.map(|last| turn.wrapping_sub(last)) {
            Some(0) => (self.step * 2).min(LONGEST_STEP),
            None | Some(1) => self.step,
            Some(_) => (self.step / 2).max(1),
        };
    }

    /// Gives up what has no state yet.
    pub(crate) fn give_up(&mut self) -> GivenUp {
        let seen = self.end.take();
        let was_seen = seen.is_some();
        let end = seen.or_else(|| self.fanout.close());
        let buffered = self.buffer.outputs.len();
        let first = self.buffer.outputs.front().map(|(index, _)| *index);
        let cut = end.as_ref().filter(|end| !was_seen || end.drawn == 0).map(|end| end.drawn);
        self.buffer = Drawn::default();
        GivenUp { first: first.or(cut), buffered, end }
    }
}

/// Room for the first steps; what will not come needs none.
fn room_for(fanout: &Fanout) -> Drawn {
    let outputs = Placed::with_capacity(fanout.at_least().min(LONGEST_STEP));
    Drawn { outputs, ..Drawn::default() }
}

/// What a lane gave up of a fanout.
pub(crate) struct GivenUp {
    /// The place of the first output that gets no state, if any can be missing.
    pub first: Option<u64>,
    /// How many outputs were drawn and get no state.
    pub buffered: usize,
    /// The end, if this lane saw it or made it.
    pub end: Option<End>,
}
