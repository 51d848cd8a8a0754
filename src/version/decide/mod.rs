//! What each command needs, and what it does to the draft of the next snapshot.

mod label;
mod publish;
mod rollout;
mod version;

use super::command::{Change, Done};
use super::error::VersionError;
use super::turn::Turn;

/// Carries out a change on the draft, or says why not.
pub(super) fn decide(turn: &mut Turn<'_>, change: &Change) -> Result<Done, VersionError> {
    let done = carry_out(turn, change)?;
    // Whatever it was that made a label ask for an approval: a policy, a promotion, a verdict.
    change.graphs().iter().for_each(|graph| label::ask(turn, graph));
    Ok(done)
}

fn carry_out(turn: &mut Turn<'_>, change: &Change) -> Result<Done, VersionError> {
    match change {
        Change::Publish(new) => publish::publish(turn, new),
        Change::OnLabel { graph, label, change } => label::decide(turn, graph, label, change),
        Change::OnVersion { graph, version, change } => {
            version::decide(turn, graph, *version, change)
        }
        Change::Judge { graph, from, to, level } => version::judge(turn, graph, *from, *to, *level),
        Change::Release(promotions) => {
            label::release(turn, promotions)?;
            Ok(Done::default())
        }
        Change::Collect { graph } => {
            turn.route(graph)?;
            publish::collect(turn, graph);
            Ok(Done::default())
        }
    }
}
