//! What starts get.

use std::sync::Arc;

use super::super::model::Model;
use super::super::ops::graph;
use super::super::world::{LABELS, Taken, World, selectors};
use crate::id::VersionNumber;
use crate::version::{ResolveError, Selector};

pub fn check(world: &World, model: &Model, taken: &Taken<'_>) {
    for l in LABELS {
        for (key, selector) in selectors(l) {
            the_latest_is_what_is_looked_up(world, &selector);
            let found = got(world, &[], &selector);
            is_what_the_register_says(world, model, (l, key), found);
            // One that is refused by the first look took effect before the step.
            if taken.before.peek(&graph(), &selector).is_ok() {
                let found = got(world, std::slice::from_ref(&taken.before), &selector);
                is_what_the_register_says(world, model, (l, key), found);
            }
        }
    }
    let most = model.contents.len() as u64 + 1;
    (1..=most).for_each(|v| named_versions_start(world, model, v));
}

/// A start that does not go through the maps gets the version that they have, for the same reason.
fn the_latest_is_what_is_looked_up(world: &World, selector: &Selector) {
    let Some((version, decision)) = world.seen.resolve_latest(&graph(), selector) else { return };
    let (found, said) = world.seen.peek(&graph(), selector).expect("it takes starts");
    assert!(Arc::ptr_eq(version, found), "{decision}, and not {said}");
    assert_eq!(decision, said);
}

/// The version that a start gets which finds these routings before what there is.
fn got(
    world: &World,
    earlier: &[Arc<crate::version::Snapshot>],
    selector: &Selector,
) -> Option<u64> {
    let (pin, decision) = world.admit_across(earlier, selector).ok()?;
    assert_eq!(pin.version().number(), decision.version, "a start is told what it got");
    assert!(!pin.version().view().retired, "I7");
    Some(decision.version.0)
}

/// I5: starts, promotions, canaries and rollbacks are linearizable against a sequential register.
/// I6: no start invoked after promote returned gets the old version; nor does one that was under
/// way then, and takes effect after it.
fn is_what_the_register_says(
    world: &World,
    model: &Model,
    (l, key): (usize, Option<&str>),
    found: Option<u64>,
) {
    let label = model.labels.get(&l).filter(|label| label.active.is_some());
    let Some(label) = label else { return assert_eq!(found, None, "I5: there is none") };
    let startable = |v: u64| Some(v).filter(|v| !model.versions[v].marks.contains("revoked"));
    let active = label.active.and_then(startable);
    let canary = label.canary.and_then(|(v, _)| startable(v));
    match (label.canary, key) {
        (None, _) => assert_eq!(found, active, "I6"),
        (Some((_, weight)), Some(key)) => {
            let is_canary = world.bucket(l, key).is_some_and(|bucket| bucket < weight);
            assert_eq!(found, if is_canary { canary } else { active }, "I6: `{key}`");
        }
        (Some((_, weight)), None) => {
            let may_be = [(weight < 10_000, active), (weight > 0, canary)];
            assert!(may_be.contains(&(true, found)), "I6: {found:?} of {may_be:?}");
        }
    }
}

/// I9: every version named in the snapshot is startable, or revoked (then a start says so).
fn named_versions_start(world: &World, model: &Model, v: u64) {
    let number = VersionNumber(v);
    let found = world.admit(&Selector::Version(number)).map(|(_, decision)| decision.version.0);
    let expected = match model.versions.get(&v) {
        Some(own) if own.marks.contains("revoked") => Err(ResolveError::Revoked(number)),
        Some(_) => Ok(v),
        None if model.contents.contains_key(&v) => Err(ResolveError::Gone(number)),
        None if model.contents.is_empty() => Err(ResolveError::UnknownGraph),
        None => Err(ResolveError::UnknownVersion(number)),
    };
    assert_eq!(found, expected, "I9");
}
