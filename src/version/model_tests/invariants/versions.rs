//! What versions are, and what holds them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::super::model::Model;
use super::super::ops::{PROOF, graph};
use super::super::world::World;
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::snapshot::{Entry, Route};
use crate::version::{Approval, Pin, Version};

pub fn check(world: &mut World, model: &Model) {
    let seen = world.seen.clone();
    let Some(route) = seen.route(&graph()) else { return assert!(model.contents.is_empty()) };
    let numbers: Vec<_> = route.versions.keys().map(|number| number.0).collect();
    // I2: publishing the same thing twice is one version; opaque is two.
    assert_eq!(numbers, model.versions.keys().copied().collect::<Vec<_>>(), "I2");
    let all = route.versions.keys().chain(route.retired.keys());
    assert_eq!(all.copied().collect::<BTreeSet<_>>().len(), model.contents.len(), "I1");
    manifests_stay(world, route);
    hashes_tell_contents_apart(world, model);
    for (version, entry) in &route.versions {
        stands_as_expected(model, route, *version, entry);
        the_last_unpin_is_noticed(&entry.version);
    }
}

/// I1: a manifest never changes; numbers increase and are never reused.
fn manifests_stay(world: &mut World, route: &Route) {
    for number in 1..=route.head {
        let manifest = route.manifest(VersionNumber(number)).expect("manifests stay");
        let place = usize::try_from(number - 1).unwrap();
        match world.known.manifests.get(place) {
            Some(known) => assert!(Arc::ptr_eq(known, manifest), "I1"),
            None => world.known.manifests.push(manifest.clone()),
        }
    }
}

/// I3: equal definitions hash equal across processes and orders; any change in meaning changes it.
fn hashes_tell_contents_apart(world: &World, model: &Model) {
    let kept = world.kept.snapshot.route(&graph()).expect("it was published");
    let own = world.known.manifests.iter();
    let read = (1..=kept.head).filter_map(|number| kept.manifest(VersionNumber(number)));
    let mut contents = std::collections::BTreeMap::new();
    for manifest in own.chain(read) {
        let content = model.contents[&manifest.number.0];
        let Some(hash) = manifest.hash else {
            assert_eq!(content, 0, "I3: only what is opaque has no hash");
            continue;
        };
        assert_eq!(*contents.entry(hash).or_insert(content), content, "I3: a meaning was lost");
    }
    let known: BTreeSet<_> = contents.values().collect();
    assert_eq!(known.len(), contents.len(), "I3: equal definitions hash equal");
}

fn stands_as_expected(model: &Model, route: &Route, version: VersionNumber, entry: &Entry) {
    let (expected, marks, view) = (&model.versions[&version.0], &entry.marks, entry.version.view());
    // I7: retired implies live = 0 for ever: what is there, and what is pinned, is not retired.
    assert!(!view.retired, "I7");
    // I8: the sum of live pins equals the number of runs that have not ended.
    assert_eq!(view.live, expected.live, "I8: pins are the live runs");
    assert_eq!(view.draining, !model.routed().contains(&version.0), "I15: the unrouted drain");
    let marked = [
        ("reverted", marks.reverted.is_some()),
        ("held", marks.held.is_some()),
        ("revoked", marks.revoked.is_some() && entry.version.is_revoked()),
        ("proven", marks.proven.is_some()),
        ("stable", !marks.tags.is_empty()),
        ("pending", marks.approval == Approval::Pending),
        ("approved", matches!(marks.approval, Approval::Approved(_))),
        ("rejected", matches!(marks.approval, Approval::Rejected(_))),
    ];
    let marked: BTreeSet<_> = marked.iter().filter(|mark| mark.1).map(|mark| mark.0).collect();
    assert_eq!(marked, expected.marks);
    let labels = route.labels().filter(|(_, label)| label.active == Some(version));
    let today = labels.map(|(_, label)| Timestamp(model.now).since(label.since)).max();
    let active_for = marks.active_for.max(today.unwrap_or_default());
    assert_eq!(active_for, Duration::from_micros(expected.active_for));
    let was_tried = expected.succeeded && expected.active_for >= PROOF;
    let is_proven = expected.marks.contains("proven") || was_tried;
    assert_eq!(entry.is_proven(route, Timestamp(model.now)), is_proven);
}

/// I15: the last unpin of a draining version is always noticed.
fn the_last_unpin_is_noticed(version: &Arc<Version>) {
    let view = version.view();
    let Some(pin) = Pin::of(version).filter(|_| view.draining && view.live == 0) else { return };
    let (mut drained, mut context) = (std::pin::pin!(version.drained()), cx());
    assert!(drained.as_mut().poll(&mut context).is_pending(), "I15: a run is pinned");
    drop(pin);
    assert!(drained.as_mut().poll(&mut context).is_ready(), "I15: the last unpin was missed");
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
