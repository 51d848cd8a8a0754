//! The steps of a random history, and the commands that they are.

use std::sync::Arc;

use proptest::prelude::*;

use crate::graph::{
    CheckLimits, Compatibility, Document, GraphBuilder, NodeSpec, Plan, check, hash,
};
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::command::Otherwise;
use crate::version::*;

/// The most versions that the graph may have.
pub const MOST: usize = 6;
/// How long a version is active before it can be proven, in microseconds.
pub const PROOF: u64 = 60_000_000;

/// A step of a random history.
#[derive(Clone, Debug)]
pub enum Op {
    /// Publish content; content 0 is opaque. The nodes may come in another order.
    Publish {
        content: u8,
        promote: bool,
        expects: Expects,
        is_turned: bool,
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
    /// Give the order for the runs of a version whose time to drain is up.
    Drain(u64),
    /// Retire what retention gives up: nothing here.
    Collect,
    /// What a rollout of a version may do on a label.
    Rollout(usize, u64, Act),
    /// The gates of the rollout that is under way on a label say this: it does what it wants then.
    Gates(usize, Health),
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

/// What a publish expects to find.
#[derive(Clone, Copy, Debug)]
pub enum Expects {
    Any,
    Head(u64),
    Hash(u8),
}

/// A command of a rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    Begin(u16),
    Share(u16),
    Promote,
    Confirm,
    Back,
    Complete,
    LetGo,
}

/// What gates say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Health {
    Pass,
    Fail,
    Inconclusive,
    Error,
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

/// The steps of a random history: by themselves, or those of a rollout one after the other.
pub fn history() -> impl Strategy<Value = Vec<Step>> {
    let one = step().prop_map(|step| vec![step]);
    let some = prop_oneof![12 => one, 1 => followed_rollout()];
    proptest::collection::vec(some, 30).prop_map(|all| all.concat())
}

pub fn step() -> impl Strategy<Value = Step> {
    let request_id = proptest::option::weighted(0.2, 0..12_u8);
    let (stale, repeat) = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    (prop_oneof![4 => op(), 1 => rollout()], request_id, stale, repeat).prop_map(
        |(op, request_id, is_stale, is_repeat)| Step { op, request_id, is_stale, is_repeat },
    )
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
        4 => (0..5_u8, any::<bool>(), expects(), any::<bool>()).prop_map(
            |(content, promote, expects, is_turned)| Op::Publish { content, promote, expects, is_turned }
        ),
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
        1 => version.clone().prop_map(Op::Drain),
        1 => Just(Op::Collect),
        4 => (label, proptest::option::of(version), any::<bool>())
            .prop_map(|(label, version, key)| Op::Start { label, version, key }),
        2 => any::<bool>().prop_map(Op::End),
        2 => (0..90_u64).prop_map(Op::Tick),
    ]
}

fn expects() -> impl Strategy<Value = Expects> {
    prop_oneof![
        8 => Just(Expects::Any),
        1 => (0..8_u64).prop_map(Expects::Head),
        1 => (1..5_u8).prop_map(Expects::Hash),
    ]
}

/// What rollouts do: begun on a label they are there for, and told what their gates say.
fn rollout() -> impl Strategy<Value = Op> {
    let (label, version) = (0..2_usize, 0..10_u64);
    let act = prop_oneof![
        6 => (0..=10_000_u16).prop_map(Act::Begin),
        2 => Just(Act::Promote),
        1 => Just(Act::Confirm),
        1 => Just(Act::Back),
        1 => Just(Act::Complete),
        1 => Just(Act::LetGo),
    ];
    prop_oneof![
        (label.clone(), version, act).prop_map(|(l, v, act)| Op::Rollout(l, v, act)),
        (label, health()).prop_map(|(l, health)| Op::Gates(l, health)),
    ]
}

fn health() -> impl Strategy<Value = Health> {
    let all = vec![Health::Pass, Health::Fail, Health::Inconclusive, Health::Error];
    prop_oneof![2 => Just(Health::Pass), 1 => proptest::sample::select(all)]
}

