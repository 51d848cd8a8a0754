//! What runs keep.

use std::sync::Arc;

use super::super::ops::graph;
use super::super::world::World;
use crate::id::VersionNumber;

/// I4: a run's version is constant: the one that its start was told, which nothing replaces.
pub fn check(world: &World) {
    for run in &world.runs {
        let (number, own) = (VersionNumber(run.version), run.pin.version());
        assert_eq!(own.number(), number, "I4: a run is on another version");
        let found = world.seen.version(&graph(), number).expect("I4: its version is gone");
        assert!(Arc::ptr_eq(own, found), "I4: its version was made again");
    }
}
