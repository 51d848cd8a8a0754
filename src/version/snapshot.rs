//! The routing table: which version a start gets. Immutable; a change makes a new one.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use super::compatibility::CompatibilityReport;
use super::decision::{Decision, StartRule};
use super::error::VersionError;
use super::label::{LabelRoute, Standing};
use super::manifest::Manifest;
use super::marks::Marks;
use super::pin::Version;
use super::secrets::GraphSecrets;
use crate::id::{GraphName, IdHasher, LabelName, VersionNumber};

/// The routing of all graphs at one revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(super) revision: u64,
    /// The graph that was changed last; it says what `graphs` says.
    latest: Option<Latest>,
    graphs: HashTrieMapSync<GraphName, Route, BuildHasherDefault<IdHasher>>,
}

/// What starts of one graph get on the default label, beside the maps, if there is no choice.
///
/// A change writes the maps anew on the way to its graph. The next start would wait for one piece
/// of them after the other, as each is in the cache of the core that has just written it.
#[derive(Clone, Debug)]
struct Latest {
    graph: GraphName,
    number: VersionNumber,
    version: Arc<Version>,
    secrets: GraphSecrets,
}

/// Where the starts of one graph go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    /// The label that every graph has.
    pub default: LabelRoute,
    /// The other labels.
    pub labels: RedBlackTreeMapSync<LabelName, LabelRoute>,
    pub versions: RedBlackTreeMapSync<VersionNumber, Entry>,
    /// What is left of versions that are gone.
    pub retired: RedBlackTreeMapSync<VersionNumber, (Arc<Manifest>, Marks)>,
    /// What people judged, by the two versions.
    pub verdicts: HashTrieMapSync<(VersionNumber, VersionNumber), Arc<CompatibilityReport>>,
    /// The highest number that was given, also to versions that are gone.
    pub head: u64,
    /// Operational: they are no part of the routing that is put on record.
    pub secrets: GraphSecrets,
}

/// A version that is not retired, and what was said about it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub version: Arc<Version>,
    pub marks: Marks,
}

/// Which version a start asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// What a label leads to; with a key, always the same as long as the route is.
    Label { label: LabelName, key: Option<Arc<str>> },
    /// This version.
    Version(VersionNumber),
    /// This version, which the version of the graph around it is bound to.
    Bound(VersionNumber),
}

impl Default for Selector {
    /// What a start gets that asks for nothing.
    fn default() -> Self {
        Self::Label { label: LabelName::default(), key: None }
    }
}

impl Selector {
    fn is_default_label(&self) -> bool {
        matches!(self, Self::Label { label, .. } if label.is_default())
    }
}

/// What a start without a key does with its turn at a canary.
#[derive(Clone, Copy)]
enum Unkeyed {
    Draws,
    /// The turn is left to the next start.
    Looks,
}

/// Why a start gets no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the graph was never published")]
    UnknownGraph,
    #[error("the graph has no label `{0}`")]
    UnknownLabel(LabelName),
    #[error("the graph has no active version")]
    NoActiveVersion,
    #[error("the graph has no version {0}")]
    UnknownVersion(VersionNumber),
    #[error("version {0} is gone")]
    Gone(VersionNumber),
    #[error("version {0} is revoked")]
    Revoked(VersionNumber),
    #[error("the process lacks what version {0} needs")]
    Absent(VersionNumber),
}

impl Snapshot {
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// What a label leads to; nothing if it is not there.
    pub(crate) fn standing(&self, graph: &GraphName, label: &LabelName) -> Standing {
        let label = self.route(graph).and_then(|route| route.label(label));
        label.map_or_else(Standing::default, LabelRoute::standing)
    }

    /// Whether a version takes no start any more.
    pub(crate) fn is_revoked(&self, graph: &GraphName, version: VersionNumber) -> bool {
        let entry = self.route(graph).and_then(|route| route.versions.get(&version));
        entry.is_some_and(|entry| entry.marks.revoked.is_some())
    }

    /// A version that is not retired.
    pub(crate) fn version(
        &self,
        graph: &GraphName,
        version: VersionNumber,
    ) -> Option<&Arc<Version>> {
        Some(&self.route(graph)?.versions.get(&version)?.version)
    }

    pub(crate) fn route(&self, graph: &GraphName) -> Option<&Route> {
        self.graphs.get(graph)
    }

