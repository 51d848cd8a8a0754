//! The status of a version: derived, never stored.

use std::sync::Arc;

use super::label::Weight;
use super::manifest::Manifest;
use super::marks::Marks;
use super::snapshot::{Entry, Route};
use crate::clock::Timestamp;
use crate::id::{LabelName, VersionNumber};

/// Where a version is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionStatus {
    /// It was never routed to.
    Staged,
    /// A share of new runs starts on it.
    Canary {
        /// The label.
        label: LabelName,
        /// The share.
        weight: Weight,
    },
    /// New runs start on it.
    Active {
        /// The labels that lead to it.
        labels: Vec<LabelName>,
    },
    /// It was superseded, and runs are pinned to it.
    Draining {
        /// How many.
        live: u64,
        /// When it lost its last route: the oldest of them are older, as they came by it. A start
        /// reads no clock, so how much older is not known.
        since: Timestamp,
    },
    /// It was superseded, and no run is pinned to it.
    Drained {
        /// When it lost its last route.
        since: Timestamp,
    },
    /// It is gone but for its manifest.
    Retired,
}

/// What is known of one version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Its number.
    pub number: VersionNumber,
    /// Its status. What is active or a canary can be reverted, too: another label has taken it back.
    pub status: VersionStatus,
    /// How many runs are pinned to it, with stranded ones and open sessions.
    pub live: u64,
    /// How many runs on it ended as SUCCESS; 0 if it is retired.
    pub succeeded: u64,
    /// Whether its rollout completed or was confirmed, or it was active for a minute and a run on it
    /// succeeded; no longer if it is retired.
    pub is_proven: bool,
    /// What was said about it.
    pub marks: Marks,
    /// What it is.
    pub manifest: Arc<Manifest>,
}

impl VersionInfo {
    /// A version of a graph, retired or not.
    pub(crate) fn find(route: &Route, version: VersionNumber, now: Timestamp) -> Option<Self> {
        let live = route.versions.get(&version).map(|entry| Self::of(entry, route, now));
        live.or_else(|| {
            let (manifest, marks) = route.retired.get(&version)?;
            Some(Self {
                number: version,
                status: VersionStatus::Retired,
                live: 0,
                succeeded: 0,
                is_proven: false,
                marks: marks.clone(),
                manifest: manifest.clone(),
            })
        })
    }

    pub(crate) fn of(entry: &Entry, route: &Route, now: Timestamp) -> Self {
        let Entry { version, marks } = entry;
        let live = version.view().live;
        Self {
            number: version.number(),
            status: status(entry, route, live),
            live,
            succeeded: version.succeeded(),
            is_proven: entry.is_proven(route, now),
            marks: marks.clone(),
            manifest: version.manifest().clone(),
        }
    }
}

fn status(entry: &Entry, route: &Route, live: u64) -> VersionStatus {
    let number = entry.version.number();
    let labels = route.labels().filter(|(_, label)| label.active == Some(number));
    let labels: Vec<_> = labels.map(|(name, _)| name).collect();
    if !labels.is_empty() {
        return VersionStatus::Active { labels };
    }
    let canary = route.labels().find_map(|(label, route)| {
        let canary = route.canary.as_ref().filter(|canary| canary.version == number)?;
        Some(VersionStatus::Canary { label, weight: canary.weight })
    });
    match (canary, entry.marks.unrouted_at) {
        (Some(canary), _) => canary,
        (None, None) => VersionStatus::Staged,
        (None, Some(since)) if live == 0 => VersionStatus::Drained { since },
        (None, Some(since)) => VersionStatus::Draining { live, since },
    }
}
