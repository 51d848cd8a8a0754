//! What becomes of a store in PostgreSQL when something happens to it, or to the way to it.

mod faults;
mod format;
mod owners;
mod proxy;
mod server;
#[cfg(feature = "postgres-tls")]
mod tls;

pub use server::Server;
