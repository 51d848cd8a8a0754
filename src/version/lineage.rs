//! Commands on versions: the next snapshot and what has to be drained, or a typed refusal.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::VersionError;
use super::pin::Version;
use super::snapshot::{Route, Snapshot};
use crate::clock::Timestamp;
use crate::graph::Plan;
use crate::id::{GraphName, VersionNumber};

/// A command, and what it is only carried out under.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub change: Change,
    /// The same id again gives the recorded result.
    pub request_id: Option<String>,
    /// The revision the command is meant for.
    pub if_revision: Option<u64>,
}

/// What a command changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Publish { plan: Arc<Plan>, promote: bool },
    Promote { graph: GraphName, version: VersionNumber },
    Rollback { graph: GraphName, target: Option<VersionNumber> },
    Retire { graph: GraphName, version: VersionNumber },
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub version: VersionNumber,
    /// Whether a version was made.
    pub created: bool,
    pub revision: u64,
}

/// The state behind the snapshot: only commands change it.
#[derive(Debug, Default)]
pub(crate) struct Lineages {
    snapshot: Arc<Snapshot>,
    answered: HashMap<String, Result<Done, VersionError>>,
}

impl Lineages {
    /// Carries out a command; `swap` makes the new snapshot visible to starts.
    pub(crate) fn apply(
        &mut self,
        command: Command,
        now: Timestamp,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        if let Some(answer) = command.request_id.as_ref().and_then(|id| self.answered.get(id)) {
            return answer.clone();
        }
        let answer = self.decide(&command, now, swap);
        if let Some(id) = command.request_id {
            self.answered.insert(id, answer.clone());
        }
        answer
    }

    fn decide(
        &mut self,
        command: &Command,
        now: Timestamp,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        let found = self.snapshot.revision();
        if let Some(expected) = command.if_revision.filter(|expected| *expected != found) {
            return Err(VersionError::Conflict { expected, found });
        }
        match &command.change {
            Change::Publish { plan, promote } => self.publish(plan, *promote, now, swap),
            Change::Promote { graph, version } => self.promote(graph, *version, swap),
            Change::Rollback { graph, target } => self.rollback(graph, *target, swap),
            Change::Retire { graph, version } => self.retire(graph, *version, swap),
        }
    }

    fn publish(
        &mut self,
        plan: &Arc<Plan>,
        promote: bool,
        now: Timestamp,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        let graph = plan.name().clone();
        let mut route = self.snapshot.route(&graph).cloned().unwrap_or_default();
        let known = route
            .versions
            .values()
            .find(|known| plan.hash.is_some() && known.plan().hash == plan.hash);
        let known = known.map(|known| known.number());
        let created = known.is_none();
        let version = known.unwrap_or(VersionNumber(route.head + 1));
        if created {
            route.head = version.0;
            let made = Arc::new(Version::new(version, plan.clone(), now));
            route.versions.insert_mut(version, made);
        }
        let promoted = promote && route.active != Some(version);
        if created && !promoted {
            self.swap(graph, route, &swap);
        } else if promoted {
            self.activate(graph, route, version, &swap);
        }
        Ok(Done { version, created, revision: self.snapshot.revision() })
    }

    fn promote(
        &mut self,
        graph: &GraphName,
        version: VersionNumber,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        let route = self.routable(graph, version)?;
        if route.active == Some(version) {
            return Err(VersionError::AlreadyActive { graph: graph.clone(), version });
        }
        self.activate(graph.clone(), route, version, &swap);
        Ok(Done { version, created: false, revision: self.snapshot.revision() })
    }

    fn rollback(
        &mut self,
        graph: &GraphName,
        target: Option<VersionNumber>,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        let route = self.route(graph)?;
        let target = match target {
            Some(target) => {
                self.routable(graph, target)?;
                if route.active == Some(target) {
                    return Err(VersionError::AlreadyActive {
                        graph: graph.clone(),
                        version: target,
                    });
                }
                target
            }
            None => previous(graph, &route)?,
        };
        let mut route = route;
        let left = route.active;
        // A version that was left by a rollback is passed over by the next one.
        for entry in route.history.iter_mut().filter(|entry| Some(entry.0) == left) {
            entry.1 = true;
        }
        self.activate(graph.clone(), route, target, &swap);
        Ok(Done { version: target, created: false, revision: self.snapshot.revision() })
    }

    fn retire(
        &mut self,
        graph: &GraphName,
        version: VersionNumber,
        swap: impl Fn(Arc<Snapshot>),
    ) -> Result<Done, VersionError> {
        let mut route = self.routable(graph, version)?;
        let (graph, retiring) = (graph.clone(), route.versions.get(&version).cloned());
        if route.active == Some(version) {
            return Err(VersionError::StillRouted { graph, version });
        }
        let closed = retiring.expect("it is routable").gate().try_retire();
        closed.map_err(|live| VersionError::InUse { graph: graph.clone(), version, live })?;
        route.versions.remove_mut(&version);
        self.swap(graph, route, &swap);
        Ok(Done { version, created: false, revision: self.snapshot.revision() })
    }

    /// Routes new starts to a version: its drain is cancelled before they can arrive, the old one's
    /// begins after the last could.
    fn activate(
        &mut self,
        graph: GraphName,
        mut route: Route,
        version: VersionNumber,
        swap: &impl Fn(Arc<Snapshot>),
    ) {
        let next = route.versions.get(&version).cloned().expect("it is routable");
        let old = route.active.and_then(|old| route.versions.get(&old).cloned());
        next.gate().cancel_drain();
        route.active = Some(version);
        // Promoted on purpose, it is a target again.
        route.history.retain(|(other, _)| *other != version);
        route.history.push((version, false));
        self.swap(graph, route, swap);
        if let Some(old) = old.filter(|old| old.number() != version) {
            old.begin_drain();
        }
    }

    fn swap(&mut self, graph: GraphName, route: Route, swap: &impl Fn(Arc<Snapshot>)) {
        self.snapshot = Arc::new(self.snapshot.with(graph, route));
        swap(self.snapshot.clone());
    }

    fn route(&self, graph: &GraphName) -> Result<Route, VersionError> {
        let route = self.snapshot.route(graph);
        route.cloned().ok_or_else(|| VersionError::UnknownGraph(graph.clone()))
    }

    /// The route of a graph, if it has that version.
    fn routable(&self, graph: &GraphName, version: VersionNumber) -> Result<Route, VersionError> {
        let route = self.route(graph)?;
        if route.versions.contains_key(&version) {
            return Ok(route);
        }
        let graph = graph.clone();
        Err(match (1..=route.head).contains(&version.0) {
            true => VersionError::VersionGone { graph, version },
            false => VersionError::UnknownVersion { graph, version },
        })
    }
}

/// The version that was active before the active one and was not left by a rollback.
fn previous(graph: &GraphName, route: &Route) -> Result<VersionNumber, VersionError> {
    let before = route.history.iter().rev().filter(|(other, _)| Some(*other) != route.active);
    let usable = |entry: &&(VersionNumber, bool)| !entry.1 && route.versions.contains_key(&entry.0);
    let target = before.clone().find(usable).map(|entry| entry.0);
    target.ok_or_else(|| VersionError::NoRollbackTarget {
        graph: graph.clone(),
        considered: before.map(|entry| entry.0).collect(),
    })
}
