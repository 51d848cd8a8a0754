//! The join: counts completions by fingerprint and says when a merger fires.
//!
//! Batches of group changes come in; mergers that fire or are skipped go out to the run. What
//! counts is [`Barriers`], which knows no actor; the only user code it calls are the steps of folds.

mod actor;
mod barrier;
mod collector;
mod message;
mod reopen;

pub(crate) use actor::{UnitesActor, UnitesArguments};
pub(crate) use barrier::{Barriers, Firing, Skipping, Verdict};
pub(crate) use message::UnitesMessage;
pub(crate) use reopen::Reopening;
