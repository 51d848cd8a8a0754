//! A run that comes back from its journal: a lane gets what had not ended.

use std::sync::Arc;

use super::alone::Alone;
use super::drawing::Drawing;
use super::lane::{Lane, Task};
use super::pool::Pool;
use super::source::Fanout;
use crate::clock::Timestamp;
use crate::run::cell::RunCell;
use crate::run::durable::{OpenFan, Rest};
use crate::run::execution::Execution;
use crate::run::unites::Barriers;

impl Alone {
    /// Takes up what a run had left to do; its machine is in its cell.
    pub(crate) fn resume(
        cell: &Arc<RunCell>,
        pool: &Arc<Pool>,
        barriers: Box<Barriers>,
        rest: Rest,
    ) -> Self {
        let mut lane = Lane::new(cell.first_tools(pool));
        let Rest { waiting, fans, resumables, verdicts, retaken } = rest;
        for (execution, due) in waiting {
            lane.take_up(execution, due);
        }
        fans.into_iter().for_each(|open| lane.take_up_fanout(open));
        resumables.into_iter().for_each(|open| lane.take_up_resumable(open));
        verdicts.into_iter().for_each(|verdict| lane.judged(verdict));
        for retaken in retaken {
            let next = lane.step_with(|walker| walker.retried(&retaken));
            lane.tasks.extend(next.map(Task::Execution));
            // What the step counted is applied with the lane's first report.
            let _ = cell.machine.lock().release_hold();
        }
        if cell.machine.lock().stop_reason().is_some() {
            pool.control.cancel();
        }
        Self { lane, barriers: Some(barriers) }
    }
}

impl Lane {
    fn take_up(&mut self, execution: Box<Execution>, due: Option<Timestamp>) {
        let now = self.tools.facts.clock.now();
        self.park_for(execution, due.map(|due| due.since(now)).unwrap_or_default());
    }

    /// Draws what was not drawn: the places that were left out, then the rest of them.
    fn take_up_fanout(&mut self, open: OpenFan) {
        let next = open.drawn.iter().rposition(|drawn| *drawn).map_or(0, |last| last + 1);
        let left_out = open.left_out();
        let OpenFan { own, outputs, fault, closed_at, mut exceeded, .. } = open;
        let is_closed = closed_at.is_some();
        // What is left of one that is open is drawn from its source.
        for place in left_out.into_iter().filter(|place| is_closed || *place < next) {
            let (index, output) = (place as u64, outputs[place].clone());
            let mut made = Vec::new();
            let branched = self.step_with(|walker| walker.drawn(&own, index, output, &mut made));
            if !branched.add_to(&mut made) {
                self.step_with(|walker| match std::mem::replace(&mut exceeded, true) {
                    false => walker.exceeded(&own, index, 1),
                    true => walker.exceeded_too(&own, index, 1),
                });
            }
            self.tasks.extend(made.into_iter().rev().map(Task::Execution));
        }
        if !is_closed {
            let fanout = Fanout::of_kept(own, outputs, next as u64, fault);
            if exceeded {
                fanout.exceed();
            }
            self.tasks.push(Task::Drawing(Box::new(Drawing::of(Arc::new(fanout)))));
        }
    }
}
