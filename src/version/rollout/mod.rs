//! Rollouts: a version becomes active in steps that its health decides on. Pure but for probes.
//!
//! A [`RolloutPlan`] says what is to happen; the machine takes time, verdicts and commands and says
//! what is to be done to the routing. Gates judge by [`Evidence`]: the ends of runs that started
//! since the rollout began.

mod admission;
mod comparison;
mod error;
mod evidence;
mod gate;
mod machine;
mod order;
mod phase;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use admission::Admission;
pub(crate) use comparison::Ending;
pub use comparison::{Comparison, Ends};
pub use error::{RolloutError, RolloutOf};
pub use evidence::{Evidence, RunEnd, Sample};
pub use gate::{HealthGate, Judging, RunGate, Verdict};
pub(crate) use machine::{Holding, Move, RolloutMachine};
pub(crate) use order::{RolloutAct, RolloutOrder};
pub use phase::{RolloutEnd, RolloutPhase};
pub(crate) use plan::NamedGate;
pub use plan::{RolloutPlan, Step};
