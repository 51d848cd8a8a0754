//! What a restart does with the rollouts that were under way: nobody watches what they rolled out.

use std::sync::Arc;

use super::command::{Change, Command, LabelChange, Terms};
use super::rollout::{RolloutAct, RolloutEnd, RolloutOf};
use super::snapshot::Snapshot;
use super::stored::StoredRollout;

/// Why it is a restart that ends a rollout.
const PROCESS_ENDED: &str = "the process ended before the rollout had";

impl StoredRollout {
    /// Ends it, and takes back what it rolled out if the label still leads there and nobody has
    /// confirmed it.
    pub(crate) fn take_back(&self, snapshot: &Snapshot) -> Command {
        let standing = snapshot.standing(&self.graph, &self.label);
        let is_canary = standing.canary.is_some_and(|(canary, _)| canary == self.version);
        let is_active = standing.active == Some(self.version);
        let back = Some(LabelChange::Revert(self.version));
        match self.is_confirmed {
            true if is_active => self.end(RolloutEnd::Completed, None),
            false if is_canary => self.end(RolloutEnd::Aborted(PROCESS_ENDED.into()), back),
            false if is_active => self.end(RolloutEnd::RolledBack(PROCESS_ENDED.into()), back),
            _ => self.end(RolloutEnd::Superseded("the label leads elsewhere".into()), None),
        }
    }

    /// Ends it and leaves the label as it is, because no version is left to go back to.
    pub(crate) fn strand(&self, why: impl Into<Arc<str>>) -> Command {
        self.end(RolloutEnd::Stranded(why.into()), None)
    }

    fn end(&self, end: RolloutEnd, moves: Option<LabelChange>) -> Command {
        let (graph, label, version) = (self.graph.clone(), self.label.clone(), self.version);
        let change =
            Change::rollout(&RolloutOf { graph, label, version }, RolloutAct::End(end), moves);
        let reason = Some(PROCESS_ENDED.into());
        Command { change, terms: Terms { reason, is_automatic: true, ..Terms::default() } }
    }
}
