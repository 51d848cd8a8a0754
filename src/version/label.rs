//! A label: a named route of a graph, with the version that is active and a canary beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::graph::Compatibility;
use crate::id::{GraphName, LabelName, VersionNumber};

/// The whole, in basis points.
const WHOLE: u16 = 10_000;

/// How many promotions a label remembers to roll back to; older ones are forgotten.
///
/// A rollback looks at each of them, and a promotion copies the list: some kilobytes.
const PROMOTIONS: usize = 256;

/// A share of the starts, in basis points: hundredths of a percent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Weight(u16);

impl Weight {
    /// So many of 10,000 starts; more than 10,000 are all of them.
    #[must_use]
    pub const fn basis_points(points: u16) -> Self {
        if points > WHOLE { Self(WHOLE) } else { Self(points) }
    }

    /// So many of 100 starts; more than 100 are all of them.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self::basis_points(percent as u16 * 100)
    }

    /// The share in basis points, 0 to 10,000.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

/// What a label asks of a version before new runs may start on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelPolicy {
    /// Refuses a version that is BREAKING for callers of the active one.
    pub reject_breaking: bool,
    /// Asks for an approval from this level on, for callers; never, if it is `None`.
    pub require_approval: Option<Compatibility>,
    /// Whether the rollout of a version that is BREAKING for callers rolls it back by itself when it
    /// turns bad, like that of any other; else that is left to a person.
    // The journal has the opposite, which it was first written as.
    #[serde(rename = "keep_breaking", with = "opposite")]
    pub auto_rollback_on_breaking: bool,
}

impl Default for LabelPolicy {
    /// Takes every version, and lets every rollout go back by itself.
    fn default() -> Self {
        Self { reject_breaking: false, require_approval: None, auto_rollback_on_breaking: true }
    }
}

/// A bool as its opposite.
mod opposite {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(value: &bool, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(!value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
        bool::deserialize(from).map(|opposite| !opposite)
    }
}

impl LabelPolicy {
    /// Refuses a version that is BREAKING for callers of the active one.
    #[must_use]
    pub const fn reject_breaking(mut self) -> Self {
        self.reject_breaking = true;
        self
    }

    /// Leaves it to a person to roll back a version that is BREAKING for callers of the one before.
    #[must_use]
    pub const fn without_auto_rollback_on_breaking(mut self) -> Self {
        self.auto_rollback_on_breaking = false;
        self
    }

    /// Asks for an approval of every version that is at this level or a worse one, for callers.
    #[must_use]
    pub const fn require_approval(mut self, from: Compatibility) -> Self {
        self.require_approval = Some(from);
        self
    }
}

/// Where a label leads, as plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelView {
    /// The version that new runs start on.
    pub active: Option<VersionNumber>,
    /// Since when.
    pub since: Timestamp,
    /// A version that gets a share of the starts, and that share.
    pub canary: Option<(VersionNumber, Weight)>,
    /// The active version, as long as the rollout that promoted it watches it.
    ///
    /// The version that the rollout would go back to is not given up by retention meanwhile.
    pub baking: Option<VersionNumber>,
    /// What the label asks of a version.
    pub policy: LabelPolicy,
}

/// A label inside the routing.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelRoute {
    pub active: Option<VersionNumber>,
    pub since: Timestamp,
    pub canary: Option<Canary>,
    /// The active version, as long as the rollout that promoted it watches it.
    pub baking: Option<VersionNumber>,
    pub policy: LabelPolicy,
    /// Versions in the order they became active, each once, at its latest promotion.
    pub promotions: Arc<[Promotion]>,
}

/// A version that was active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promotion {
    pub version: VersionNumber,
    /// Whether a rollback left it.
    pub is_left: bool,
}

/// A version that gets a share of the starts.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    pub version: VersionNumber,
    pub weight: Weight,
    salt: u64,
    /// How many unkeyed starts have drawn.
    drawn: Arc<AtomicU64>,
}

impl Canary {
    /// A canary whose buckets belong to the version: another version finds other keys in them.
    pub(crate) fn new(
        graph: &GraphName,
        label: &LabelName,
        version: VersionNumber,
        weight: Weight,
    ) -> Self {
        let salt = format!("{graph}\0{label}\0{}", version.0);
        let salt = xxhash_rust::xxh3::xxh3_64(salt.as_bytes());
        Self { version, weight, salt, drawn: Arc::default() }
    }

    /// The same canary with another share: the keys it has stay while it grows.
    pub(crate) fn with_weight(&self, weight: Weight) -> Self {
        Self { weight, ..self.clone() }
    }

    /// The bucket of a key, 0 to 9,999: always the same for one canary.
    pub(crate) fn bucket(&self, key: &str) -> u16 {
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), self.salt);
        u16::try_from(hash % u64::from(WHOLE)).expect("it is below 10,000")
    }

    /// Whether a bucket belongs to the canary.
    pub(crate) const fn has(&self, bucket: u16) -> bool {
        bucket < self.weight.0
    }

    /// Whether the next unkeyed start goes to the canary; of any number of them the share does,
    /// within one.
    pub(crate) fn draw(&self) -> bool {
        self.is_drawn(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// What `draw` would say.
    pub(crate) fn peek(&self) -> bool {
        self.is_drawn(self.drawn.load(Ordering::Relaxed))
    }

    /// The multiples of the share that are passed with each start, rounded down, differ by one or not.
    fn is_drawn(&self, start: u64) -> bool {
        let (whole, weight) = (u64::from(WHOLE), u64::from(self.weight.0));
        let start = start % whole;
        (start + 1) * weight / whole > start * weight / whole
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.drawn, &other.drawn) && self.weight == other.weight
    }
}

/// What a label leads to: what a rollout expects to find as it left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub active: Option<VersionNumber>,
    pub canary: Option<(VersionNumber, Weight)>,
}

impl LabelRoute {
    pub(crate) fn standing(&self) -> Standing {
        let canary = self.canary.as_ref().map(|canary| (canary.version, canary.weight));
        Standing { active: self.active, canary }
    }

    /// Whether starts get the same from both.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        let is_same = match (&self.canary, &other.canary) {
            (None, None) => true,
            (Some(canary), Some(other)) => canary.is_same(other),
            _ => false,
        };
        self.active == other.active && is_same
    }

    /// The versions it leads to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = VersionNumber> {
        self.active.into_iter().chain(self.canary.as_ref().map(|canary| canary.version))
    }

    /// Makes a version the active one, without a canary beside it.
    pub(crate) fn activate(&mut self, version: VersionNumber, now: Timestamp) {
        (self.canary, self.baking) = (None, None);
        self.active = Some(version);
        self.since = now;
        // Promoted on purpose, it is a target again.
        let others = self.promotions.iter().filter(|other| other.version != version).copied();
        let others: Vec<_> = others.collect();
        let kept = &others[others.len().saturating_sub(PROMOTIONS - 1)..];
        let latest = Promotion { version, is_left: false };
        self.promotions = kept.iter().copied().chain([latest]).collect();
    }

    /// Remembers that a rollback leaves the active version: the next one passes it over.
    pub(crate) fn leave(&mut self) {
        let left = self.active;
        let promotions = self.promotions.iter().map(|promotion| Promotion {
            is_left: promotion.is_left || Some(promotion.version) == left,
            ..*promotion
        });
        self.promotions = promotions.collect();
    }

    pub(crate) fn view(&self) -> LabelView {
        let Self { since, baking, policy, .. } = *self;
        let Standing { active, canary } = self.standing();
        LabelView { active, since, canary, baking, policy }
    }
}
