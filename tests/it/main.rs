//! Tests of the whole library, through its public API; a module per stage.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

mod behaviour_cases;
mod defects;
mod durable;
mod examples;
mod fixtures;
mod handlers_checked;
mod hashing;
mod journal;
#[cfg(feature = "metrics")]
mod metrics;
mod million;
mod module_order;
mod naive;
mod rollout_audit;
mod rollout_bake;
mod rollout_memory;
mod rollout_refusals;
mod rollout_retries;
mod rollout_starts;
mod rollouts;
mod runs;
mod sessions;
mod storm;
mod versions;
