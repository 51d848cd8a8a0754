//! What rollouts do with their labels.

use super::label;
use crate::id::{GraphName, LabelName};
use crate::version::command::{Done, RolloutChange};
use crate::version::error::VersionError;
use crate::version::turn::Turn;

pub(super) fn decide(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    change: &RolloutChange,
) -> Result<Done, VersionError> {
    match &change.moves {
        Some(moves) => label::decide(turn, graph, label, moves),
        // It is on record all the same.
        None => Ok(Done { version: Some(change.version), ..Done::default() }),
    }
}
