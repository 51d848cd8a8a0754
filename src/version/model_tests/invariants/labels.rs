//! Where labels lead.

use super::super::model::Model;
use super::super::ops::{Op, Target, graph, label};
use super::super::world::{LABELS, Taken, World, place};
use crate::version::label::LabelRoute;

pub fn check(world: &mut World, model: &Model, taken: &Taken<'_>) {
    let seen = world.seen.clone();
    for (name, found) in seen.route(&graph()).into_iter().flat_map(|route| route.labels()) {
        let (l, expected) = (place(&name), &model.labels[&place(&name)]);
        let canary = found.canary.as_ref().map(|canary| (canary.version.0, canary.weight.get()));
        assert_eq!((found.active.map(|v| v.0), canary), (expected.active, expected.canary));
        assert_eq!(found.since.0, expected.since);
        assert_eq!(found.baking.map(|v| v.0), world.rollouts.baking.get(&l).copied());
        let kept = world.kept.snapshot.route(&graph()).and_then(|route| route.label(&name));
        assert_eq!(kept.unwrap().promotions, found.promotions, "I16: what a rollback goes by");
        shares_are_exact(world, l, found);
    }
    LABELS.for_each(|l| rollbacks_lead_back(world, l, taken));
}

/// I13: weights: 0 means none, 10 000 all, unkeyed exact within one.
/// I14: sticky keys are monotone in the weight.
fn shares_are_exact(world: &mut World, l: usize, found: &LabelRoute) {
    const STARTS: i64 = 8;
    let Some(canary) = &found.canary else { return };
    let weight = canary.weight.get();
    assert!(weight == 0 || canary.has(weight - 1), "I13");
    assert!(!canary.has(weight), "I13");
    let drawn = (0..STARTS).filter(|_| canary.draw()).count() as i64;
    let too_many = drawn * 10_000 - STARTS * i64::from(weight);
    assert!(too_many.abs() < 10_000, "I13: {drawn} of {STARTS} at {weight}");
    let bucket = canary.bucket("key");
    let known = *world.known.buckets.entry((l, canary.version)).or_insert(bucket);
    assert_eq!(known, bucket, "I14");
}

/// I16: after a rollback the active version was promoted before and is not reverted.
fn rollbacks_lead_back(world: &mut World, l: usize, taken: &Taken<'_>) {
    let active = world.seen.standing(&graph(), &label(l)).active;
    let before = taken.before.standing(&graph(), &label(l)).active;
    let Some(active) = active else { return drop(world.known.promoted.remove(&l)) };
    let promoted = world.known.promoted.entry(l).or_default();
    // One that takes back a canary leaves the active version as it is.
    if let Op::Rollback(rolled, target, _) = taken.op
        && *rolled == l
        && before != Some(active)
    {
        let marks = &world.seen.entry(&graph(), active).unwrap().marks;
        assert!(marks.reverted.is_none(), "I16: {active} is reverted");
        let is_named = matches!(target, Target::Exact(_));
        assert!(promoted.contains(&active.0) || is_named, "I16: {active} was never active");
    }
    promoted.insert(active.0);
}
