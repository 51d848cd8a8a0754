//! Random commands against a naive model: the invariants hold after each, and none panics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Change, Command, Lineages, Pin, ResolveError, Selector, Snapshot, VersionError};
use crate::clock::Timestamp;
use crate::graph::Plan;
use crate::id::{GraphName, VersionNumber};

/// A step of a random history.
#[derive(Clone, Debug)]
enum Op {
    /// Publish content; content 0 is opaque.
    Publish {
        content: u8,
        promote: bool,
    },
    Promote(u64),
    Rollback(Option<u64>),
    Retire(u64),
    /// A run starts on the active version and goes on.
    Start,
    /// The oldest run ends.
    End,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u8, any::<bool>()).prop_map(|(content, promote)| Op::Publish { content, promote }),
        (0..8_u64).prop_map(Op::Promote),
        proptest::option::of(0..8_u64).prop_map(Op::Rollback),
        (0..8_u64).prop_map(Op::Retire),
        Just(Op::Start),
        Just(Op::End),
    ]
}

/// What the lineage should hold, kept the plain way.
#[derive(Default)]
struct Model {
    versions: BTreeMap<u64, u8>,
    head: u64,
    active: Option<u64>,
    /// Versions in the order they became active, and whether a rollback left them.
    history: Vec<(u64, bool)>,
    live: BTreeMap<u64, u64>,
    revision: u64,
}

impl Model {
    fn live(&self, version: u64) -> u64 {
        self.live.get(&version).copied().unwrap_or(0)
    }

    fn activate(&mut self, version: u64) {
        self.active = Some(version);
        self.history.retain(|(other, _)| *other != version);
        self.history.push((version, false));
        self.revision += 1;
    }

    /// The number the command is about, or that it is refused.
    fn apply(&mut self, op: &Op) -> Result<u64, ()> {
        match *op {
            Op::Publish { content, promote } => {
                let known = self.versions.iter().find(|(_, c)| content > 0 && **c == content);
                let known = known.map(|(number, _)| *number);
                let version = known.unwrap_or(self.head + 1);
                if known.is_none() {
                    self.head = version;
                    self.versions.insert(version, content);
                }
                let promoted = promote && self.active != Some(version);
                match (promoted, known) {
                    (true, _) => self.activate(version),
                    (false, None) => self.revision += 1,
                    (false, Some(_)) => {}
                }
                Ok(version)
            }
            Op::Promote(version) => {
                if !self.versions.contains_key(&version) || self.active == Some(version) {
                    return Err(());
                }
                self.activate(version);
                Ok(version)
            }
            Op::Rollback(target) => {
                if self.head == 0 {
                    return Err(());
                }
                let usable = |(other, left): &&(u64, bool)| {
                    Some(*other) != self.active && !left && self.versions.contains_key(other)
                };
                let previous = || self.history.iter().rev().find(usable).map(|entry| entry.0);
                let target = target.or_else(previous).ok_or(())?;
                if !self.versions.contains_key(&target) || self.active == Some(target) {
                    return Err(());
                }
                for entry in self.history.iter_mut().filter(|entry| Some(entry.0) == self.active) {
                    entry.1 = true;
                }
                self.activate(target);
                Ok(target)
            }
            Op::Retire(version) => {
                let is_there = self.versions.contains_key(&version);
                if !is_there || self.active == Some(version) || self.live(version) > 0 {
                    return Err(());
                }
                self.versions.remove(&version);
                self.revision += 1;
                Ok(version)
            }
            Op::Start | Op::End => unreachable!("runs are no commands"),
        }
    }
}

const GRAPH: &str = "g";

fn change(op: &Op) -> Change {
    let graph = GraphName::from(GRAPH);
    match *op {
        Op::Publish { content, promote } => {
            let hash = (content > 0).then_some([content; 32]);
            Change::Publish { plan: Arc::new(Plan::empty(GRAPH, hash)), promote }
        }
        Op::Promote(version) => Change::Promote { graph, version: VersionNumber(version) },
        Op::Rollback(target) => Change::Rollback { graph, target: target.map(VersionNumber) },
        Op::Retire(version) => Change::Retire { graph, version: VersionNumber(version) },
        Op::Start | Op::End => unreachable!("runs are no commands"),
    }
}

