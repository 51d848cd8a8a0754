//! What a restart does with the rollouts that were under way: nobody watches what they rolled out.

use std::sync::Arc;

use super::command::{Change, Command, LabelChange, Terms};
use super::rollout::{RolloutAct, RolloutEnd, RolloutOf};
use super::snapshot::Snapshot;
use super::stored::StoredRollout;

impl StoredRollout {
    /// Ends it, and takes back what it rolled out if the label still leads there and nobody has
    /// confirmed it.
    pub(crate) fn take_back(&self, snapshot: &Snapshot) -> Command {
        let standing = snapshot.standing(&self.graph, &self.label);
        let canary = standing.canary.map(|(canary, _)| canary);
        let is_routed = [standing.active, canary].contains(&Some(self.version));
        let moves = (is_routed && !self.is_confirmed).then_some(LabelChange::Revert(self.version));
        self.end(RolloutEnd::ShutDown, moves)
    }

    /// Ends it and leaves the label as it is, because no version is left to go back to.
    pub(crate) fn strand(&self, why: impl Into<Arc<str>>) -> Command {
        self.end(RolloutEnd::Stranded(why.into()), None)
    }

    fn end(&self, end: RolloutEnd, moves: Option<LabelChange>) -> Command {
        let (graph, label, version) = (self.graph.clone(), self.label.clone(), self.version);
        let change =
            Change::rollout(&RolloutOf { graph, label, version }, RolloutAct::End(end), moves);
        let reason = Some("the process ended before the rollout had".into());
        Command { change, terms: Terms { reason, is_automatic: true, ..Terms::default() } }
    }
}
