//! What a lane does with everything it has when its run is being stopped.

use super::drawing::{Drawing, GivenUp};
use super::lane::{Lane, Task};
use super::parked::Parked;
use super::pool::Taken;
use super::resumable::Handed;
use crate::run::status::StateStatus;

impl Lane {
    /// Ends everything the lane has, and what nobody took yet.
    pub(super) fn abandon(&mut self) {
        self.waiting = None;
        let mut parked = self.parked.drain();
        parked.sort_by_key(Parked::state);
        for parked in parked {
            match parked {
                Parked::Execution { execution, status } => {
                    let execution = self.batch.spare.put_in(execution);
                    self.step_with(|walker| walker.cancelled(execution, status));
                }
                Parked::Recall { own, drawn } => self.step_with(|walker| {
                    walker.cut_off(&own, drawn);
                    walker.closed(&own, drawn);
                }),
            }
        }
        self.take_stalled();
        self.tasks.extend(self.held.drain(..));
        let tools = self.tools.clone();
        while let Some(task) = self.tasks.pop().or_else(|| tools.pool.take(&[]).map(Task::from)) {
            match task {
                Task::Execution(execution) => {
                    self.step_with(|walker| walker.cancelled(execution, StateStatus::Created));
                }
                Task::Drawing(drawing) => self.abandon_fanout(drawing),
                Task::Handed(handed) => {
                    let Handed { branches, fanout } = *handed;
                    self.tasks.extend(fanout.map(|fanout| Task::from(Taken::Fanout(fanout))));
                    self.tasks.extend(branches.into_iter().rev().map(Task::Execution));
                }
                Task::Keeping(keeping) => {
                    let execution = keeping.give_up();
                    self.step_with(|walker| walker.cancelled(execution, StateStatus::Queued));
                }
            }
        }
    }

    fn abandon_fanout(&mut self, mut drawing: Box<Drawing>) {
        self.tools.pool.forget(&drawing.fanout);
        let GivenUp { first, buffered, end } = drawing.give_up();
        let own = &drawing.own;
        self.step_with(|walker| {
            if let Some(first) = first {
                walker.cut_off(own, first);
            }
            if let Some(end) = end {
                walker.closed(own, end.drawn);
            }
            if buffered > 0 {
                walker.forfeited(own, buffered);
            }
        });
    }
}