    /// A version that is not retired.
    pub(crate) fn entry(
        &self,
        graph: &GraphName,
        version: VersionNumber,
    ) -> Result<&Entry, VersionError> {
        let route = self.route(graph).ok_or_else(|| VersionError::UnknownGraph(graph.clone()))?;
        route.versions.get(&version).ok_or_else(|| {
            let graph = graph.clone();
            match (1..=route.head).contains(&version.0) {
                true => VersionError::VersionGone { graph, version },
                false => VersionError::UnknownVersion { graph, version },
            }
        })
    }

    /// What the next snapshot is made of. It does not count a reference to the version of the graph
    /// that was changed last: starts write that count, too.
    pub(super) fn draft(&self) -> Self {
        Self { revision: self.revision, latest: None, graphs: self.graphs.clone() }
    }

    /// Changes the route of a graph, which is made if it is not there: the one way to do so.
    pub(super) fn edit(&mut self, graph: &GraphName, edit: impl FnOnce(&mut Route)) {
        let mut route = self.graphs.get(graph).cloned().unwrap_or_default();
        edit(&mut route);
        self.latest = Latest::of(graph, &route);
        self.graphs.insert_mut(graph.clone(), route);
    }

    pub(crate) fn graphs(&self) -> impl Iterator<Item = (&GraphName, &Route)> {
        self.graphs.iter()
    }

    /// What the runs of a graph can read.
    pub(crate) fn secrets(&self, graph: &GraphName) -> GraphSecrets {
        match self.latest_of(graph) {
            Some(latest) => latest.secrets.clone(),
            None => self.route(graph).map(|route| route.secrets.clone()).unwrap_or_default(),
        }
    }

    /// What `resolve` would say, if the graph was changed last; whether the version takes a start is
    /// for its pin to say.
    pub(super) fn resolve_latest(
        &self,
        graph: &GraphName,
        selector: &Selector,
    ) -> Option<(&Arc<Version>, Decision)> {
        let Latest { number, version, .. } = self.latest_for(graph, selector)?;
        let rule = StartRule::Active { label: LabelName::default() };
        Some((version, Decision { version: *number, rule, revision: self.revision }))
    }

    /// Where the starts go that ask for this, if that is beside the maps.
    fn latest_for(&self, graph: &GraphName, selector: &Selector) -> Option<&Latest> {
        self.latest_of(graph).filter(|_| selector.is_default_label())
    }

    fn latest_of(&self, graph: &GraphName) -> Option<&Latest> {
        self.latest.as_ref().filter(|latest| latest.graph == *graph)
    }

    /// The version a start gets, and why; a start without a key takes its turn at a canary.
    pub(crate) fn resolve(
        &self,
        graph: &GraphName,
        selector: &Selector,
    ) -> Result<(&Arc<Version>, Decision), ResolveError> {
        self.look_up(graph, selector, Unkeyed::Draws)
    }

    /// What `resolve` would say now; no start loses its turn at a canary.
    pub(crate) fn peek(
        &self,
        graph: &GraphName,
        selector: &Selector,
    ) -> Result<(&Arc<Version>, Decision), ResolveError> {
        self.look_up(graph, selector, Unkeyed::Looks)
    }

    fn look_up(
        &self,
        graph: &GraphName,
        selector: &Selector,
        unkeyed: Unkeyed,
    ) -> Result<(&Arc<Version>, Decision), ResolveError> {
        let route = self.graphs.get(graph).ok_or(ResolveError::UnknownGraph)?;
        let (version, rule) = match selector {
            Selector::Label { label, key } => route.follow(label, key.as_deref(), unkeyed)?,
            Selector::Version(version) => (*version, StartRule::Explicit),
            Selector::Bound(version) => (*version, StartRule::Binding),
        };
        let found = route.startable(version)?;
        Ok((found, Decision { version, rule, revision: self.revision }))
    }

    /// Whether a label that a run came by still leads to the run's version, and takes starts.
    pub(crate) fn would_decide(&self, graph: &GraphName, decision: &Decision) -> bool {
        let (StartRule::Active { label } | StartRule::Canary { label, .. }) = &decision.rule else {
            return false;
        };
        let Some(route) = self.graphs.get(graph) else { return false };
        let mut targets = route.label(label).into_iter().flat_map(LabelRoute::targets);
        targets.any(|version| version == decision.version)
            && route.startable(decision.version).is_ok()
    }

