//! The journal in a PostgreSQL database: what outlives the machine, too, is in it.
//!
//! Requests come in from any task, over a bounded channel; one task carries them out, one after the
//! other, on the one connection that there is. A commit is one transaction, and takes two round
//! trips however much is in it. The session of the connection holds an advisory lock that says who
//! owns the store: the server gives it back when the session ends, however it ends.
//!
//! ```text
//! PostgresJournal --- request ---> StoreTask ---> Store ---> Connection ---> server
//!        ^                             |
//!        `----------- answer ----------'
//! ```
//!
//! A connection that is lost is made again by the next request, which takes the lock back first. If
//! another process was faster, its epoch is in the store: whatever the loser writes is refused.
//!
//! Absent: a connection that only reads. A long read makes a commit wait for it; by pages it does
//! not. Absent, too: a pool, and a pooler that gives every transaction another session, because the
//! lock belongs to a session.

mod commit;
mod config;
mod connect;
mod error;
mod handle;
mod lock;
mod migrate;
mod owner;
mod query;
mod records;
mod rows;
mod store;
mod task;
#[cfg(test)]
mod tests;
#[cfg(feature = "postgres-tls")]
mod tls;

pub use config::PostgresConfig;
pub use handle::PostgresJournal;
