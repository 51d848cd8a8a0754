//! Whether a failed attempt gets another one, and after which delay.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Rng;

/// How the delay grows from retry to retry, and how much of it is left to chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RetryStrategy {
    /// The factor, multiplied by the exponent with every retry.
    #[default]
    Exponential,
    /// From nothing to what `Exponential` gives.
    ExponentialFullJitter,
    /// From half of what `Exponential` gives to all of it.
    ExponentialEqualJitter,
    /// The factor times the number of the retry.
    Linear,
    /// From nothing to what `Linear` gives.
    LinearFullJitter,
    /// From half of what `Linear` gives to all of it.
    LinearEqualJitter,
    /// The factor.
    Fixed,
    /// From nothing to the factor.
    FixedFullJitter,
    /// From half the factor to all of it.
    FixedEqualJitter,
}

impl RetryStrategy {
    /// Every strategy.
    pub const ALL: [Self; 9] = [
        Self::Exponential,
        Self::ExponentialFullJitter,
        Self::ExponentialEqualJitter,
        Self::Linear,
        Self::LinearFullJitter,
        Self::LinearEqualJitter,
        Self::Fixed,
        Self::FixedFullJitter,
        Self::FixedEqualJitter,
    ];

    /// The strategy's name in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exponential => "EXPONENTIAL",
            Self::ExponentialFullJitter => "EXPONENTIAL_FULL_JITTER",
            Self::ExponentialEqualJitter => "EXPONENTIAL_EQUAL_JITTER",
            Self::Linear => "LINEAR",
            Self::LinearFullJitter => "LINEAR_FULL_JITTER",
            Self::LinearEqualJitter => "LINEAR_EQUAL_JITTER",
            Self::Fixed => "FIXED",
            Self::FixedFullJitter => "FIXED_FULL_JITTER",
            Self::FixedEqualJitter => "FIXED_EQUAL_JITTER",
        }
    }
}

/// There is no retry strategy of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown retry strategy")]
pub struct UnknownStrategy;

impl FromStr for RetryStrategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == name).ok_or(UnknownStrategy)
    }
}

/// How often a node is tried again, and how long it waits before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    /// How many attempts may follow the first.
    pub max_retries: u32,
    /// How the delay grows.
    pub strategy: RetryStrategy,
    /// The delay to start from, in milliseconds.
    pub backoff_factor: u64,
    /// What an exponential delay is multiplied by.
    pub exponent: u64,
    /// The longest delay, in milliseconds.
    pub max_delay: Option<u64>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            strategy: RetryStrategy::default(),
            backoff_factor: 2000,
            exponent: 2,
            max_delay: None,
        }
    }
}

impl RetryPolicy {
    /// Never tries again.
    #[must_use]
    pub fn none() -> Self {
        Self { max_retries: 0, ..Self::default() }
    }

    /// Tries again so many times, always after the same delay, rounded up to whole milliseconds.
    #[must_use]
    pub fn fixed(max_retries: u32, delay: Duration) -> Self {
        let backoff_factor = milliseconds(delay);
        Self { max_retries, strategy: RetryStrategy::Fixed, backoff_factor, ..Self::default() }
    }

    /// Whether another attempt follows one that failed after so many retries.
    #[must_use]
    pub const fn allows_retry(&self, retries_done: u32) -> bool {
        retries_done < self.max_retries
    }

    /// The delay before a retry; the first has number 1.
    #[must_use]
    pub fn delay(&self, retry: NonZeroU32, rng: &mut Rng) -> Duration {
        use RetryStrategy as S;
        let base = match self.strategy {
            S::Exponential | S::ExponentialFullJitter | S::ExponentialEqualJitter => {
                self.backoff_factor.saturating_mul(self.exponent.saturating_pow(retry.get() - 1))
            }
            S::Linear | S::LinearFullJitter | S::LinearEqualJitter => {
                self.backoff_factor.saturating_mul(retry.get().into())
            }
            S::Fixed | S::FixedFullJitter | S::FixedEqualJitter => self.backoff_factor,
        };
        let drawn = match self.strategy {
            S::Exponential | S::Linear | S::Fixed => base,
            S::ExponentialFullJitter | S::LinearFullJitter | S::FixedFullJitter => rng.up_to(base),
            S::ExponentialEqualJitter | S::LinearEqualJitter | S::FixedEqualJitter => {
                base / 2 + rng.up_to(base / 2)
            }
        };
        Duration::from_millis(drawn.min(self.max_delay.unwrap_or(u64::MAX)))
    }
}

/// Whole milliseconds, rounded up: a short time must not become none.
pub(in crate::graph) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
