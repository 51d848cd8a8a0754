//! The fast path: a branch is walked in one loop as long as it leads straight on.
//!
//! Invariants:
//! 1. Only first attempts are made here, of nodes whose attempts need nothing but a call, in runs that
//!    nobody watches and that have no journal. Anything else is left to [`Lane::start`], whose checks
//!    would find nothing here: `PlanNode::is_straight` rules out a total timeout, a limit of
//!    concurrency and groups to open, `Execution::is_plain` what few executions have. A timeout of
//!    attempts counts from when one waits.
//! 2. What follows an output is decided where every other walk has it decided, by
//!    [`Walker::returned_straight`]: there is no second way to succeed.
//! 3. An attempt that ends otherwise, or waits, leaves the loop as one that [`Lane::start`] began. Only
//!    then is its state counted as queued: nobody sees it before.
//! 4. Nothing comes to wait before the loop is left: the room at its start is that of all of it.

use std::task::Poll;

use super::attempt::{Begun, attempt_facts, call};
use super::lane::Lane;
use crate::node::{Arity, Call, Emission};
use crate::run::execution::Execution;
use crate::run::status::StateStatus;
use crate::run::walk::{Led, Walker};

impl Lane {
    /// Walks on from an execution for `left` attempts; gives back one that is not for this path, or not
    /// for now.
    #[inline]
    pub(super) fn walk_straight(
        &mut self,
        mut own: Box<Execution>,
        left: &mut u32,
    ) -> Option<Box<Execution>> {
        let (room, was) = (self.room(), StateStatus::Created);
        if self.tools.cell.journal.is_some() || self.tools.cell.bus.is_watched() {
            return Some(own);
        }
        loop {
            let Self { tools, context, next, batch, .. } = self;
            let (cell, control) = (&*tools.cell, &*tools.pool.control);
            let node = cell.ground.plan.node(own.node);
            let (Call::Attempt(handler), true, true) =
                (node.handler.call(), node.is_straight, own.is_plain())
            else {
                return Some(own);
            };
            // The caller decides what becomes of it, as of any other execution.
            if *left == 0 || room == 0 || control.is_cancelled() || control.is_paused() {
                return Some(own);
            }
            *left -= 1;
            context.turn_to(attempt_facts(&own));
            let mut output = match call(&**handler, &own.input, context, next) {
                Ok(Poll::Ready(Ok(Emission::One(output)))) => output,
                other => {
                    let begun = Begun::of(other, next, Arity::One);
                    self.step_with(|walker| walker.queued(&own));
                    self.begun(own, begun, None);
                    return None;
                }
            };
            // Somebody may watch since the call: `returned` tells how it ended, this loop would not.
            let led = match cell.bus.is_watched() {
                false => {
                    let mut walker = Walker::new(&cell.ground, batch, false);
                    walker.returned_straight(&mut own, was, &mut output)
                }
                true => Led::Not,
            };
            match led {
                Led::On => {}
                Led::Out => {
                    batch.spare.put(own);
                    return None;
                }
                Led::Not => {
                    self.returned((own, was), output);
                    return None;
                }
            }
        }
    }
}
