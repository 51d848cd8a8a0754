//! How a session stands, and what may be done with it.
//!
//! Invariants:
//! 1. Only an entry changes a session; one that does not follow from those before it is refused.
//! 2. One input is under way at a time, and the numbers of inputs have no gaps.
//! 3. An input of a known id is never accepted again.
//! 4. Slots change with the end of an input that succeeded, or between inputs.
//! 5. A session that is finished has no input under way, and nothing changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{Given, Input, SessionEntry, SlotChange};
use super::outcome::StepOutcome;
use crate::id::{GraphName, VersionNumber};
use crate::value::Value;

/// How a session stands.
#[derive(Debug)]
pub(crate) struct SessionState {
    graph: GraphName,
    version: VersionNumber,
    /// How many inputs were accepted.
    steps: u64,
    /// What slots hold, by their names.
    slots: BTreeMap<String, Value>,
    /// The input that has not ended.
    pending: Option<Input>,
    /// Inputs that were given with an id.
    known: BTreeMap<Arc<str>, Known>,
    last: Option<Arc<StepOutcome>>,
    is_finished: bool,
}

/// An input that was given with an id.
#[derive(Debug)]
struct Known {
    step: u64,
    content: [u8; 32],
    outcome: Option<Arc<StepOutcome>>,
}

/// What becomes of an input that is given.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It is taken, as the input of that number.
    New(u64),
    /// It was given before, and ended so.
    Known(Arc<StepOutcome>),
}

/// Why an input is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misjudged {
    /// The session takes no more inputs.
    Finished,
    /// The input of that number has the same id and other content.
    Conflict(u64),
    /// The input of that number has not ended.
    Busy(u64),
}

impl SessionState {
    /// A session as its entries leave it; nothing if there are none. A misfit names its place.
    pub(crate) fn replay(
        entries: impl IntoIterator<Item = SessionEntry>,
    ) -> Result<Option<Self>, (u64, String)> {
        let mut state = None;
        for (entry, place) in entries.into_iter().zip(1..) {
            Self::follow(&mut state, entry).map_err(|why| (place, why.to_owned()))?;
        }
        Ok(state)
    }

    /// Does what an entry says.
    pub(crate) fn follow(
        state: &mut Option<Self>,
        entry: SessionEntry,
    ) -> Result<(), &'static str> {
        match (state, entry) {
            (state @ None, SessionEntry::Began { graph, version, .. }) => {
                *state = Some(Self::new(graph, version));
                Ok(())
            }
            (None, _) => Err("the session has not begun"),
            (Some(_), SessionEntry::Began { .. }) => Err("the session begins twice"),
            (Some(state), entry) => state.take(entry),
        }
    }

    fn new(graph: GraphName, version: VersionNumber) -> Self {
        Self {
            graph,
            version,
            steps: 0,
            slots: BTreeMap::new(),
            pending: None,
            known: BTreeMap::new(),
            last: None,
            is_finished: false,
        }
    }

    fn take(&mut self, entry: SessionEntry) -> Result<(), &'static str> {
        if self.is_finished {
            return Err("the session was finished");
        }
        match entry {
            SessionEntry::Began { .. } => Err("the session begins twice"),
            SessionEntry::Accepted(input) => self.accept(input),
            SessionEntry::Ended(outcome, changes) => self.end(Arc::from(outcome), changes),
            SessionEntry::SlotsChanged(_) | SessionEntry::Moved(_) if self.pending.is_some() => {
                Err("an input is under way")
            }
            SessionEntry::SlotsChanged(changes) => {
                self.change(changes);
                Ok(())
            }
            SessionEntry::Moved(version) => {
                self.version = version;
                Ok(())
            }
            // An input that cannot go on is given up with its session: should its run end after all, that
            // changes nothing here.
            SessionEntry::Finished => {
                self.is_finished = true;
                self.pending = None;
                Ok(())
            }
        }
    }

    fn accept(&mut self, input: Input) -> Result<(), &'static str> {
        if self.pending.is_some() || input.step != self.steps + 1 {
            return Err("another input comes first");
        }
        if let Some(id) = &input.given.id {
            let content = input.given.content();
            let known = Known { step: input.step, content, outcome: None };
            if self.known.insert(id.clone(), known).is_some() {
                return Err("the input was accepted before");
            }
        }
        self.steps = input.step;
        self.pending = Some(input);
        Ok(())
    }

    fn end(
        &mut self,
        outcome: Arc<StepOutcome>,
        changes: Vec<SlotChange>,
    ) -> Result<(), &'static str> {
        let pending = self.pending.take_if(|pending| pending.step == outcome.step);
        let pending = pending.ok_or("no such input is under way")?;
        if let Some(known) = pending.given.id.and_then(|id| self.known.get_mut(&id)) {
            known.outcome = Some(outcome.clone());
        }
        self.last = Some(outcome);
        self.change(changes);
        Ok(())
    }

    fn change(&mut self, changes: Vec<SlotChange>) {
        for (slot, value) in changes {
            match value {
                Some(value) => drop(self.slots.insert(slot, value)),
                None => drop(self.slots.remove(&slot)),
            }
        }
    }

    /// What becomes of an input.
    pub(crate) fn judge(&self, given: &Given) -> Result<Judged, Misjudged> {
        if let Some(known) = given.id.as_ref().and_then(|id| self.known.get(id)) {
            return match &known.outcome {
                _ if known.content != given.content() => Err(Misjudged::Conflict(known.step)),
                Some(outcome) => Ok(Judged::Known(outcome.clone())),
                None if self.is_finished => Err(Misjudged::Finished),
                None => Err(Misjudged::Busy(known.step)),
            };
        }
        match &self.pending {
            _ if self.is_finished => Err(Misjudged::Finished),
            Some(pending) => Err(Misjudged::Busy(pending.step)),
            None => Ok(Judged::New(self.steps + 1)),
        }
    }

    pub(crate) const fn graph(&self) -> &GraphName {
        &self.graph
    }

    pub(crate) const fn version(&self) -> VersionNumber {
        self.version
    }

    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) const fn slots(&self) -> &BTreeMap<String, Value> {
        &self.slots
    }

    pub(crate) const fn pending(&self) -> Option<&Input> {
        self.pending.as_ref()
    }

    pub(crate) const fn last(&self) -> Option<&Arc<StepOutcome>> {
        self.last.as_ref()
    }

    pub(crate) const fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// What has to be done to the slots that were there, so that they are as they are now.
pub(crate) fn changes(
    were: &BTreeMap<String, Value>,
    are: &BTreeMap<String, Value>,
) -> Vec<SlotChange> {
    let put = are.iter().filter(|(slot, value)| were.get(*slot) != Some(value));
    let put = put.map(|(slot, value)| (slot.clone(), Some(value.clone())));
    let emptied = were.keys().filter(|slot| !are.contains_key(*slot));
    put.chain(emptied.map(|slot| (slot.clone(), None))).collect()
}
