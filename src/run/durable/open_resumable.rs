//! A resumable fanout as its journal leaves it, and the entries that lead there.

use super::entry::{AttemptKey, DrawnOutput};
use super::replay::{Replay, unknown};
use crate::run::execution::Execution;
use crate::run::walk::Fault;
use crate::value::Value;

/// A resumable fanout that is not drawn to the end: its outputs up to some place became states.
pub(crate) struct OpenResumable {
    pub own: Execution,
    /// How many outputs are on record.
    pub drawn: u64,
    /// Where the source stood after the last of them.
    pub cursor: Option<Value>,
}

impl Replay<'_> {
    pub(super) fn fanned_out_resumable(&mut self, of: AttemptKey) -> Result<(), String> {
        let own = *self.queued(of)?;
        self.step(&[], |walker| walker.fanned_out_resumable(&own));
        self.opened.push(own.id);
        self.resumables.insert(own.id, OpenResumable { own, drawn: 0, cursor: None });
        Ok(())
    }

    pub(super) fn drawn_with_cursors(
        &mut self,
        of: u64,
        outputs: Vec<DrawnOutput>,
    ) -> Result<(), String> {
        let mut open = self.resumables.remove(&of).ok_or_else(|| unknown("fanout", of))?;
        let mut made = Vec::new();
        for DrawnOutput(index, output, cursor, ids) in outputs {
            open.follow(index, 1, self.max_fanout())?;
            open.cursor = Some(cursor);
            let (own, made, none) = (&open.own, &mut made, Value::Null);
            if !self.step(&ids, |walker| walker.drawn_with_cursor(own, index, output, none, made)) {
                return Err(format!("output {index} has no state"));
            }
        }
        self.made(made);
        self.resumables.insert(of, open);
        Ok(())
    }

    /// The same for outputs for which the run had no state; says whether that was such a fanout.
    pub(super) fn resumable_exceeded(
        &mut self,
        of: u64,
        index: u64,
        outputs: u64,
        ids: &[u64],
    ) -> Result<bool, String> {
        let Some(mut open) = self.resumables.remove(&of) else { return Ok(false) };
        open.follow(index, outputs, self.max_fanout())?;
        let forfeited = usize::try_from(outputs).unwrap_or(usize::MAX);
        self.step(ids, |walker| walker.exceeded(&open.own, index, forfeited));
        self.resumables.insert(of, open);
        Ok(true)
    }

    /// The end of such a fanout; says whether it was one.
    pub(super) fn resumable_exhausted(
        &mut self,
        of: u64,
        drawn: u64,
        fault: Option<&Fault>,
        ids: &[u64],
    ) -> Result<bool, String> {
        let Some(mut open) = self.resumables.remove(&of) else { return Ok(false) };
        open.follow(drawn, 0, self.max_fanout())?;
        self.step(ids, |walker| walker.exhausted(&open.own, drawn, fault));
        Ok(true)
    }

    /// Refuses such a fanout without outputs: its first ones, or its end, are in the unit that opens it.
    ///
    /// Asked when the next unit begins: a run can be viewed as of the middle of a unit.
    pub(super) fn opened_have_outputs(&mut self) -> Result<(), String> {
        let is_empty = |of: &u64| self.resumables.get(of).is_some_and(|open| open.drawn == 0);
        match self.opened.drain(..).find(is_empty) {
            Some(of) => Err(format!("fanout {of:016x} has neither an output nor an end")),
            None => Ok(()),
        }
    }

    fn max_fanout(&self) -> u64 {
        self.ground.plan.limits.max_fanout
    }

    /// Ends such a fanout where it stands: the run was stopped.
    pub(super) fn abandon_resumable(&mut self, OpenResumable { own, drawn, .. }: &OpenResumable) {
        let ids = self.made_by_stop.remove(&own.id).unwrap_or_default();
        self.step(&ids, |walker| {
            walker.cut_off(own, *drawn);
            walker.closed(own, *drawn);
        });
    }
}

impl OpenResumable {
    /// Counts outputs that follow those before them: no more than a fanout may have.
    fn follow(&mut self, index: u64, outputs: u64, max: u64) -> Result<(), String> {
        if index != self.drawn {
            return Err(format!("output {index} follows {} of them", self.drawn));
        }
        let drawn = self.drawn.checked_add(outputs).filter(|drawn| *drawn <= max);
        self.drawn = drawn.ok_or_else(|| {
            format!("{outputs} outputs follow {} of them, and {max} are allowed", self.drawn)
        })?;
        Ok(())
    }
}
