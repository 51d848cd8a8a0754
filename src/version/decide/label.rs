//! What is done with labels: promotions, rollbacks, canaries, policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Compatibility;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::command::{Done, LabelChange, Otherwise};
use crate::version::compatibility::CompatibilityReport;
use crate::version::error::VersionError;
use crate::version::label::{Canary, LabelPolicy, LabelRoute, Weight};
use crate::version::marks::Approval;
use crate::version::rollback::{self, Considered, RollbackTarget};
use crate::version::snapshot::Route;
use crate::version::turn::Turn;

pub(super) fn decide(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    change: &LabelChange,
) -> Result<Done, VersionError> {
    match change {
        LabelChange::Promote(version) => promote(turn, graph, label, *version),
        LabelChange::Rollback { target, otherwise, .. } => {
            rollback(turn, graph, label, target, *otherwise)
        }
        LabelChange::Revert(version) => revert(turn, graph, label, *version),
        LabelChange::SetCanary(version, weight) => {
            set_canary(turn, graph, label, *version, *weight)
        }
        LabelChange::Rollout(change) => super::rollout::decide(turn, graph, label, change),
        LabelChange::ClearCanary => clear_canary(turn, graph, label),
        LabelChange::SetPolicy(policy) => set_policy(turn, graph, label, *policy),
        LabelChange::Remove => remove(turn, graph, label),
    }
}

/// Makes a version the active one of a label; a label that is not there is made.
pub(super) fn promote(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    version: VersionNumber,
) -> Result<Done, VersionError> {
    let route = routable(turn, graph, label, version)?;
    if route.active == Some(version) {
        let (graph, label) = (graph.clone(), label.clone());
        return Err(VersionError::AlreadyActive { graph, label, version });
    }
    check_policy(turn, graph, label, &route, version)?;
    Ok(activate(turn, graph, label, route, version))
}

