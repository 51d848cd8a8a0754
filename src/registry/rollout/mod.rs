//! Rollouts under way: an actor each, which asks the gates and moves the label.
//!
//! It uses the registry's commands like anybody else. Runs that end are counted by the directory,
//! which costs a run nothing while no rollout is under way.

mod actor;
mod begin;
mod directory;
mod handle;
mod judge;
mod message;
mod moves;
mod past;
#[cfg(feature = "metrics")]
mod reading;

pub(crate) use begin::RolloutRequest;
pub(crate) use directory::Rollouts;
pub use handle::{Rollout, RolloutCommand};
pub use message::RolloutStatus;
#[cfg(feature = "metrics")]
pub(crate) use reading::RolloutReading;
