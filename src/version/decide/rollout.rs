//! What rollouts do with their labels.

use super::label;
use crate::id::{GraphName, LabelName};
use crate::version::command::{Done, LabelChange, RolloutChange};
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
        None => {
            turn.route(graph)?;
            // It is on record all the same.
            Done { version: Some(change.version), ..Done::default() }
        }
    };
    watch(turn, graph, label, change);
    if is_proof(&change.act) {
        let note = turn.note.clone();
        turn.mark(graph, change.version, |marks| {
            marks.proven.get_or_insert(note);
        });
    }
    Ok(done)
}

/// Remembers with the label whether its rollout may still go back.
fn watch(turn: &mut Turn<'_>, graph: &GraphName, label: &LabelName, change: &RolloutChange) {
    let (moves, version) = (&change.moves, Some(change.version));
    let route = turn.draft().route(graph).and_then(|route| route.label(label));
    let Some(mut route) = route.cloned() else { return };
    match &change.act {
        RolloutAct::End(RolloutEnd::ShutDown) => return,
        RolloutAct::End(_) if route.baking == version => route.baking = None,
        _ if matches!(moves, Some(LabelChange::Promote(_))) => route.baking = version,
        _ => return,
    }
    turn.set_label(graph, label, Some(route));
}

/// Whether the version has shown what it can do, however many runs it had.
const fn is_proof(act: &RolloutAct) -> bool {
    matches!(act, RolloutAct::Order(RolloutOrder::Confirm) | RolloutAct::End(RolloutEnd::Completed))
}
