//! What every journal promises, and what happens to one that is on disk.

mod agreement;
mod commits;
mod conformance;
mod extremes;
#[cfg(any(feature = "postgres-tls", feature = "sqlite"))]
pub mod folder;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod frozen;
mod kinds;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod owners;
mod ownership;
#[cfg(feature = "postgres")]
pub mod postgres;
mod reading;
mod rows;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod storage;
mod subject;
mod truncating;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod work;