/// A rollout that nothing comes in between: single steps hardly ever bring one to its promotion.
fn followed_rollout() -> impl Strategy<Value = Vec<Step>> {
    (0..2_usize, 1..5_u8, 1..4_u64, 1..4_u64, 0..=10_000_u16).prop_flat_map(
        |(l, content, active, v, weight)| {
            let publish =
                Op::Publish { content, promote: true, expects: Expects::Any, is_turned: false };
            let begin = Op::Rollout(l, v, Act::Begin(weight));
            let begin = [publish, Op::Route(1, active, None), begin];
            let next = prop_oneof![
                8 => health().prop_map(move |health| Op::Gates(l, health)),
                1 => Just(Op::Rollout(l, v, Act::Confirm)),
            ];
            let next = ((0..3_u64).prop_map(Op::Tick), next).prop_map(|(tick, next)| [tick, next]);
            proptest::collection::vec(next, 8).prop_map(move |next| {
                let steps = begin.iter().cloned().chain(next.into_iter().flatten());
                steps.map(Step::plain).collect()
            })
        },
    )
}

impl Step {
    /// A step that is given without a name, and for any revision.
    const fn plain(op: Op) -> Self {
        Self { op, request_id: None, is_stale: false, is_repeat: false }
    }
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
        Op::Publish { content, promote, expects, is_turned } => {
            let (mut if_head, mut if_hash) = (None, None);
            match expects {
                Expects::Any => {}
                Expects::Head(head) => if_head = Some(number(head)),
                Expects::Hash(content) => if_hash = Some(definition(content, false)),
            }
            let hash = (content > 0).then(|| definition(content, is_turned));
            let plan = Arc::new(Plan::empty("g", hash));
            Change::Publish(Box::new(NewVersion { if_head, if_hash, promote, ..publication(plan) }))
        }
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
        Op::Drain(v) => {
            let change = VersionChange::Drain(InFlight::Cancel);
            Change::OnVersion { graph: graph(), version: number(v), change }
        }
        Op::Collect => Change::Collect { graph: graph() },
        Op::Rollout(l, v, act) => of_rollout(l, v, act),
        Op::Start { .. } | Op::End(_) | Op::Tick(_) | Op::Gates(..) => unreachable!("no command"),
    }
}

/// The hash of a definition with that content, whose nodes may come in another order.
pub fn definition(content: u8, is_turned: bool) -> [u8; 32] {
    let first = NodeSpec::new("first").input("n", u64::from(content)).next("second");
    let second = NodeSpec::new("second").input("n", "${{first.outputs.n}}");
    let nodes = if is_turned { [second, first] } else { [first, second] };
    let document = nodes.into_iter().fold(Document::builder("g"), GraphBuilder::node).build();
    hash(&check(&document, &CheckLimits::default(), None).unwrap().document, &[])
}

/// A version of that plan which nobody expects anything of.
pub fn publication(plan: Arc<Plan>) -> NewVersion {
    let (note, tags, if_head, if_hash) = (None, Vec::new(), None, None);
    let (bindings, secrets) = (Arc::from([]), GraphSecrets::default());
    NewVersion { plan, bindings, secrets, note, tags, if_head, if_hash, promote: false }
}

fn of_rollout(l: usize, v: u64, act: Act) -> Change {
    let version = VersionNumber(v);
    let of = RolloutOf { graph: graph(), label: label(l), version };
    let moves = match act {
        Act::Begin(weight) | Act::Share(weight) => {
            Some(LabelChange::SetCanary(version, Weight::basis_points(weight)))
        }
        Act::Promote => Some(LabelChange::Promote(version)),
        Act::Back => Some(LabelChange::Revert(version)),
        Act::Confirm | Act::Complete | Act::LetGo => None,
    };
    let act = match act {
        Act::Begin(_) => RolloutAct::Begin("a plan".into()),
        Act::Share(_) => RolloutAct::Move,
        Act::Promote => RolloutAct::Order(RolloutOrder::Promote),
        Act::Confirm => RolloutAct::Order(RolloutOrder::Confirm),
        Act::Back => RolloutAct::Order(RolloutOrder::Abort),
        Act::Complete => RolloutAct::End(RolloutEnd::Completed),
        Act::LetGo => RolloutAct::End(RolloutEnd::Superseded("it let go".into())),
    };
    Change::rollout(&of, act, moves)
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