fn command(change: Change) -> Command {
    Command { change, request_id: None, if_revision: None }
}

/// The snapshot that starts see.
struct World {
    lineages: Lineages,
    seen: RefCell<Arc<Snapshot>>,
    runs: Vec<Pin>,
}

impl World {
    fn new() -> Self {
        let seen = RefCell::new(Arc::default());
        Self { lineages: Lineages::default(), seen, runs: Vec::new() }
    }

    fn execute(&mut self, command: Command) -> Result<super::Done, VersionError> {
        let seen = &self.seen;
        self.lineages.apply(command, Timestamp(1), |snapshot| *seen.borrow_mut() = snapshot)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.seen.borrow().clone()
    }
}

fn check(world: &World, model: &Model) {
    let snapshot = world.snapshot();
    assert_eq!(snapshot.revision(), model.revision, "I10: the revision counts accepted changes");
    let Some(route) = snapshot.route(&GRAPH.into()) else {
        return assert_eq!(model.head, 0);
    };
    assert_eq!(route.active.map(|version| version.0), model.active);
    let numbers: Vec<_> = route.versions.keys().map(|number| number.0).collect();
    assert_eq!(numbers, model.versions.keys().copied().collect::<Vec<_>>(), "I1, I2");
    for version in route.versions.values() {
        let view = version.view();
        assert!(!view.retired, "I9: what is routed is startable");
        assert_eq!(view.live, model.live(version.number().0), "I8: pins are the live runs");
        let superseded = model.history.iter().any(|(other, _)| *other == version.number().0);
        let draining = superseded && model.active != Some(version.number().0);
        assert_eq!(view.draining, draining, "I15: what is superseded drains");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_lineage_agrees_with_a_naive_model(ops in proptest::collection::vec(op(), 1..40)) {
        let (mut world, mut model) = (World::new(), Model::default());
        for op in ops {
            match op {
                Op::Start => {
                    let found = world.snapshot().resolve(&GRAPH.into(), Selector::Active);
                    prop_assert_eq!(found.is_ok(), model.active.is_some());
                    if let (Ok(version), Some(active)) = (found, model.active) {
                        world.runs.push(Pin::of(&version).expect("I7: routed is not retired"));
                        *model.live.entry(active).or_default() += 1;
                    }
                }
                Op::End if world.runs.is_empty() => {}
                Op::End => {
                    let ended = world.runs.remove(0).version().number().0;
                    *model.live.entry(ended).or_default() -= 1;
                }
                op => {
                    let expected = model.apply(&op);
                    let got = world.execute(command(change(&op)));
                    prop_assert_eq!(got.as_ref().map(|done| done.version.0).map_err(|_| ()), expected);
                }
            }
            check(&world, &model);
        }
    }
}

#[test]
fn a_request_id_gives_the_recorded_answer() {
    let mut world = World::new();
    let publish = Op::Publish { content: 0, promote: true };
    let named = Command { request_id: Some("r".into()), ..command(change(&publish)) };
    let first = world.execute(named.clone());
    assert_eq!(first, world.execute(named), "I12");
    assert_eq!(world.snapshot().revision(), 1);
}

#[test]
fn of_two_commands_for_one_revision_one_wins() {
    let mut world = World::new();
    for content in [1, 2] {
        let publish = Op::Publish { content, promote: false };
        let command = Command { if_revision: Some(0), ..command(change(&publish)) };
        let answer = world.execute(command);
        let conflict = VersionError::Conflict { expected: 0, found: 1 };
        assert_eq!(answer.is_err().then_some(conflict), answer.err(), "I11");
    }
    assert_eq!(world.snapshot().revision(), 1);
}

#[test]
fn a_retired_version_is_gone_and_its_number_is_not_reused() {
    let mut world = World::new();
    let publish = Op::Publish { content: 1, promote: false };
    world.execute(command(change(&publish))).unwrap();
    world.execute(command(change(&Op::Retire(1)))).unwrap();
    let gone = world.snapshot().resolve(&GRAPH.into(), Selector::Version(VersionNumber(1)));
    assert_eq!(gone.unwrap_err(), ResolveError::Gone(VersionNumber(1)));
    let again = world.execute(command(change(&publish))).unwrap();
    assert_eq!((again.version.0, again.created), (2, true));
}
