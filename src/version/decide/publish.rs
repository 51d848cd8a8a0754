//! How a compiled graph becomes a version, and what makes room for it.

use std::sync::{Arc, OnceLock};

use super::label;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::command::{Done, NewVersion};
use crate::version::compatibility::CompatibilityReport;
use crate::version::error::{Blocker, Blocking, VersionError};
use crate::version::manifest::Manifest;
use crate::version::marks::Marks;
use crate::version::pin::Version;
use crate::version::retention::route_users;
use crate::version::rollback::fallbacks;
use crate::version::snapshot::Route;
use crate::version::turn::Turn;

pub(super) fn publish(turn: &mut Turn<'_>, new: &NewVersion) -> Result<Done, VersionError> {
    let graph = new.plan.name().clone();
    let route = turn.draft().route(&graph).cloned().unwrap_or_default();
    check_expectations(&graph, &route, new)?;
    let known = route.versions.values().map(|entry| &entry.version);
    let mut known = known.filter(|version| version.manifest().hash == new.plan.hash);
    let known = known.find(|_| new.plan.hash.is_some());
    // It may have come from a journal without its handlers.
    known.inspect(|version| version.bring(new.plan.clone()));
    let known = known.map(|version| version.number());
    let version = match known {
        Some(version) => version,
        None => create(turn, &graph, &route, new)?,
    };
    let mut done = Done { version: Some(version), ..Done::default() };
    let is_active = route.default.active == Some(version);
    // Starts of a revoked version are refused: it would be no answer that it is active.
    if new.promote && (!is_active || turn.draft().is_revoked(&graph, version)) {
        let promoted = label::promote(turn, &graph, &LabelName::default(), version);
        done =
            promoted.map_err(|refused| if known.is_none() { unmade(refused) } else { refused })?;
    }
    turn.set_secrets(&graph, &new.secrets);
    done.created = known.is_none();
    if done.created {
        let was_full = turn.retention.is_full(&route);
        // What was to be given up may have been pinned since: nothing was closed then, and the turn
        // can still be refused.
        if collect(turn, &graph) == 0 && was_full {
            return Err(full(turn, &graph, &route));
        }
    }
    Ok(done)
}

/// The refusal of a promotion, of a version that there will not be.
fn unmade(mut refused: VersionError) -> VersionError {
    if let VersionError::ApprovalRequired { version, .. }
    | VersionError::BreakingRejected { version, .. } = &mut refused
    {
        *version = None;
    }
    refused
}

/// Retires the versions that retention gives up; says how many.
pub(super) fn collect(turn: &mut Turn<'_>, graph: &GraphName) -> usize {
    let mut retired = 0;
    for version in turn.retention.gives_up(turn.draft(), graph, turn.note.at) {
        // Starts that still see the old routing would find the gate closed, and have to wait.
        if !turn.was_routed(graph, version) {
            // A start may have pinned it a moment ago: it is looked at again next time.
            retired += usize::from(turn.retire(graph, version).is_ok());
        }
    }
    retired
}

fn check_expectations(
    graph: &GraphName,
    route: &Route,
    new: &NewVersion,
) -> Result<(), VersionError> {
    let head = VersionNumber(route.head);
    if let Some(expected) = new.if_head.filter(|expected| *expected != head) {
        return Err(VersionError::HeadMoved { graph: graph.clone(), expected, found: head });
    }
    match new.if_hash {
        Some(expected) if new.plan.hash != Some(expected) => {
            Err(VersionError::HashDiffers { graph: graph.clone() })
        }
        _ => Ok(()),
    }
}

fn create(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    route: &Route,
    new: &NewVersion,
) -> Result<VersionNumber, VersionError> {
    for (child, version) in new.bindings.iter() {
        let marks = &turn.entry(child, *version)?.marks;
        if let Some(note) = marks.revoked.clone() {
            let (graph, version) = (child.clone(), *version);
            return Err(VersionError::Revoked { graph, version, note });
        }
    }
    check_room(turn, graph, route)?;
    let manifest = manifest(turn, graph, route, new);
    let number = manifest.number;
    let marks = Marks { tags: Arc::new(new.tags.iter().cloned().collect()), ..Marks::default() };
    turn.publish(graph, Version::new(Arc::new(manifest), new.plan.clone()), marks);
    Ok(number)
}

fn manifest(turn: &Turn<'_>, graph: &GraphName, route: &Route, new: &NewVersion) -> Manifest {
    let latest = route.versions.keys().next_back().copied();
    let parent = route.default.active.or(latest);
    let parent = parent.and_then(|parent| route.manifest(parent));
    let number = VersionNumber(route.head + 1);
    let compatibility = parent.map(|parent| {
        let pair = (parent.number, number);
        Arc::new(CompatibilityReport::between(pair, parent.outline(), &new.plan.outline))
    });
    Manifest {
        graph: graph.clone(),
        number,
        hash: new.plan.hash,
        parent: parent.map(|parent| parent.number),
        depth: parent.map_or(0, |parent| parent.depth + 1),
        author: turn.note.by.clone(),
        note: new.note.clone(),
        created_at: turn.note.at,
        tags: new.tags.clone().into(),
        compatibility,
        bindings: new.bindings.clone(),
        written: new.plan.outline.clone(),
        compiled: OnceLock::new(),
    }
}

/// A graph that is full takes a version only if retention will give one up.
fn check_room(turn: &Turn<'_>, graph: &GraphName, route: &Route) -> Result<(), VersionError> {
    let retention = turn.retention;
    let is_full = retention.is_full(route);
    if !is_full || !retention.gives_up(turn.draft(), graph, turn.note.at).is_empty() {
        return Ok(());
    }
    Err(full(turn, graph, route))
}

/// What stands in the way of another version.
fn full(turn: &Turn<'_>, graph: &GraphName, route: &Route) -> VersionError {
    let (graph, limit) = (graph.clone(), turn.retention.hard_limit);
    let blocked = route.versions.keys().map(|version| blocker(turn, &graph, *version));
    let blocked = blocked.collect();
    VersionError::TooManyVersions { graph, limit, blocked }
}

fn blocker(turn: &Turn<'_>, graph: &GraphName, version: VersionNumber) -> Blocker {
    let snapshot = turn.draft();
    let why = snapshot.route(graph).and_then(|route| {
        let entry = route.versions.get(&version)?;
        let live = entry.version.view().live;
        Some(match route_users(snapshot, graph, version).next() {
            _ if route.routed().any(|one| one == version) => Blocking::Routed,
            _ if live > 0 => Blocking::Live(live),
            _ if entry.marks.held.is_some() => Blocking::Held,
            Some((graph, version)) => Blocking::ReferencedBy(graph, version),
            None => {
                let mut fallbacks = fallbacks(route, turn.note.at);
                let label = fallbacks.find(|(_, fallback)| *fallback == version);
                label.map_or(Blocking::Kept, |(label, _)| Blocking::Fallback(label))
            }
        })
    });
    Blocker { version, why: why.unwrap_or(Blocking::Kept) }
}
