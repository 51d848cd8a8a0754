//! Which versions a graph keeps without being asked, and which it gives up.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rollback::fallbacks;
use super::snapshot::{Route, Snapshot};
use crate::clock::Timestamp;
use crate::id::{GraphName, VersionNumber};

/// Which versions a graph keeps beyond those that are routed to, in use, held or depended on, or that
/// a rollout which bakes would go back to.
///
/// Retention gives up the others when a graph is published, when the last run of a version that was
/// left has ended, and on request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// How many of the latest versions are kept; 20 unless set.
    pub keep_last: usize,
    /// How many of the latest proven versions are kept; 2 unless set.
    pub keep_proven: usize,
    /// How long a version is kept after it lost its last route, or was published if it never had
    /// one; 24 hours unless set.
    pub min_age: Duration,
    /// Above so many versions `min_age` does not count, and each publish gives a warning as an event;
    /// 200 unless set.
    pub soft_limit: usize,
    /// So many versions a graph may have; 256 unless set.
    pub hard_limit: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep_last: 20,
            keep_proven: 2,
            min_age: Duration::from_secs(24 * 60 * 60),
            soft_limit: 200,
            hard_limit: 256,
        }
    }
}

impl Retention {
    /// Sets how many of the latest versions are kept.
    #[must_use]
    pub const fn keep_last(mut self, versions: usize) -> Self {
        self.keep_last = versions;
        self
    }

    /// Sets how many of the latest proven versions are kept.
    #[must_use]
    pub const fn keep_proven(mut self, versions: usize) -> Self {
        self.keep_proven = versions;
        self
    }

    /// Sets how long a version is kept after it lost its last route.
    #[must_use]
    pub const fn min_age(mut self, age: Duration) -> Self {
        self.min_age = age;
        self
    }

    /// Sets above how many versions `min_age` does not count.
    #[must_use]
    pub const fn soft_limit(mut self, versions: usize) -> Self {
        self.soft_limit = versions;
        self
    }

    /// Sets how many versions a graph may have.
    #[must_use]
    pub const fn hard_limit(mut self, versions: usize) -> Self {
        self.hard_limit = versions;
        self
    }

    /// The versions to give up, oldest first; pins may still keep some of them.
    pub(crate) fn gives_up(
        &self,
        snapshot: &Snapshot,
        graph: &GraphName,
        now: Timestamp,
    ) -> Vec<VersionNumber> {
        let Some(route) = snapshot.route(graph) else { return Vec::new() };
        if route.versions.size() <= self.keep_last {
            return Vec::new();
        }
        let newest_first = || route.versions.iter().rev();
        let mut kept: BTreeSet<_> = route.routed().collect();
        kept.extend(newest_first().map(|(version, _)| *version).take(self.keep_last));
        let proven = newest_first().filter(|(_, entry)| entry.is_proven(route, now));
        kept.extend(proven.map(|(version, _)| *version).take(self.keep_proven));
        kept.extend(fallbacks(route, now).map(|(_, version)| version));
        let mut surplus = route.versions.size().saturating_sub(self.soft_limit);
        let mut given_up = Vec::new();
        for (version, entry) in &route.versions {
            let since = entry.marks.unrouted_at.unwrap_or(entry.version.manifest().created_at);
            let is_old = now.since(since) >= self.min_age;
            // One that lacks its handlers may have runs that wait for them.
            let is_there = entry.version.plan().is_some();
            let is_free = entry.marks.held.is_none() && entry.version.view().live == 0 && is_there;
            if !kept.contains(version)
                && is_free
                && (is_old || surplus > 0)
                && route_users(snapshot, graph, *version).next().is_none()
            {
                surplus = surplus.saturating_sub(1);
                given_up.push(*version);
            }
        }
        given_up
    }

    /// Whether a graph may have no version beyond those it has.
    pub(crate) fn is_full(&self, route: &Route) -> bool {
        route.versions.size() >= self.hard_limit
    }
}

/// The versions whose nodes run a version.
pub(crate) fn route_users<'a>(
    snapshot: &'a Snapshot,
    graph: &'a GraphName,
    version: VersionNumber,
) -> impl Iterator<Item = (GraphName, VersionNumber)> + 'a {
    snapshot.graphs().flat_map(move |(name, route)| {
        let users = route.versions.values().filter(move |entry| {
            let bindings = entry.version.manifest().bindings.iter();
            bindings.into_iter().any(|(child, number)| child == graph && *number == version)
        });
        users.map(|entry| (name.clone(), entry.version.number()))
    })
}
