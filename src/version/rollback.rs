//! Which version a rollback goes back to, and why not to the others.

use std::sync::Arc;
use std::time::Duration;

use super::label::LabelRoute;
use super::marks::Note;
use super::snapshot::{Entry, Route};
use crate::clock::Timestamp;
use crate::graph::Compatibility;
use crate::id::{LabelName, VersionNumber};

/// How long a version has to be active to be proven without a rollout, if a run on it succeeded too.
const PROOF: Duration = Duration::from_secs(60);

/// Why a candidate was not taken to roll back to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotTaken {
    /// An earlier rollback left it.
    LeftByRollback,
    /// It is reverted.
    Reverted(Arc<Note>),
    /// It is revoked.
    Revoked(Arc<Note>),
    /// It is retired.
    Retired,
    /// No rollout proved it, and it was not active for a minute with a run that succeeded.
    NotProven,
    /// It does not have the tag.
    NotTagged,
    /// A version between it and the one that is left was BREAKING for callers.
    BehindBreaking {
        /// That version.
        version: VersionNumber,
    },
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LeftByRollback => f.write_str("a rollback left it"),
            Self::Reverted(note) => write!(f, "it is reverted {note}"),
            Self::Revoked(note) => write!(f, "it is revoked {note}"),
            Self::Retired => f.write_str("it is retired"),
            Self::NotProven => f.write_str("it is not proven"),
            Self::NotTagged => f.write_str("it does not have the tag"),
            Self::BehindBreaking { version } => write!(f, "{version} broke callers since"),
        }
    }
}

/// Which version a rollback goes back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollbackTarget {
    /// The latest one that is proven: its rollout completed or was confirmed, or it was active for a
    /// minute and a run on it succeeded. No version since broke its callers.
    #[default]
    LastProven,
    /// The one that was active before, proven or not.
    Previous,
    /// The latest one that has this tag.
    Tagged(Arc<str>),
    /// This one, whatever is known of it but that it can be started.
    Exact(VersionNumber),
}

/// A version that was active before, and why it is not gone back to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Considered {
    /// The version.
    pub version: VersionNumber,
    /// Why it was not taken.
    pub why: NotTaken,
}

/// The version that a target means for a label, or every one considered.
///
/// `Exact` is not looked for here: its version may never have been active.
pub(crate) fn find(
    route: &Route,
    label: &LabelRoute,
    target: &RollbackTarget,
    now: Timestamp,
) -> Result<VersionNumber, Vec<Considered>> {
    let mut considered = Vec::new();
    let mut newer = label.active;
    let mut breaking = None;
    let before = label.promotions.iter().rev().filter(|one| Some(one.version) != label.active);
    for promotion in before {
        let version = promotion.version;
        // The step from this version to the one that was promoted after it.
        if let Some(newer) = newer {
            let level = route.report(version, newer).map(|report| report.callers);
            if level == Some(Compatibility::Breaking) {
                breaking = breaking.or(Some(newer));
            }
        }
        newer = Some(version);
        let entry = route.versions.get(&version);
        let refusal = match entry {
            None => Some(NotTaken::Retired),
            Some(_) if promotion.is_left => Some(NotTaken::LeftByRollback),
            Some(entry) => misfit(route, entry, target, breaking, now),
        };
        match refusal {
            None => return Ok(version),
            Some(why) => considered.push(Considered { version, why }),
        }
    }
    Err(considered)
}

/// The versions that rollouts under way would go back to, each with its label.
pub(crate) fn fallbacks(
    route: &Route,
    now: Timestamp,
) -> impl Iterator<Item = (LabelName, VersionNumber)> {
    let baking = route.labels().filter(|(_, label)| label.baking.is_some());
    baking.filter_map(move |(name, label)| {
        Some((name, find(route, label, &RollbackTarget::Previous, now).ok()?))
    })
}

/// The oldest version that can be started at all, of those that were active before.
pub(crate) fn oldest(route: &Route, label: &LabelRoute) -> Option<VersionNumber> {
    let before = label.promotions.iter().map(|promotion| promotion.version);
    let mut before = before.filter(|version| Some(*version) != label.active);
    before.find(|version| {
        let marks = route.versions.get(version).map(|entry| &entry.marks);
        marks.is_some_and(|marks| marks.reverted.is_none() && marks.revoked.is_none())
    })
}

fn misfit(
    route: &Route,
    entry: &Entry,
    target: &RollbackTarget,
    breaking: Option<VersionNumber>,
    now: Timestamp,
) -> Option<NotTaken> {
    let marks = &entry.marks;
    if let Some(note) = &marks.reverted {
        return Some(NotTaken::Reverted(note.clone()));
    }
    if let Some(note) = &marks.revoked {
        return Some(NotTaken::Revoked(note.clone()));
    }
    match target {
        RollbackTarget::LastProven if !entry.is_proven(route, now) => Some(NotTaken::NotProven),
        RollbackTarget::LastProven => breaking.map(|version| NotTaken::BehindBreaking { version }),
        RollbackTarget::Tagged(tag) if !marks.tags.contains(tag) => Some(NotTaken::NotTagged),
        RollbackTarget::Tagged(_) | RollbackTarget::Previous | RollbackTarget::Exact(_) => None,
    }
}

impl Entry {
    /// Whether it was confirmed, or baked by a rollout, or was active for a minute on some label and
    /// a run on it succeeded.
    pub(crate) fn is_proven(&self, route: &Route, now: Timestamp) -> bool {
        if self.marks.proven.is_some() {
            return true;
        }
        let number = self.version.number();
        let labels = route.labels().filter(|(_, label)| label.active == Some(number));
        let current = labels.map(|(_, label)| now.since(label.since)).max().unwrap_or_default();
        self.version.succeeded() > 0 && self.marks.active_for.max(current) >= PROOF
    }
}
