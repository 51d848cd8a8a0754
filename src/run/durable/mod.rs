//! What makes a run durable: the entries of its journal, and how a run comes back from them.
//!
//! The walker writes down every step it takes; a lane appends what it wrote as one unit, and holds
//! back what follows until it is on record. [`replay`] takes the same steps again with the same
//! walker, machine and barriers: no handler is called for what is on record.

mod abandon;
mod entry;
mod history;
mod journal;
mod late;
mod level;
mod open_fan;
mod open_resumable;
mod replay;
mod retries;
mod verdicts;

pub(crate) use entry::{AttemptKey, Began, DrawnOutput, Entry, KEPT_TOGETHER, Parent};
pub use history::HistoryStep;
pub(crate) use journal::RunJournal;
pub use level::Durability;
pub(crate) use open_fan::OpenFan;
pub(crate) use open_resumable::OpenResumable;
pub(crate) use replay::{Misfit, Rebuilt, Rest, replay};
