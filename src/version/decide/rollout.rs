//! What rollouts do with their labels.

use super::label;
use crate::id::{GraphName, LabelName};
use crate::version::command::{Done, RolloutChange};
use crate::version::error::VersionError;
use crate::version::rollout::{RolloutAct, RolloutEnd, RolloutOrder};
use crate::version::turn::Turn;

pub(super) fn decide(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    change: &RolloutChange,
) -> Result<Done, VersionError> {
    let done = match &change.moves {
        Some(moves) => label::decide(turn, graph, label, moves)?,
        // It is on record all the same.
        None => Done { version: Some(change.version), ..Done::default() },
    };
    if is_proof(&change.act) {
        let note = turn.note.clone();
        turn.mark(graph, change.version, |marks| {
            marks.proven.get_or_insert(note);
        });
    }
    Ok(done)
}

/// Whether the version has shown what it can do, however many runs it had.
const fn is_proof(act: &RolloutAct) -> bool {
    matches!(act, RolloutAct::Order(RolloutOrder::Confirm) | RolloutAct::End(RolloutEnd::Completed))
}
