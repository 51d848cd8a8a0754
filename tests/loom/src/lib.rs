//! The gate under every interleaving, with both looks at the routing modelled; and the orders of a
//! rollback beside a start.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --manifest-path tests/loom/Cargo.toml`
#![cfg(all(loom, test))]

#[path = "../../../src/version/gate.rs"]
mod gate;
#[path = "../../../src/version/in_flight.rs"]
mod in_flight;
mod model;
mod naive;
mod orders;
