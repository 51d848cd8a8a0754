//! Runs: a pure core, and the actors that carry it out.
//!
//! A version and inputs come in; an [`Outcome`] goes out, once per episode. [`Walker`](walk::Walker)
//! says what follows when an attempt ends, [`Machine`](machine::Machine) when the run has ended,
//! [`Barriers`](unites::Barriers) when a merger fires; none of them knows an actor. A lane
//! walks a run alone as long as nothing in it waits. Then comes the run's actor, which owns lanes that
//! walk branches and report batches, and the unites actor, which joins them.
//!
//! ```text
//!  unites actor
//!   |        ^
//!   | Fired, | groups of batches
//!   v Skipped|
//!  run actor --- executions, by the pool ---> lanes (child actors)
//!   ^                                              |
//!   +------------------- batches ------------------+
//! ```
//!
//! A run does not know the registry: it is given a pinned version.

mod actor;
mod batch;
mod branch_status;
mod calling;
mod cell;
mod counts;
mod durable;
mod ending;
mod error;
mod execution;
mod fanout;
mod fingerprint;
mod groups;
mod handle;
#[cfg(test)]
mod interleaving_tests;
#[cfg(test)]
mod kill_tests;
mod machine;
mod message;
mod order;
mod outcome;
mod panics;
mod path;
mod place;
mod records;
mod retention;
mod retry;
mod retry_ids;
mod saving;
mod scope;
mod state_ids;
mod status;
mod summary;
mod take_back;
mod tokens;
mod trail;
mod unites;
mod waiting;
mod walk;

pub(crate) use cell::{Host, Live, MayOpen, RunCell, RunSettings};
pub(crate) use durable::{
    AttemptKey, Began, Entry, Misfit, Parent, Rebuilt, Rest, RunJournal, replay,
};
pub use durable::{Durability, HistoryStep};
pub(crate) use ending::Ending;
pub use error::RetryError;
pub use fingerprint::{Fingerprint, UnitingIdentity};
pub use handle::Run;
pub(crate) use machine::Machine;
pub use outcome::{
    FailureReport, Outcome, OutputError, RunPhase, RunView, SkipReason, SkipReport, StateView,
};
pub(crate) use place::{NoPlace, Place, Places};
pub(crate) use records::Records;
pub(crate) use retention::Keeps;
pub use retention::StateRetention;
pub(crate) use scope::{Scope, View};
pub(crate) use state_ids::StateCounter;
pub use status::{RunStatus, StateStatus};
pub(crate) use unites::Barriers;
pub(crate) use walk::Ground;
