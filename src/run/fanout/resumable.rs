//! A resumable fanout of a run with a journal: its outputs go on record as they are drawn.
//!
//! Invariants:
//! 1. One lane at a time draws from it, and nobody draws again before what was drawn is on record: so
//!    the journal has its outputs in their order and without gaps.
//! 2. The first outputs are written in one unit with what says that the attempt fanned out: a fanout
//!    that is on record has outputs, or has ended.
//! 3. A branch starts when its output is on record, at whatever level.
//! 4. No more outputs are drawn ahead of their branches, in the whole run, than may be under way.

use std::sync::Arc;
use std::task::Context;

use super::crew::LaneArguments;
use super::drawing::Drawing;
use super::keeping::Keeping;
use super::lane::{Lane, Task};
use super::source::{After, End, Fanout};
use crate::run::execution::Executions;

/// How many outputs are drawn at once, and share a commit.
const DRAWN_TOGETHER: usize = 64;

/// What was drawn of a resumable fanout, and the fanout if there may be more of it.
pub(crate) struct Handed {
    pub branches: Executions,
    pub fanout: Option<Arc<Fanout>>,
}

impl Handed {
    /// A fanout of which nothing waits to start.
    pub(crate) const fn of(fanout: Arc<Fanout>) -> Self {
        Self { branches: Vec::new(), fanout: Some(fanout) }
    }
}

impl Lane {
    /// Draws the first outputs: an attempt whose stream fails before them has failed.
    pub(super) fn open_resumable(&mut self, keeping: Keeping, cx: &mut Context<'_>) {
        let Keeping { fanout, mut drawn } = keeping;
        let count = self.draws_together();
        if count == 0 {
            return self.stalled_keeping.push(Keeping { fanout, drawn });
        }
        let end = match fanout.draw(cx, count, &mut drawn) {
            After::Pending if drawn.outputs.is_empty() => {
                return self.stalled_keeping.push(Keeping { fanout, drawn });
            }
            After::End(End { drawn: 0, fault: Some(fault) }) => {
                return self.faulted(Box::new(fanout.execution.clone()), &fault);
            }
            After::End(end) => Some(end),
            After::More | After::Pending | After::Gone => None,
        };
        self.step_with(|walker| walker.fanned_out_resumable(&fanout.execution));
        self.hand_on(Box::new(Drawing::begun(Arc::new(fanout), drawn, end)));
    }

    /// Draws what comes next.
    pub(super) fn draw_resumable(&mut self, mut drawing: Box<Drawing>, cx: &mut Context<'_>) {
        if !self.may_draw() {
            return self.tasks.push(Task::Drawing(drawing));
        }
        let count = self.draws_together();
        if count == 0 {
            return self.tools.pool.hand(Handed::of(drawing.fanout));
        }
        match drawing.draw_with_cursors(cx, count) {
            true => self.hand_on(drawing),
            false => self.stalled.push(*drawing),
        }
    }

    /// No more than could be under way.
    fn draws_together(&self) -> usize {
        self.room().clamp(1, DRAWN_TOGETHER).min(self.tools.pool.may_draw_ahead())
    }

    /// Makes states of what was drawn; what follows is handed to all lanes when it is on record.
    fn hand_on(&mut self, mut drawing: Box<Drawing>) {
        let mut branches = Vec::new();
        while let Some((index, output, cursor)) = drawing.take_with_cursor() {
            let (own, made) = (&drawing.own, &mut branches);
            let has_state =
                self.step_with(|walker| walker.drawn_with_cursor(own, index, output, cursor, made));
            if !has_state {
                self.hold_branches(branches, None);
                return self.states_exceeded(drawing, index);
            }
        }
        match drawing.take_end() {
            None => self.hold_branches(branches, Some(drawing.fanout)),
            Some(end) => {
                self.hold_branches(branches, None);
                self.drawn_to_end(drawing, &end);
            }
        }
    }

    fn hold_branches(&mut self, branches: Executions, fanout: Option<Arc<Fanout>>) {
        self.tools.pool.is_ahead_by(branches.len());
        if !branches.is_empty() || fanout.is_some() {
            self.held.push(Task::Handed(Box::new(Handed { branches, fanout })));
        }
    }
}

impl LaneArguments {
    /// Hands on what is on record, and asks for another lane if there is none for it.
    pub(super) fn hand(&self, handed: Handed) {
        self.lane.tools.pool.hand(handed);
        self.call_lane();
    }
}
