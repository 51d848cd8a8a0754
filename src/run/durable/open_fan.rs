//! A fanout as its journal leaves it: kept whole, and drawn in part.

use std::sync::Arc;

use crate::run::execution::Execution;
use crate::run::walk::Fault;
use crate::value::Value;

/// A fanout that was kept.
pub(crate) struct OpenFan {
    pub own: Execution,
    pub outputs: Arc<[Value]>,
    pub fault: Option<Fault>,
    /// Which outputs became states, or cannot.
    pub drawn: Vec<bool>,
    /// How many outputs it had when it was closed, if that is on record.
    pub closed_at: Option<usize>,
    /// Whether a state says that the run has none left for the rest.
    pub exceeded: bool,
}

impl OpenFan {
    /// The places of the outputs that are to become states and have not.
    pub(crate) fn left_out(&self) -> Vec<usize> {
        let all = self.closed_at.unwrap_or(self.drawn.len()).min(self.drawn.len());
        (0..all).filter(|place| !self.drawn[*place]).collect()
    }

    /// Whether something of it is still to be done.
    pub(super) fn is_open(&self) -> bool {
        self.closed_at.is_none() || !self.left_out().is_empty()
    }

    /// Marks an output as drawn.
    pub(super) fn mark(&mut self, index: u64) -> Result<Value, String> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        match self.drawn.get_mut(place) {
            Some(drawn) if !*drawn => *drawn = true,
            Some(_) => return Err(format!("output {index} was drawn twice")),
            None => return Err(format!("there is no output {index}")),
        }
        Ok(self.outputs[place].clone())
    }
}
