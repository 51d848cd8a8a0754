//! The steps of a random history, and the commands that they are.

use std::sync::Arc;

use proptest::prelude::*;

use crate::graph::{Compatibility, Plan};
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::command::Otherwise;
use crate::version::*;

/// A step of a random history.
#[derive(Clone, Debug)]
pub enum Op {
    /// Publish content; content 0 is opaque.
    Publish {
        content: u8,
        promote: bool,
    },
    /// Promote a version or, if there is a weight, make it a canary.
    Route(usize, u64, Option<u16>),
    /// Promote two versions, one on each label.
    Release(u64, u64),
    Rollback(usize, Target, bool),
    ClearCanary(usize),
    Policy(usize, (bool, Option<usize>)),
    Remove(usize),
    Judge(u64, u64, usize),
    /// A mark is set, or taken away where that can be asked for.
    Mark(u64, &'static str, bool),
    Retire(u64),
    /// A run starts on a label or, if it is given, on a version, and goes on.
    Start {
        label: usize,
        version: Option<u64>,
        key: bool,
    },
    /// The oldest run ends, well or not.
    End(bool),
    /// So many seconds pass.
    Tick(u64),
}

/// A target of a rollback.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    LastProven,
    Previous,
    Tagged,
    Exact(u64),
}

/// A step, and what it is given under if it is a command.
#[derive(Clone, Debug)]
pub struct Step {
    pub op: Op,
    pub request_id: Option<u8>,
    /// It is meant for a revision that there is not.
    pub is_stale: bool,
    /// The latest command that had a request id is given in its place.
    pub is_repeat: bool,
}

pub fn step() -> impl Strategy<Value = Step> {
    let request_id = proptest::option::weighted(0.2, 0..12_u8);
    let (stale, repeat) = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    (op(), request_id, stale, repeat).prop_map(|(op, request_id, is_stale, is_repeat)| Step {
        op,
        request_id,
        is_stale,
        is_repeat,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let (label, version) = (0..2_usize, 0..10_u64);
    let target = prop_oneof![
        Just(Target::LastProven),
        Just(Target::Previous),
        Just(Target::Tagged),
        version.clone().prop_map(Target::Exact),
    ];
    let mark = proptest::sample::select(vec![
        ("held", true),
        ("held", false),
        ("stable", true),
        ("stable", false),
        ("approved", true),
        ("rejected", true),
        ("reverted", false),
        ("revoked", true),
    ]);
    let labelled = (label.clone(), version.clone());
    prop_oneof![
        4 => (0..5_u8, any::<bool>()).prop_map(|(content, promote)| Op::Publish { content, promote }),
        4 => labelled.clone().prop_map(|(label, v)| Op::Route(label, v, None)),
        1 => (version.clone(), version.clone()).prop_map(|(a, b)| Op::Release(a, b)),
        3 => (label.clone(), target, any::<bool>()).prop_map(|(l, t, f)| Op::Rollback(l, t, f)),
        2 => (labelled, 0..=10_000_u16).prop_map(|((l, v), w)| Op::Route(l, v, Some(w))),
        1 => label.clone().prop_map(Op::ClearCanary),
        1 => (label.clone(), any::<bool>(), proptest::option::of(0..4_usize))
            .prop_map(|(l, r, a)| Op::Policy(l, (r, a))),
        1 => label.clone().prop_map(Op::Remove),
        1 => (version.clone(), version.clone(), 0..4_usize).prop_map(|(a, b, l)| Op::Judge(a, b, l)),
        3 => (version.clone(), mark).prop_map(|(v, (mark, set))| Op::Mark(v, mark, set)),
        2 => version.clone().prop_map(Op::Retire),
        4 => (label, proptest::option::of(version), any::<bool>())
            .prop_map(|(label, version, key)| Op::Start { label, version, key }),
        2 => any::<bool>().prop_map(Op::End),
        2 => (0..90_u64).prop_map(Op::Tick),
    ]
}

const LEVELS: [Compatibility; 4] = [
    Compatibility::Compatible,
    Compatibility::MinorChange,
    Compatibility::Unknown,
    Compatibility::Breaking,
];

pub fn graph() -> GraphName {
    "g".into()
}

pub fn label(label: usize) -> LabelName {
    if label == 0 { LabelName::default() } else { "beta".into() }
}

pub fn change(op: &Op) -> Change {
    let number = VersionNumber;
    let on_label = |l: usize, change| Change::OnLabel { graph: graph(), label: label(l), change };
    match *op {
        Op::Publish { content, promote } => publication(content, promote),
        Op::Route(l, v, None) => on_label(l, LabelChange::Promote(number(v))),
        Op::Release(a, b) => {
            Change::Release(vec![(graph(), label(0), number(a)), (graph(), label(1), number(b))])
        }
        Op::Rollback(l, target, force) => {
            let target = match target {
                Target::LastProven => RollbackTarget::LastProven,
                Target::Previous => RollbackTarget::Previous,
                Target::Tagged => RollbackTarget::Tagged("stable".into()),
                Target::Exact(v) => RollbackTarget::Exact(number(v)),
            };
            let otherwise = if force { Otherwise::Oldest } else { Otherwise::Refuse };
            let in_flight = InFlight::Finish;
            on_label(l, LabelChange::Rollback { target, otherwise, in_flight })
        }
        Op::Route(l, v, Some(weight)) => {
            on_label(l, LabelChange::SetCanary(number(v), Weight::basis_points(weight)))
        }
        Op::ClearCanary(l) => on_label(l, LabelChange::ClearCanary),
        Op::Policy(l, (reject_breaking, asks)) => {
            let require_approval = asks.map(|level| LEVELS[level]);
            on_label(
                l,
                LabelChange::SetPolicy(LabelPolicy {
                    reject_breaking,
                    require_approval,
                    ..LabelPolicy::default()
                }),
            )
        }
        Op::Remove(l) => on_label(l, LabelChange::Remove),
        Op::Judge(from, to, level) => {
            let (from, to, level) = (number(from), number(to), LEVELS[level]);
            Change::Judge { graph: graph(), from, to, level }
        }
        Op::Mark(v, mark, set) => {
            Change::OnVersion { graph: graph(), version: number(v), change: marking(mark, set) }
        }
        Op::Retire(v) => {
            let change = VersionChange::Retire(Arc::default());
            Change::OnVersion { graph: graph(), version: number(v), change }
        }
        Op::Start { .. } | Op::End(_) | Op::Tick(_) => unreachable!("these are no commands"),
    }
}

fn publication(content: u8, promote: bool) -> Change {
    let plan = Arc::new(Plan::empty("g", (content > 0).then_some([content; 32])));
    let (note, tags, if_head, if_hash) = (None, Vec::new(), None, None);
    let (bindings, secrets) = (Arc::from([]), GraphSecrets::default());
    let new = NewVersion { plan, bindings, secrets, note, tags, if_head, if_hash, promote };
    Change::Publish(Box::new(new))
}

fn marking(mark: &str, set: bool) -> VersionChange {
    match (mark, set) {
        ("held", true) => VersionChange::Hold,
        ("held", _) => VersionChange::ReleaseHold,
        ("stable", true) => VersionChange::Tag("stable".into()),
        ("stable", _) => VersionChange::Untag("stable".into()),
        ("approved", _) => VersionChange::Approve,
        ("rejected", _) => VersionChange::Reject,
        ("reverted", _) => VersionChange::ClearReverted,
        _ => VersionChange::Revoke,
    }
}
