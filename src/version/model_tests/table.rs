//! The table of commands: all of them are in the random histories.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::ops::{Op, change, step};
use crate::version::*;

/// The commands of the table, by their names in it; a new one does not compile until it is here.
fn named(change: &Change) -> &'static str {
    match change {
        Change::Publish(new) if new.promote => "publish_and_promote",
        Change::Publish(new) if new.if_head.is_some() => "publish, if the head is",
        Change::Publish(new) if new.if_hash.is_some() => "publish, if the hash is",
        Change::Publish(_) => "publish",
        Change::OnLabel { change, .. } => on_label(change),
        Change::OnVersion { change, .. } => on_version(change),
        Change::Judge { .. } => "judge",
        Change::Release(_) => "release",
        Change::Collect { .. } => "collect",
    }
}

fn on_label(change: &LabelChange) -> &'static str {
    match change {
        LabelChange::Promote(_) => "promote",
        LabelChange::Rollback { .. } => "rollback",
        LabelChange::Revert(_) => unreachable!("only rollouts revert"),
        LabelChange::SetCanary(..) => "set_canary",
        LabelChange::ClearCanary => "clear_canary",
        LabelChange::SetPolicy(_) => "set_policy",
        LabelChange::Remove => "remove_label",
        LabelChange::Rollout(change) => match change.act {
            RolloutAct::Begin(_) => "rollout",
            RolloutAct::Order(RolloutOrder::Promote) => "promote of a rollout",
            RolloutAct::Order(RolloutOrder::Confirm) => "confirm",
            RolloutAct::Order(RolloutOrder::Abort) => "abort",
            // They are on record, and are the machine's alone.
            RolloutAct::Order(RolloutOrder::Pause | RolloutOrder::Resume | RolloutOrder::Skip) => {
                unreachable!("they change no routing")
            }
            RolloutAct::Move => "move of a rollout",
            RolloutAct::End(_) => "end of a rollout",
        },
    }
}

fn on_version(change: &VersionChange) -> &'static str {
    match change {
        VersionChange::Retire(_) => "retire",
        VersionChange::Revoke => "revoke",
        VersionChange::Drain(_) => "drain",
        VersionChange::Hold => "hold",
        VersionChange::ReleaseHold => "release_hold",
        VersionChange::Tag(_) => "tag",
        VersionChange::Untag(_) => "untag",
        VersionChange::Approve => "approve",
        VersionChange::Reject => "reject",
        VersionChange::ClearReverted => "clear_reverted",
    }
}

#[test]
fn every_command_of_the_table_is_in_the_random_histories() {
    let mut runner = TestRunner::deterministic();
    let steps = (0..5_000).map(|_| step().new_tree(&mut runner).unwrap().current());
    let commands = steps.filter(|step| {
        !matches!(step.op, Op::Start { .. } | Op::End(_) | Op::Tick(_) | Op::Gates(..))
    });
    let seen: BTreeSet<_> = commands.map(|step| named(&change(&step.op))).collect();
    // Moves come from the machines alone, which the gates of a history drive.
    assert_eq!(seen.len(), 28, "{seen:?}");
}
