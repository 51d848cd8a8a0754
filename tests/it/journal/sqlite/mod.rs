//! What becomes of a store in SQLite when something happens to it.

pub mod child;
mod damage;
mod format;
mod full;
mod gone;
mod kill;
mod open;
mod owners;
#[cfg(target_os = "linux")]
mod power;
mod work;

/// Whether tests try everything, which takes hours, instead of a sample.
fn is_soak() -> bool {
    std::env::var_os("HOTGRAPH_SOAK").is_some()
}
