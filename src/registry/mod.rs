//! The registry: the single writer of the routing snapshot.
//!
//! Commands come in by message and are carried out one by one; starts never send one: they read the
//! snapshot, pin, and look again. The registry never waits for a run; a task for each version that drains
//! does, so that its actor can tell when the last run has ended.

mod actor;
mod drains;
mod handle;
mod message;
mod rollout;
mod shared;
#[cfg(test)]
mod tests;
#[cfg(feature = "metrics")]
mod totals;

pub(crate) use handle::{Kept, Registry};
pub use rollout::{Rollout, RolloutCommand, RolloutStatus};
pub(crate) use rollout::{RolloutRequest, Rollouts};
#[cfg(feature = "metrics")]
pub(crate) use {rollout::RolloutReading, totals::Totals};

/// Why a start gets no version.
pub(crate) type StartRefusal = crate::version::ResolveError;