    /// Whether a start that got this version from `before` may keep it.
    pub(crate) fn confirms(
        &self,
        before: &Self,
        graph: &GraphName,
        selector: &Selector,
        version: VersionNumber,
    ) -> bool {
        // As in `resolve_latest`: what was changed in between another core has just written.
        let latest = before.latest_for(graph, selector).zip(self.latest_for(graph, selector));
        if let Some((old, new)) = latest {
            return old.number == new.number;
        }
        let (Some(old), Some(new)) = (before.graphs.get(graph), self.graphs.get(graph)) else {
            return false;
        };
        let leads_there = match selector {
            Selector::Label { label, .. } => {
                old.label(label).zip(new.label(label)).is_some_and(|(old, new)| old.leads_as(new))
            }
            Selector::Version(_) | Selector::Bound(_) => true,
        };
        leads_there && new.startable(version).is_ok()
    }
}

impl Latest {
    /// Nothing if a start has to choose, or gets no version.
    fn of(graph: &GraphName, route: &Route) -> Option<Self> {
        let number = route.default.active.filter(|_| route.default.canary.is_none())?;
        let entry = route.versions.get(&number).filter(|entry| entry.marks.revoked.is_none())?;
        let (version, secrets) = (entry.version.clone(), route.secrets.clone());
        Some(Self { graph: graph.clone(), number, version, secrets })
    }
}

impl Route {
    /// A label; the default one is always there.
    pub(crate) fn label(&self, label: &LabelName) -> Option<&LabelRoute> {
        match label.is_default() {
            true => Some(&self.default),
            false => self.labels.get(label),
        }
    }

    /// Every label with its name, the default one first.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (LabelName, &LabelRoute)> {
        let others = self.labels.iter().map(|(name, label)| (name.clone(), label));
        std::iter::once((LabelName::default(), &self.default)).chain(others)
    }

    /// The labels that lead to a version, as their active one or as their canary.
    pub(crate) fn leading_to(&self, version: VersionNumber) -> Vec<LabelName> {
        let labels = self.labels().filter(|(_, label)| label.targets().any(|one| one == version));
        labels.map(|(name, _)| name).collect()
    }

    /// The versions that some label leads to.
    pub(crate) fn routed(&self) -> impl Iterator<Item = VersionNumber> {
        let others = self.labels.values().flat_map(LabelRoute::targets);
        self.default.targets().chain(others)
    }

    /// What a version is, retired or not.
    pub(crate) fn manifest(&self, version: VersionNumber) -> Option<&Arc<Manifest>> {
        let live = self.versions.get(&version).map(|entry| entry.version.manifest());
        live.or_else(|| self.retired.get(&version).map(|(manifest, _)| manifest))
    }

    fn follow(
        &self,
        label: &LabelName,
        key: Option<&str>,
        unkeyed: Unkeyed,
    ) -> Result<(VersionNumber, StartRule), ResolveError> {
        let route = self.label(label).ok_or_else(|| ResolveError::UnknownLabel(label.clone()))?;
        let active = route.active.ok_or(ResolveError::NoActiveVersion)?;
        let label = label.clone();
        let Some(canary) = &route.canary else {
            return Ok((active, StartRule::Active { label }));
        };
        let bucket = key.map(|key| canary.bucket(key));
        let is_canary = match bucket {
            Some(bucket) => canary.has(bucket),
            None => match unkeyed {
                Unkeyed::Draws => canary.draw(),
                Unkeyed::Looks => canary.peek(),
            },
        };
        Ok(match is_canary {
            true => {
                let weight = canary.weight;
                (canary.version, StartRule::Canary { label, bucket, weight })
            }
            false => (active, StartRule::Active { label }),
        })
    }

    fn startable(&self, version: VersionNumber) -> Result<&Arc<Version>, ResolveError> {
        match self.versions.get(&version) {
            Some(entry) if entry.marks.revoked.is_some() => Err(ResolveError::Revoked(version)),
            Some(entry) if entry.version.plan().is_none() => Err(ResolveError::Absent(version)),
            Some(entry) => Ok(&entry.version),
            None if (1..=self.head).contains(&version.0) => Err(ResolveError::Gone(version)),
            None => Err(ResolveError::UnknownVersion(version)),
        }
    }
}
