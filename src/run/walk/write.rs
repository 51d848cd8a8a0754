//! The numbers of the states that a step makes, and the entry that says what the step was.

use super::{Numbers, Walker};
use crate::id::StateId;
use crate::run::durable::{DrawnOutput, Entry};
use crate::value::Value;

impl Walker<'_> {
    /// A number for a state that counts against the run's limit, if it may have one.
    #[inline]
    pub(super) fn next_state(&mut self, parent: Option<StateId>) -> Option<StateId> {
        let limit = self.ground.plan.limits.max_states;
        match &mut self.numbers {
            Numbers::New => self.ground.states.next(&mut self.batch.ids, parent, limit),
            Numbers::Written => {
                let state = self.ground.states.next(&mut self.batch.ids, parent, limit);
                self.number(state)
            }
            Numbers::Given(ids) => ids.next().map(|id| StateId(*id)).filter(|id| id.0 < limit),
        }
    }

    /// A number for a state that only says what went wrong or did not run.
    pub(super) fn next_state_unlimited(&mut self, parent: Option<StateId>) -> StateId {
        let limit = self.ground.plan.limits.max_states;
        if let Numbers::Given(ids) = &mut self.numbers
            && let Some(id) = ids.next()
        {
            return StateId(*id);
        }
        let state = self.ground.states.next_unlimited(&mut self.batch.ids, parent, limit);
        self.number(Some(state)).unwrap_or(state)
    }

    /// Writes down that a step took a number, or was refused one.
    fn number(&mut self, state: Option<StateId>) -> Option<StateId> {
        if self.writes() {
            // A refusal is repeated by a number beyond every limit.
            self.batch.numbers.push(state.map_or(u64::MAX, |state| state.0));
        }
        state
    }

    /// Whether steps are written down.
    #[inline]
    pub(super) const fn writes(&self) -> bool {
        matches!(self.numbers, Numbers::Written)
    }

    /// Writes down the step that was taken, with the numbers it took.
    pub(super) fn write(&mut self, entry: impl FnOnce(Vec<u64>) -> Entry) {
        if self.writes() {
            let ids = self.take_numbers();
            self.batch.entries.push(entry(ids));
        }
    }

    /// Writes down that an output of a fanout became a state, beside others of the same batch.
    #[inline]
    pub(super) fn write_drawn(&mut self, of: u64, index: u64) {
        if self.writes() {
            self.append_drawn(of, index);
        }
    }

    fn append_drawn(&mut self, of: u64, index: u64) {
        let drawn = (index, self.take_numbers());
        match self.last_drawn(of) {
            Some(Entry::Drawn { outputs, .. }) => outputs.push(drawn),
            _ => self.begin_drawn(of, Entry::Drawn { of, outputs: vec![drawn] }),
        }
    }

    /// The same of a resumable fanout.
    pub(super) fn write_with_cursor(&mut self, of: u64, index: u64, output: Value, cursor: Value) {
        if !self.writes() {
            return;
        }
        let drawn = DrawnOutput(index, output, cursor, self.take_numbers());
        match self.last_drawn(of) {
            Some(Entry::DrawnWithCursors { outputs, .. }) => outputs.push(drawn),
            _ => self.begin_drawn(of, Entry::DrawnWithCursors { of, outputs: vec![drawn] }),
        }
    }

    /// The numbers that the step took.
    fn take_numbers(&mut self) -> Vec<u64> {
        let numbers = self.batch.numbers.as_slice().into();
        self.batch.numbers.clear();
        numbers
    }

    /// The entry of the batch that says what was drawn of a fanout, if no other was drawn from since.
    fn last_drawn(&mut self, of: u64) -> Option<&mut Entry> {
        let (_, place) = self.batch.drawn.filter(|(fan, _)| *fan == of)?;
        self.batch.entries.get_mut(place)
    }

    fn begin_drawn(&mut self, of: u64, entry: Entry) {
        self.batch.drawn = Some((of, self.batch.entries.len()));
        self.batch.entries.push(entry);
    }
}
