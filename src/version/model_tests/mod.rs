//! Random commands against a plain model: both say the same, and the invariants hold after each.

mod invariants;
mod model;
mod ops;
mod rollouts;
mod table;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::graph::Plan;
use crate::id::VersionNumber;
use model::Model;
use ops::{Act, Expects, Health, Op, Step, change, graph, publication};
use world::{Taken, World, name};

/// What was asked for under a request id, and what it was told.
type Told = (String, Result<Option<u64>, String>);

fn config() -> ProptestConfig {
    let cases = if std::env::var_os("HOTGRAPH_SOAK").is_some() { 10_000 } else { 200 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A random history.
#[derive(Default)]
struct History {
    model: Model,
    /// What commands with a request id were told (I12).
    told: BTreeMap<u8, Told>,
    /// The latest of them.
    latest: Option<Step>,
}

impl History {
    fn take(&mut self, world: &mut World, step: Step) {
        let step = self.latest.clone().filter(|_| step.is_repeat).unwrap_or(step);
        let (before, labels_before) = (world.seen.clone(), self.model.labels.clone());
        match step.op {
            Op::Start { label, version, key } => world.start(&mut self.model, label, version, key),
            Op::End(is_success) => world.end(&mut self.model, is_success),
            Op::Tick(seconds) => self.model.tick(seconds * 1_000_000),
            Op::Gates(label, health) => {
                rollouts::ask_gates(world, &mut self.model, label, health);
            }
            _ => self.give(world, &step),
        }
        let taken = Taken { op: &step.op, before, labels_before };
        invariants::check(world, &self.model, &taken);
    }

    /// Gives a command, and compares its answer with what the model says, or with what it was told
    /// before.
    fn give(&mut self, world: &mut World, step: &Step) {
        let Step { op, request_id, is_stale, .. } = step;
        let asked = change(op).identity();
        let known = request_id.and_then(|id| self.told.get(&id).cloned());
        let terms = Terms {
            request_id: request_id.map(|id| id.to_string().into()),
            if_revision: is_stale.then_some(world.revision + 1),
            ..Terms::default()
        };
        let found = world.execute_under(change(op), terms, self.model.now);
        let expected = match &known {
            // I12: the same request id gives the same result.
            Some((before, answer)) if *before == asked => answer.clone(),
            Some(_) => Err("RequestIdTaken".to_owned()),
            None if *is_stale => Err("Conflict".to_owned()),
            None => world.expect(&mut self.model, op),
        };
        if let (Some(id), None) = (request_id, &known) {
            self.told.insert(*id, (asked, expected.clone()));
            self.latest = Some(step.clone());
        }
        // I19: every (state, command) pair gives Ok or a typed error; never a panic, never a hang.
        let found = found.map(|done| done.version.map(|version| version.0));
        assert_eq!(found.map_err(|error| name(&error)), expected, "{op:?}");
    }
}

#[test]
fn a_start_of_the_graph_that_was_changed_last_reads_no_map() {
    let mut world = World::new();
    let finds = |world: &World| {
        let found = world.seen.resolve_latest(&graph(), &Selector::default());
        found.map(|(version, _)| version.number().0)
    };
    world
        .execute(Change::Publish(Box::new(publication(Arc::new(Plan::empty("g", None))))), 0)
        .unwrap();
    assert_eq!(finds(&world), None, "nothing is active");
    world.execute(change(&Op::Route(0, 1, None)), 0).unwrap();
    assert_eq!(finds(&world), Some(1));
    world.execute(change(&Op::Route(0, 1, Some(1_000))), 0).unwrap_err();
    assert_eq!(finds(&world), Some(1), "what was refused changed nothing");
}

#[test]
fn a_full_graph_takes_no_version_that_holds_the_one_which_was_to_make_room_for_it() {
    let retention = Retention::default().keep_last(1).keep_proven(0).soft_limit(1).hard_limit(2);
    let mut world = World::with(retention);
    let publish = |content, runs: &[u64]| {
        let plan = Plan::empty("g", Some([content; 32]));
        let bindings = runs.iter().map(|version| (graph(), VersionNumber(*version)));
        let bindings = bindings.collect();
        let new = NewVersion { bindings, ..publication(Arc::new(plan)) };
        Change::Publish(Box::new(new))
    };
    let versions = |world: &World| {
        let route = world.seen.route(&graph()).unwrap();
        route.versions.keys().map(|version| version.0).collect::<Vec<_>>()
    };
    world.execute(publish(1, &[]), 0).unwrap();
    let first = world.seen.version(&graph(), VersionNumber(1)).unwrap().clone();
    let pin = Pin::of(&first);
    world.execute(publish(2, &[]), 0).unwrap();
    world.execute(change(&Op::Route(0, 2, None)), 0).unwrap();
    drop(pin);
    // Version 1 would be given up, if the new version did not run it.
    let refused = world.execute(publish(3, &[1]), 0).map_err(|error| name(&error));
    assert_eq!(refused.map(drop), Err("TooManyVersions".to_owned()));
    assert_eq!(versions(&world), [1, 2]);
    assert!(Pin::of(&first).is_some(), "nothing was closed");
    world.execute(publish(3, &[]), 0).unwrap();
    assert_eq!(versions(&world), [2, 3]);
}

#[test]
fn a_label_goes_back_from_what_bakes_also_to_its_canary() {
    let (mut world, mut history) = (World::new(), History::default());
    let publish =
        |content| Op::Publish { content, promote: false, expects: Expects::Any, is_turned: false };
    let rollout = |act| Op::Rollout(1, 2, act);
    let healthy = [Op::Tick(2), Op::Gates(1, Health::Pass), rollout(Act::Confirm)];
    let mut ops = vec![publish(1), publish(2), Op::Route(1, 1, None), rollout(Act::Begin(100))];
    ops.extend(healthy.into_iter().cycle().take(9));
    ops.extend([Op::Route(1, 1, Some(500)), Op::Gates(1, Health::Fail)]);
    for op in ops {
        let step = Step { op, request_id: None, is_stale: false, is_repeat: false };
        history.take(&mut world, step);
    }
    assert_eq!(history.model.labels[&1].active, Some(1));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn commands_do_what_a_plain_model_says(steps in ops::history()) {
        let (mut world, mut history) = (World::new(), History::default());
        steps.into_iter().for_each(|step| history.take(&mut world, step));
        assert_eq!(world.audit.fold(), Routing::of(&world.seen), "I23: the audit adds up");
    }
}
