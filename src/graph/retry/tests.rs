//! Delays beyond those of the fixtures: the ends of the number range.

use std::time::Duration;

use super::{RetryError, RetryPolicy, RetryStrategy};
use crate::clock::Rng;

fn check(policy: RetryPolicy, retry: u32, expected: Result<u64, RetryError>) {
    let delay = policy.delay(retry, &mut Rng::seeded(1));
    assert_eq!(delay, expected.map(Duration::from_millis), "{policy:?}, retry {retry}");
}

#[test]
fn delays_saturate() {
    let default = RetryPolicy::default();
    check(default, 0, Err(RetryError));
    check(default, 1, Ok(2000));
    check(default, u32::MAX, Ok(u64::MAX));
    check(RetryPolicy { max_delay: Some(7), ..default }, u32::MAX, Ok(7));
    let linear = RetryPolicy { strategy: RetryStrategy::Linear, ..default };
    check(RetryPolicy { backoff_factor: u64::MAX, ..linear }, u32::MAX, Ok(u64::MAX));
    check(RetryPolicy::fixed(1, Duration::MAX), 9, Ok(u64::MAX));
}

#[test]
fn every_strategy_has_its_name() {
    for strategy in RetryStrategy::ALL {
        assert_eq!(strategy.as_str().parse(), Ok(strategy));
        assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.as_str());
    }
    assert!("exponential".parse::<RetryStrategy>().is_err());
}

#[test]
fn a_policy_without_retries_never_tries_again() {
    assert!(!RetryPolicy::none().decide(0));
    assert!(RetryPolicy::default().decide(2));
    assert!(!RetryPolicy::default().decide(3));
}
