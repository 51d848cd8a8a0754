//! What a publish that is refused leaves behind: nothing.

use std::sync::Arc;

use super::super::model::Model;
use super::super::ops::{MOST, definition, publication};
use super::super::world::{World, name};
use crate::graph::Plan;
use crate::id::VersionNumber;
use crate::version::{Change, NewVersion};

/// I21: a publish, valid, invalid or panicking, never makes a start fail or wait.
///
/// Here it is one of a new definition that runs a version of a graph which is not there. It comes
/// before the checks of versions and starts, which see what it has done to gates.
pub fn check(world: &mut World, model: &Model) {
    let before = world.seen.clone();
    let refused = world.execute(invalid(), model.now).map_err(|error| name(&error));
    let is_full = model.versions.len() == MOST;
    let expected = if is_full { ["TooManyVersions", "UnknownGraph"] } else { ["UnknownGraph"; 2] };
    let refused = refused.expect_err("I21: it cannot be published");
    assert!(expected.contains(&refused.as_str()), "I21: {refused}");
    assert!(Arc::ptr_eq(&before, &world.seen), "I21: a refusal has moved starts");
}

fn invalid() -> Change {
    let plan = Arc::new(Plan::empty("g", Some(definition(200, false))));
    let bindings = Arc::from([("nowhere".into(), VersionNumber(1))]);
    Change::Publish(Box::new(NewVersion { bindings, promote: true, ..publication(plan) }))
}
