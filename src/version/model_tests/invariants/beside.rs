//! Two graphs beside that of the model: releases move both, and of two commands one wins.

use std::sync::Arc;

use super::super::model::Model;
use super::super::ops::publication;
use super::super::world::{World, name};
use crate::graph::Plan;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::{Change, Done, NewVersion, Snapshot, Terms, VersionError};

const GRAPHS: [&str; 2] = ["one", "other"];

/// The graphs beside that of the model, both on the same version once they are there.
#[derive(Default)]
pub struct Beside {
    version: Option<u64>,
}

impl Beside {
    pub fn publish(world: &mut World) {
        for (graph, content) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
            let plan = Arc::new(Plan::empty(GRAPHS[graph], Some([content; 32])));
            let new = NewVersion { promote: false, ..publication(plan) };
            world.execute(Change::Publish(Box::new(new)), 0).unwrap();
        }
        world.execute(release([1, 1]), 0).unwrap();
        (world.revision, world.beside.version) = (5, Some(1));
    }

    /// I20: nobody sees half a release: in no routing that is ever swapped in do they differ.
    pub fn is_whole(&self, seen: &Snapshot) {
        if self.version.is_some() {
            let [one, other] = GRAPHS.map(|graph| active(seen, graph));
            assert_eq!(one, other, "I20: half a release");
        }
    }
}

pub fn check(world: &mut World, model: &Model) {
    let (now, at) = (model.now, world.beside.version.unwrap_or_default());
    let next = 3 - at;
    half_a_release_is_none(world, [next, 99], now);
    half_a_release_is_none(world, [99, next], now);
    one_of_two_wins(world, [next, at], now);
    world.beside.version = Some(next);
    assert_eq!(active(&world.seen, GRAPHS[0]), Some(VersionNumber(next)), "I20");
    world.beside.is_whole(&world.seen);
}

fn half_a_release_is_none(world: &mut World, versions: [u64; 2], now: u64) {
    let before = world.seen.clone();
    let refused = world.execute(release(versions), now).map_err(|error| name(&error));
    assert_eq!(refused.map(drop), Err("UnknownVersion".to_owned()), "I20");
    assert!(Arc::ptr_eq(&before, &world.seen), "I20: half a release");
}

/// I11: of n concurrent compare-and-set commands one wins.
fn one_of_two_wins(world: &mut World, versions: [u64; 2], now: u64) {
    let terms = Terms { if_revision: Some(world.revision), ..Terms::default() };
    let give = |version| world.execute_under(release([version; 2]), terms.clone(), now);
    let answers: [Result<Done, VersionError>; 2] = versions.map(give);
    let told = answers.map(|answer| answer.map(drop).map_err(|error| name(&error)));
    assert_eq!(told, [Ok(()), Err("Conflict".to_owned())], "I11");
    world.revision += 1;
}

fn release(versions: [u64; 2]) -> Change {
    let moved = |(graph, version): (&str, u64)| {
        (GraphName::from(graph), LabelName::default(), VersionNumber(version))
    };
    Change::Release(GRAPHS.into_iter().zip(versions).map(moved).collect())
}

fn active(seen: &Snapshot, graph: &str) -> Option<VersionNumber> {
    seen.standing(&graph.into(), &LabelName::default()).active
}
