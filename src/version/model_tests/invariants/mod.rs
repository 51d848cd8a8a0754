//! The invariants I1 to I23, each checked after every step of a random history.
//!
//! What a sequence of commands cannot show is left to tests of its own:
//!
//! - I3: that names, schemas and every part of a definition count is in `tests/it/hashing.rs`; that
//!   no order of nodes does, for random graphs, in `src/graph/check/tests.rs`.
//! - I5, I6: that threads agree with a register is in `src/registry/tests.rs`, every interleaving
//!   of the second load in `tests/loom`.
//! - I7, I8, I15: the gate under threads is in `tests/loom`; pins of real runs in `tests/it/versions`.
//! - I11: commands that come at once are one after the other in the registry's actor; here they are.
//! - I12: the answers to repeats are compared with the first ones by the test itself.
//! - I17, I22: whole processes that start again are in `tests/it/durable`.
//! - I18: the machine by itself is in `src/version/rollout/tests.rs`.
//! - I19: every answer, or the name of its error, is compared by the test itself.
//! - I20, I21: under threads and with handlers that panic in `tests/it/versions`.

mod beside;
mod labels;
mod publishes;
mod records;
mod restarts;
mod runs;
mod starts;
mod versions;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::Model;
use super::world::{Taken, World};
use crate::id::VersionNumber;
use crate::version::{Manifest, Routing};
pub use beside::Beside;

/// What the invariants remember of earlier steps.
#[derive(Default)]
pub struct Known {
    manifests: Vec<Arc<Manifest>>,
    /// The bucket of one key, by label and canary.
    buckets: BTreeMap<(usize, VersionNumber), u16>,
    /// The versions that were active, by label.
    promoted: BTreeMap<usize, BTreeSet<u64>>,
    /// What the audit log adds up to, and up to which record.
    folded: (Routing, u64),
}

/// Checks all of them after a step.
pub fn check(world: &mut World, model: &Model, taken: &Taken<'_>) {
    runs::check(world);
    weights::check(model, taken);
    publishes::check(world, model);
    labels::check(world, model, taken);
    versions::check(world, model);
    starts::check(world, model, taken);
    beside::check(world, model);
    restarts::check(world, model);
    records::check(world);
}
