//! A fanout: its branches walked by one lane alone, or by a crew of lanes that are child actors.
//!
//! Executions come in, batches go out. A [`Lane`](lane::Lane) polls each attempt where it stands and
//! lets those wait that are pending; it knows no actor. [`Alone`] applies what its lane did on the
//! spot; a [`LaneActor`] reports it. Which of the two a run has is decided by what it turns out to
//! need: see `alone.rs`.

mod abandon;
mod alone;
mod asleep;
mod attempt;
mod commits;
mod crew;
mod drawing;
mod keeping;
mod lane;
mod park;
mod parked;
mod pool;
mod recall;
mod resumable;
mod resume;
mod source;
mod straight;
mod unlisted;
mod wait;

pub(crate) use alone::Alone;
pub(crate) use asleep::Unended;
pub(crate) use commits::Commits;
pub(crate) use crew::{Crew, LaneActor, LaneArguments};
pub(crate) use lane::{Lane, Tools};
pub(crate) use pool::Pool;
