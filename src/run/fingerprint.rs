//! What makes a merger's state unique.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::id::{GraphName, RunId, VersionNumber};

/// Everything that a merger's fingerprint covers.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the list in the type's own sentence")]
pub struct UnitingIdentity<'a> {
    pub graph: &'a GraphName,
    pub version: VersionNumber,
    pub run: RunId,
    /// The identifier of the merger.
    pub merger: &'a str,
    /// The group: the united node and the path of sibling groups above it.
    pub group: &'a str,
    pub attempt: u32,
    /// The id of a manual retry; empty if there was none.
    pub manual_retry: &'a str,
}

/// A 128-bit hash that tells the states of mergers apart: equal for equal identities.
///
/// The hash is XXH3-128 over length-prefixed fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint of one merger state.
    #[must_use]
    pub fn of(identity: &UnitingIdentity<'_>) -> Self {
        // Usual ones fit, and hashing all at once needs no state that is fed.
        let mut bytes = Vec::with_capacity(256);
        let mut text = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        text(identity.graph.namespace());
        text(identity.graph.name());
        text(identity.merger);
        text(identity.group);
        text(identity.manual_retry);
        bytes.extend_from_slice(&identity.version.0.to_le_bytes());
        bytes.extend_from_slice(&identity.run.0.to_le_bytes());
        bytes.extend_from_slice(&identity.attempt.to_le_bytes());
        Self(xxh3_128(&bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
