//! Sessions: one logical run that takes many inputs. Pure: no actor, no clock, nothing waits.
//!
//! A [`SessionState`] judges an input before it is taken, and changes only by a [`SessionEntry`]: what
//! is put on record is what was done. The same entries, read from a journal, give the same state. The
//! runtime carries an input out as a run of its own, and says how it ended.

mod entry;
mod outcome;
mod standing;
mod state;

pub(crate) use entry::{Given, Input, SessionEntry, SlotChange};
pub use outcome::StepOutcome;
pub(crate) use standing::Standing;
pub(crate) use state::{Judged, Misjudged, SessionState, changes};