/// Promotes all that is not active yet; refused if something stands against one, or all are.
pub(super) fn release(
    turn: &mut Turn<'_>,
    promotions: &[(GraphName, LabelName, VersionNumber)],
) -> Result<(), VersionError> {
    let mut labels = BTreeSet::new();
    if let Some((graph, label, _)) = promotions.iter().find(|one| !labels.insert((&one.0, &one.1)))
    {
        let (graph, label) = (graph.clone(), label.clone());
        return Err(VersionError::LabelTwice { graph, label });
    }
    let mut refusal = Some(VersionError::EmptyRelease);
    for (at, (graph, label, version)) in promotions.iter().enumerate() {
        match promote(turn, graph, label, *version) {
            Ok(_) => refusal = None,
            Err(active @ VersionError::AlreadyActive { .. }) if at == 0 => refusal = Some(active),
            Err(VersionError::AlreadyActive { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    refusal.map_or(Ok(()), Err)
}

fn rollback(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    target: &RollbackTarget,
    otherwise: Otherwise,
) -> Result<Done, VersionError> {
    let mut route = known(turn, graph, label)?;
    // With a share of none it was given to no start, so it is not what has gone wrong.
    let tried = route.canary.as_ref().filter(|canary| canary.weight > Weight::default());
    if let (Some(canary), RollbackTarget::LastProven | RollbackTarget::Previous) = (tried, target) {
        // It never became active, so there is nothing to go back to: it is taken back itself.
        let candidate = canary.version;
        return Ok(revert_canary(turn, graph, label, route, candidate));
    }
    let version = match target {
        RollbackTarget::Exact(version) => {
            routable(turn, graph, label, *version)?;
            if route.active == Some(*version) {
                let (graph, label, version) = (graph.clone(), label.clone(), *version);
                return Err(VersionError::AlreadyActive { graph, label, version });
            }
            *version
        }
        target => {
            let whole = turn.route(graph)?;
            let found = rollback::find(whole, &route, target, turn.note.at);
            let found = found.or_else(|considered| match otherwise {
                Otherwise::Refuse => Err(considered),
                Otherwise::Oldest => rollback::oldest(whole, &route).ok_or(considered),
            });
            found.map_err(|considered| none(graph, label, considered))?
        }
    };
    route.leave();
    Ok(activate(turn, graph, label, route, version))
}

/// Takes back a version on one label; the mark is for all of them, but those that have it keep it.
fn revert(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    version: VersionNumber,
) -> Result<Done, VersionError> {
    let mut route = known(turn, graph, label)?;
    if route.canary.as_ref().is_some_and(|canary| canary.version == version) {
        return Ok(revert_canary(turn, graph, label, route, version));
    }
    if route.active != Some(version) {
        let (graph, command) = (graph.clone(), "revert".to_owned());
        let state = "not what the label leads to";
        return Err(VersionError::IllegalTransition { graph, version, command, state });
    }
    let found = rollback::find(turn.route(graph)?, &route, &RollbackTarget::Previous, turn.note.at);
    let target = found.map_err(|considered| none(graph, label, considered))?;
    route.leave();
    let done = activate(turn, graph, label, route, target);
    let note = turn.note.clone();
    turn.mark(graph, version, |marks| marks.reverted = Some(note));
    Ok(done)
}

fn revert_canary(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    mut route: LabelRoute,
    canary: VersionNumber,
) -> Done {
    let active = route.active;
    route.canary = None;
    turn.set_label(graph, label, Some(route));
    let note = turn.note.clone();
    turn.mark(graph, canary, |marks| marks.reverted = Some(note));
    Done { version: active, left: Some(canary), ..Done::default() }
}

fn none(graph: &GraphName, label: &LabelName, considered: Vec<Considered>) -> VersionError {
    let (graph, label) = (graph.clone(), label.clone());
    VersionError::NoRollbackTarget { graph, label, considered }
}

fn set_canary(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    version: VersionNumber,
    weight: Weight,
) -> Result<Done, VersionError> {
    let mut route = routable(turn, graph, label, version)?;
    let (name, place) = (graph.clone(), label.clone());
    match route.active {
        None => return Err(VersionError::NoActiveVersion { graph: name, label: place }),
        Some(active) if active == version => {
            return Err(VersionError::AlreadyActive { graph: name, label: place, version });
        }
        Some(_) => {}
    }
    check_policy(turn, graph, label, &route, version)?;
    let known = route.canary.as_ref().filter(|canary| canary.version == version);
    route.canary = Some(match known {
        Some(canary) => canary.with_weight(weight),
        None => Canary::new(graph, label, version, weight),
    });
    turn.set_label(graph, label, Some(route));
    Ok(Done { version: Some(version), ..Done::default() })
}

fn clear_canary(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
) -> Result<Done, VersionError> {
    let mut route = known(turn, graph, label)?;
    let Some(canary) = route.canary.take() else {
        return Err(VersionError::NoCanary { graph: graph.clone(), label: label.clone() });
    };
    let version = route.active;
    turn.set_label(graph, label, Some(route));
    Ok(Done { version, left: Some(canary.version), ..Done::default() })
}

fn set_policy(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    policy: LabelPolicy,
) -> Result<Done, VersionError> {
    let mut route = named(turn, graph, label)?;
    let version = route.active;
    route.policy = policy;
    turn.set_label(graph, label, Some(route));
    Ok(Done { version, ..Done::default() })
}

/// Lets every version wait for its approval that some label asks one of since the command.
pub(super) fn ask(turn: &mut Turn<'_>, graph: &GraphName) {
    let asked = turn.draft().route(graph).map(candidates).unwrap_or_default();
    for version in asked {
        turn.mark(graph, version, |marks| marks.approval = Approval::Pending);
    }
}

/// The versions that nobody was asked about yet and that some label asks an approval of.
fn candidates(route: &Route) -> Vec<VersionNumber> {
    let asking = route.labels().filter(|(_, label)| label.policy.require_approval.is_some());
    let asking: Vec<_> = asking.map(|(_, label)| label).collect();
    let open = route.versions.iter().filter(|(_, entry)| {
        entry.marks.approval == Approval::Unasked && entry.marks.revoked.is_none()
    });
    // Without a label that asks, a promotion does not pay for a look at each version.
    let open = open.filter(|_| !asking.is_empty()).map(|(version, _)| *version);
    let is_asked = |version| asking.iter().any(|label| is_candidate(route, label, version));
    open.filter(|version| is_asked(*version)).collect()
}

/// Whether a version is a request for a label that asks an approval of it.
///
/// What the label has led to was let through before: to go back to it is no new request, unless a
/// person has judged that step.
fn is_candidate(route: &Route, label: &LabelRoute, version: VersionNumber) -> bool {
    let Some(active) = label.active.filter(|active| *active != version) else { return false };
    let was_active = label.promotions.iter().any(|one| one.version == version);
    let is_judged = || route.verdicts.contains_key(&(active, version));
    (!was_active || is_judged()) && asks_approval(route, label, version)
}

fn remove(turn: &mut Turn<'_>, graph: &GraphName, label: &LabelName) -> Result<Done, VersionError> {
    let route = known(turn, graph, label)?;
    if label.is_default() {
        return Err(VersionError::DefaultLabel { graph: graph.clone() });
    }
    turn.set_label(graph, label, None);
    leave_active(turn, graph, &route);
    Ok(Done { left: route.active, ..Done::default() })
}

/// Lets a label lead to a version from now on.
fn activate(
    turn: &mut Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    mut route: LabelRoute,
    version: VersionNumber,
) -> Done {
    let left = route.active;
    leave_active(turn, graph, &route);
    route.activate(version, turn.note.at);
    turn.set_label(graph, label, Some(route));
    Done { version: Some(version), left, ..Done::default() }
}

/// Remembers how long the version that a label led to was active.
fn leave_active(turn: &mut Turn<'_>, graph: &GraphName, route: &LabelRoute) {
    let time = turn.note.at.since(route.since);
    if let Some(left) = route.active {
        turn.mark(graph, left, |marks| marks.active_for = marks.active_for.max(time));
    }
}

/// A label of a graph, made if it is not there.
fn named(
    turn: &Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
) -> Result<LabelRoute, VersionError> {
    let route = turn.route(graph)?;
    if label.as_str().is_empty() {
        return Err(VersionError::BlankLabel { graph: graph.clone() });
    }
    Ok(route.label(label).cloned().unwrap_or_default())
}

/// A label that is there.
fn known(
    turn: &Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
) -> Result<LabelRoute, VersionError> {
    let route = turn.route(graph)?.label(label).cloned();
    let (graph, label) = (graph.clone(), label.clone());
    route.ok_or(VersionError::UnknownLabel { graph, label })
}

/// A label, if it may lead to that version.
fn routable(
    turn: &Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    version: VersionNumber,
) -> Result<LabelRoute, VersionError> {
    let route = named(turn, graph, label)?;
    let marks = &turn.entry(graph, version)?.marks;
    let graph = graph.clone();
    if let Some(note) = marks.revoked.clone() {
        return Err(VersionError::Revoked { graph, version, note });
    }
    if let Some(note) = marks.reverted.clone() {
        return Err(VersionError::Reverted { graph, version, note });
    }
    Ok(route)
}

fn check_policy(
    turn: &Turn<'_>,
    graph: &GraphName,
    label: &LabelName,
    route: &LabelRoute,
    version: VersionNumber,
) -> Result<(), VersionError> {
    let entry = turn.entry(graph, version)?;
    let (graph, label) = (graph.clone(), label.clone());
    if let Approval::Rejected(note) = &entry.marks.approval {
        let note = note.clone();
        return Err(VersionError::Rejected { graph, version, note });
    }
    let Some(report) = asked(turn.route(&graph)?, route, version) else { return Ok(()) };
    if route.policy.reject_breaking && report.callers == Compatibility::Breaking {
        let version = Some(version);
        return Err(VersionError::BreakingRejected { graph, label, version, report });
    }
    let is_asked = route.policy.require_approval.is_some_and(|level| report.callers >= level);
    match entry.marks.approval {
        Approval::Approved(_) => Ok(()),
        _ if !is_asked => Ok(()),
        _ => {
            let version = Some(version);
            Err(VersionError::ApprovalRequired { graph, label, version, report })
        }
    }
}

/// The report that a label's policy is decided by, if it has one.
fn asked(
    route: &Route,
    label: &LabelRoute,
    version: VersionNumber,
) -> Option<Arc<CompatibilityReport>> {
    // Without a policy nothing is compared: a promotion costs what the swap does.
    let is_asked = label.policy != LabelPolicy::default();
    label.active.filter(|_| is_asked).and_then(|active| route.report(active, version))
}

fn asks_approval(route: &Route, label: &LabelRoute, version: VersionNumber) -> bool {
    let level = label.policy.require_approval;
    let report = level.and_then(|_| asked(route, label, version));
    report.zip(level).is_some_and(|(report, level)| report.callers >= level)
}
