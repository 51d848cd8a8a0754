//! What is done with versions: marks, approvals, the end.

use std::sync::Arc;

use crate::graph::Compatibility;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::version::command::{Done, VersionChange};
use crate::version::compatibility::CompatibilityReport;
use crate::version::error::VersionError;
use crate::version::marks::{Approval, Marks};
use crate::version::retention::route_users;
use crate::version::turn::Turn;

pub(super) fn decide(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    version: VersionNumber,
    change: &VersionChange,
) -> Result<Done, VersionError> {
    let marks = turn.entry(graph, version)?.marks.clone();
    let illegal = |state| {
        let (graph, command) = (graph.clone(), change.to_string());
        Err(VersionError::IllegalTransition { graph, version, command, state })
    };
    let note = turn.note.clone();
    match change {
        VersionChange::Retire(blockers) => retire(turn, graph, version, &marks, blockers)?,
        VersionChange::Revoke if marks.revoked.is_some() => return illegal("revoked"),
        VersionChange::Revoke => revoke(turn, graph, version),
        VersionChange::Drain(_) => {
            let labels = turn.route(graph)?.leading_to(version);
            if !labels.is_empty() {
                return Err(VersionError::StillRouted { graph: graph.clone(), version, labels });
            }
        }
        VersionChange::Hold if marks.held.is_some() => return illegal("held"),
        VersionChange::Hold => turn.mark(graph, version, |marks| marks.held = Some(note)),
        VersionChange::ReleaseHold if marks.held.is_none() => return illegal("not held"),
        VersionChange::ReleaseHold => turn.mark(graph, version, |marks| marks.held = None),
        VersionChange::Tag(tag) if marks.tags.contains(tag) => return illegal("tagged so"),
        VersionChange::Tag(tag) => turn.mark(graph, version, |marks| {
            Arc::make_mut(&mut marks.tags).insert(tag.clone());
        }),
        VersionChange::Untag(tag) if !marks.tags.contains(tag) => return illegal("not tagged so"),
        VersionChange::Untag(tag) => turn.mark(graph, version, |marks| {
            Arc::make_mut(&mut marks.tags).remove(tag);
        }),
        VersionChange::Approve if matches!(marks.approval, Approval::Approved(_)) => {
            return illegal("approved");
        }
        VersionChange::Approve => {
            turn.mark(graph, version, |marks| marks.approval = Approval::Approved(note));
        }
        VersionChange::Reject if matches!(marks.approval, Approval::Rejected(_)) => {
            return illegal("rejected");
        }
        VersionChange::Reject => {
            turn.mark(graph, version, |marks| marks.approval = Approval::Rejected(note));
        }
        VersionChange::ClearReverted if marks.reverted.is_none() => return illegal("not reverted"),
        VersionChange::ClearReverted => turn.mark(graph, version, |marks| marks.reverted = None),
    }
    Ok(Done { version: Some(version), ..Done::default() })
}

fn retire(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    version: VersionNumber,
    marks: &Marks,
    blockers: &[RunId],
) -> Result<(), VersionError> {
    let route = turn.route(graph)?;
    let labels = route.leading_to(version);
    let referenced_by: Vec<_> = route_users(turn.draft(), graph, version).collect();
    let name = graph.clone();
    if !labels.is_empty() {
        return Err(VersionError::StillRouted { graph: name, version, labels });
    }
    if let Some(note) = marks.held.clone() {
        return Err(VersionError::Held { graph: name, version, note });
    }
    let blockers = blockers.to_vec();
    if !referenced_by.is_empty() {
        let live = turn.entry(graph, version)?.version.view().live;
        return Err(VersionError::InUse { graph: name, version, live, blockers, referenced_by });
    }
    turn.retire(graph, version).map_err(|live| VersionError::InUse {
        graph: name,
        version,
        live,
        blockers,
        referenced_by,
    })
}

/// Nothing starts on the version any more; where it was a canary, it no longer is.
fn revoke(turn: &mut Turn<'_>, graph: &GraphName, version: VersionNumber) {
    let note = turn.note.clone();
    turn.mark(graph, version, |marks| marks.revoked = Some(note));
    let Some(route) = turn.draft().route(graph) else { return };
    let is_canary = |canary: &crate::version::label::Canary| canary.version == version;
    let canaries = route.labels().filter(|(_, label)| label.canary.as_ref().is_some_and(is_canary));
    let canaries: Vec<_> = canaries.map(|(name, label)| (name, label.clone())).collect();
    for (name, mut label) in canaries {
        label.canary = None;
        turn.set_label(graph, &name, Some(label));
    }
}

/// Keeps what a person says about two versions; it stands until a person says otherwise.
pub(super) fn judge(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    from: VersionNumber,
    to: VersionNumber,
    level: Compatibility,
) -> Result<Done, VersionError> {
    let route = turn.route(graph)?;
    for version in [from, to] {
        if route.manifest(version).is_none() {
            return Err(VersionError::UnknownVersion { graph: graph.clone(), version });
        }
    }
    if let Some(derived) = CompatibilityReport::derive(route, from, to) {
        let approved_by = Some(turn.note.clone());
        let report = CompatibilityReport { callers: level, approved_by, ..derived };
        turn.judge(graph, Arc::new(report));
    }
    Ok(Done { version: Some(to), ..Done::default() })
}
