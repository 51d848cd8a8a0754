//! The documents in `docs` and the README, so that their snippets are compiled and run.

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../docs/architecture.md")]
mod architecture {}

#[doc = include_str!("../docs/durability.md")]
mod durability {}

#[doc = include_str!("../docs/limits.md")]
mod limits {}

#[doc = include_str!("../docs/metrics.md")]
mod metrics {}

#[doc = include_str!("../docs/semantics.md")]
mod semantics {}

#[doc = include_str!("../docs/versioning.md")]
mod versioning {}
