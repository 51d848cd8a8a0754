//! The status of a version: derived, never stored.

use super::pin::Version;
use super::snapshot::Route;
use crate::clock::Timestamp;
use crate::id::VersionNumber;

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionStatus {
    /// It was never routed to.
    Staged,
    /// New runs start on it.
    Active,
    /// It was superseded, and runs are pinned to it.
    Draining,
    /// It was superseded, and no run is pinned to it.
    Drained,
}

/// What is known of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Its number.
    pub number: VersionNumber,
    /// Its status.
    pub status: VersionStatus,
    /// How many runs are pinned to it.
    pub live: u64,
    /// The hash of its definition; `None` if a handler is opaque.
    pub hash: Option<[u8; 32]>,
    /// When it was published.
    pub created_at: Timestamp,
}

impl VersionInfo {
    pub(crate) fn of(version: &Version, route: &Route) -> Self {
        let number = version.number();
        let live = version.view().live;
        let was_active = route.history.iter().any(|(other, _)| *other == number);
        let status = match live {
            _ if route.active == Some(number) => VersionStatus::Active,
            _ if !was_active => VersionStatus::Staged,
            0 => VersionStatus::Drained,
            _ => VersionStatus::Draining,
        };
        let (hash, created_at) = (version.plan().hash, version.created_at());
        Self { number, status, live, hash, created_at }
    }
}
