//! A fanout at work: outputs are drawn from a shared source by lanes, which walk the branches.
//!
//! The run's actor spawns the lanes as supervised children and hands work to their [`Pool`]; a lane
//! reports batches to the run's actor and to the unites actor. No lane waits for another.

mod attempt;
mod lane;
mod pool;
mod report;
mod source;
mod walker;

pub(crate) use lane::{LaneActor, LaneArguments};
pub(crate) use pool::Pool;
