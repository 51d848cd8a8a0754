//! The gate under every interleaving, with both loads of the routing modelled.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --manifest-path tests/loom/Cargo.toml`
#![cfg(all(loom, test))]

#[path = "../../../src/version/gate.rs"]
mod gate;
mod model;
mod naive;
