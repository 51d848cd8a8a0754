//! The journal in one SQLite file: what a machine that stops leaves behind is in it.
//!
//! Requests come in from any task, over a bounded channel; one thread of its own carries them out,
//! one after the other, on the one connection that there is. A commit is one transaction, durable
//! when it is answered (`journal_mode=WAL`, `synchronous=FULL`). A lock on a file beside the store
//! says who owns it: the system gives it back when the process ends, however it ends.
//!
//! ```text
//! SqliteJournal --- request ---> StoreThread ---> Store ---> Connection
//!       ^                            |
//!       `--------- answer -----------'   (the OwnerLock with that of a claim)
//! ```
//!
//! Absent: a connection that only reads. A long read makes a commit wait for it; by pages it does
//! not.

mod config;
mod connect;
mod error;
mod handle;
mod kept;
mod lock;
mod migrate;
mod query;
mod records;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod thread;

pub use config::SqliteConfig;
pub use handle::SqliteJournal;
