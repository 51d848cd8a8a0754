//! The journal: what survives the process, and in what order it was written.
//!
//! Records come in, one stream for the versions and one for each run; the same records come out
//! after a restart. A [`Journal`] stores them: keyed by stream and number, all of a commit or
//! nothing, for one owner at a time. The [`Writer`] shares commits between runs. What a record says
//! is known to those who write it: a journal sees bytes.
//!
//! ```text
//! runs, registry --- append ---> StreamLog --- flush ---> Writer --- commit ---> Journal
//! ```
//!
//! A journal never waits for a run, and calls no user code.

mod contract;
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod kept;
mod log;
mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod migration;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod writer;

pub use contract::{Epoch, Journal, JournalFuture, JournalSize, Write};
pub use error::JournalError;
pub(crate) use log::{Side, StreamLog};
pub use memory::MemoryJournal;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConfig, PostgresJournal};
pub use record::{Record, Stream};
pub use row::{RunQuery, RunRow};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteConfig, SqliteJournal};
pub use writer::OnSaveFailure;
pub(crate) use writer::{Patience, Pauses, Writer, no_answer, told_to_hurry};
