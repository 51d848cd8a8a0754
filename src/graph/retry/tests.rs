//! Delays beyond those of the fixtures: the ends of the number range.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{RetryPolicy, RetryStrategy};
use crate::clock::Rng;

fn check(policy: RetryPolicy, retry: u32, expected: u64) {
    let delay = policy.delay(NonZeroU32::new(retry).unwrap(), &mut Rng::seeded(1));
    assert_eq!(delay, Duration::from_millis(expected), "{policy:?}, retry {retry}");
}

#[test]
fn delays_saturate() {
    let default = RetryPolicy::default();
    check(default, 1, 2000);
    check(default, u32::MAX, u64::MAX);
    check(RetryPolicy { max_delay: Some(7), ..default }, u32::MAX, 7);
    let linear = RetryPolicy { strategy: RetryStrategy::Linear, ..default };
    check(RetryPolicy { backoff_factor: u64::MAX, ..linear }, u32::MAX, u64::MAX);
    check(RetryPolicy::fixed(1, Duration::MAX), 9, u64::MAX);
}

#[test]
fn a_delay_is_rounded_up_to_milliseconds() {
    for (micros, millis) in [(0, 0), (1, 1), (500, 1), (1000, 1), (1001, 2)] {
        check(RetryPolicy::fixed(1, Duration::from_micros(micros)), 1, millis);
    }
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
    assert!(!RetryPolicy::none().allows_retry(0));
    assert!(RetryPolicy::default().allows_retry(2));
    assert!(!RetryPolicy::default().allows_retry(3));
}
