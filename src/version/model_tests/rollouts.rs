//! Rollouts in random histories: which are under way, and what their machines want.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::model::Model;
use super::ops::{Act, Health, Op, Target, graph, label};
use super::world::World;
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::*;

/// The rollouts that have begun and not ended.
#[derive(Default)]
pub struct Rollouts {
    pub under_way: BTreeMap<usize, UnderWay>,
    /// The versions that their rollouts still watch, by label.
    pub baking: BTreeMap<usize, u64>,
}

pub struct UnderWay {
    machine: RolloutMachine,
    pub version: u64,
    pub is_confirmed: bool,
}

impl UnderWay {
    fn begin(l: usize, version: u64, weight: u16, now: Timestamp) -> Self {
        let of = RolloutOf { graph: graph(), label: label(l), version: VersionNumber(version) };
        let steps = [weight, 5_000].map(|it| Step::hold(Weight::basis_points(it), SECOND));
        let plan = RolloutPlan::steps(steps).promote_after(SECOND).confirm_within(60 * SECOND);
        let (machine, _) = RolloutMachine::begin(of, Arc::new(plan.bake(SECOND)), now);
        Self { machine, version, is_confirmed: false }
    }
}

const SECOND: Duration = Duration::from_secs(1);

impl Rollouts {
    /// Sees an accepted command; says whether it only ends that a version is watched.
    pub fn see(&mut self, op: &Op, model: &Model) -> bool {
        let mut has_baked = false;
        if let Op::Rollout(l, v, act) = *op {
            let now = Timestamp(model.now);
            match act {
                Act::Begin(weight) => {
                    self.under_way.insert(l, UnderWay::begin(l, v, weight, now));
                }
                Act::Promote => drop(self.baking.insert(l, v)),
                Act::Confirm => self.confirm(l, v, now),
                Act::Complete | Act::LetGo => {
                    self.under_way.remove(&l);
                    has_baked = self.baking.get(&l) == Some(&v);
                    self.baking.retain(|label, _| *label != l || !has_baked);
                }
                Act::Share(_) | Act::Back => {}
            }
        }
        let active = |l: &usize| model.labels.get(l).and_then(|own| own.active);
        self.baking.retain(|l, v| active(l) == Some(*v));
        has_baked
    }

    fn confirm(&mut self, l: usize, v: u64, now: Timestamp) {
        if let Some(own) = self.under_way.get_mut(&l).filter(|own| own.version == v) {
            own.is_confirmed = true;
            // The command may come when the rollout would refuse it.
            let _ = own.machine.confirm(now);
        }
    }
}

/// What a rollout's command comes to, in commands that people give.
pub fn expected(
    model: &mut Model,
    l: usize,
    v: u64,
    act: Act,
) -> Result<Option<u64>, &'static str> {
    if model.contents.is_empty() {
        return Err("UnknownGraph");
    }
    let answer = match act {
        Act::Begin(weight) | Act::Share(weight) => model.apply(&Op::Route(l, v, Some(weight))),
        Act::Promote => model.apply(&Op::Route(l, v, None)),
        Act::Back => take_back(model, l, v),
        Act::Confirm | Act::Complete | Act::LetGo => Ok(Some(v)),
    }?;
    let proof = matches!(act, Act::Confirm | Act::Complete).then_some("proven");
    model.versions.get_mut(&v).into_iter().for_each(|own| own.marks.extend(proof));
    Ok(answer)
}

/// A version loses its share, or the label goes back to the one before; it is reverted.
pub fn take_back(model: &mut Model, l: usize, v: u64) -> Result<Option<u64>, &'static str> {
    let own = model.labels.get_mut(&l).ok_or("UnknownLabel")?;
    let (active, canary) = (own.active, own.canary.take());
    let answer = match canary.is_some_and(|canary| canary.0 == v) {
        true => active,
        false if active != Some(v) => return Err("IllegalTransition"),
        false => model.apply(&Op::Rollback(l, Target::Previous, false))?,
    };
    model.versions.get_mut(&v).into_iter().for_each(|own| own.marks.extend(["reverted"]));
    Ok(answer)
}

/// The gates of a label's rollout say something: what it wants then is done, as its actor does it.
pub fn ask_gates(world: &mut World, model: &mut Model, l: usize, health: Health) {
    let Some(own) = world.rollouts.under_way.get(&l) else { return };
    let (v, mut machine) = (own.version, own.machine.clone());
    if !is_held(model, l, v, machine.phase()) {
        assert!(world.give(model, &Op::Rollout(l, v, Act::LetGo)));
        return;
    }
    let wanted = machine.tick(Timestamp(model.now), verdict(health), 0);
    let act = match &wanted {
        Some(Move::Share(_, weight)) => Act::Share(weight.get()),
        Some(Move::Promote) => Act::Promote,
        Some(Move::TakeBack(_) | Move::RollBack(_)) => Act::Back,
        None if machine.is_ended() => Act::Complete,
        None => return world.rollouts.go_on(l, machine),
    };
    let is_done = world.give(model, &Op::Rollout(l, v, act));
    match wanted {
        Some(Move::TakeBack(_) | Move::RollBack(_)) => {
            assert!(world.give(model, &Op::Rollout(l, v, Act::LetGo)));
        }
        Some(wanted) if is_done => machine.done(wanted, Timestamp(model.now), 0),
        _ => {}
    }
    world.rollouts.go_on(l, machine);
}

impl Rollouts {
    fn go_on(&mut self, l: usize, machine: RolloutMachine) {
        self.under_way.get_mut(&l).into_iter().for_each(|own| own.machine = machine.clone());
    }
}

/// Whether the label still leads where the rollout left it.
fn is_held(model: &Model, l: usize, v: u64, phase: &RolloutPhase) -> bool {
    let Some(own) = model.labels.get(&l) else { return false };
    match phase {
        RolloutPhase::Baking => own.active == Some(v),
        _ => own.canary.is_some_and(|canary| canary.0 == v),
    }
}

fn verdict(health: Health) -> Verdict {
    match health {
        Health::Pass => Verdict::Pass,
        Health::Fail => Verdict::fail("bad"),
        Health::Inconclusive => Verdict::inconclusive("too few"),
        Health::Error => Verdict::error("no answer"),
    }
}
