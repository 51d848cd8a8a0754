//! Versions: immutable, pinned by runs, routed by a snapshot. Pure: no actor, no clock.
//!
//! [`Gate`] counts the pins of one version and says when it may retire; [`Snapshot`] says which
//! version a start gets; [`Lineages`] takes commands and gives the next snapshot or a refusal.

mod error;
mod gate;
mod lineage;
#[cfg(test)]
mod lineage_tests;
mod pin;
mod snapshot;
mod state;

pub use error::VersionError;
pub(crate) use lineage::{Change, Command, Done, Lineages};
pub(crate) use pin::{Pin, Version};
pub(crate) use snapshot::{ResolveError, Selector, Snapshot};
pub use state::{VersionInfo, VersionStatus};
