//! Numbers of a document: whole, and from one or zero on.

use std::time::Duration;

use super::report::Report;
use crate::graph::document::RetryPolicyDocument;
use crate::graph::problem::{Problem, ProblemKind};
use crate::graph::retry::RetryPolicy;
use crate::value::Value;

/// A place where numbers are read: the graph's, or one node's.
pub(super) struct Numbers<'r> {
    pub(super) node: Option<&'r str>,
    pub(super) report: &'r mut Report,
}

impl Numbers<'_> {
    /// A whole number from `least`; `None` if it is not given, or is none and was reported.
    pub(super) fn whole(
        &mut self,
        value: Option<&Value>,
        least: u64,
        (kind, name): (ProblemKind, &str),
    ) -> Option<u64> {
        let value = value?;
        let number = whole(value).filter(|number| *number >= least);
        if number.is_none() {
            let message = format!("`{name}` is not a whole number from {least} on: {value}");
            self.add(Problem::new(kind, name, message));
        }
        number
    }

    pub(super) fn milliseconds(&mut self, value: Option<&Value>, name: &str) -> Option<Duration> {
        self.whole(value, 1, (ProblemKind::TimeoutInvalid, name)).map(Duration::from_millis)
    }

    /// A whole number from 1 that is cut to 32 bits.
    pub(super) fn count(
        &mut self,
        value: Option<&Value>,
        place: (ProblemKind, &str),
    ) -> Option<u32> {
        self.whole(value, 1, place).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(super) fn retry_policy(&mut self, document: &RetryPolicyDocument) -> RetryPolicy {
        use ProblemKind as K;
        let default = RetryPolicy::default();
        let retries = (K::RetryMaxRetriesNegative, "max_retries");
        let retries = self.whole(document.max_retries.as_ref(), 0, retries);
        let backoff = (K::RetryBackoffNotPositive, "backoff_factor");
        let exponent = (K::RetryExponentNotPositive, "exponent");
        let max_delay = (K::RetryMaxDelayNotPositive, "max_delay");
        RetryPolicy {
            max_retries: retries
                .map_or(default.max_retries, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            strategy: document.strategy.as_deref().map_or(default.strategy, |name| {
                name.trim().parse().unwrap_or_else(|error| {
                    let message = format!("{error} `{name}`");
                    self.add(Problem::new(K::RetryStrategyUnknown, name, message));
                    default.strategy
                })
            }),
            backoff_factor: self
                .whole(document.backoff_factor.as_ref(), 1, backoff)
                .unwrap_or(default.backoff_factor),
            exponent: self
                .whole(document.exponent.as_ref(), 1, exponent)
                .unwrap_or(default.exponent),
            max_delay: self.whole(document.max_delay.as_ref(), 1, max_delay),
        }
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.report.add(match self.node {
            Some(node) => problem.at(node),
            None => problem,
        });
    }
}

/// The number, if it is whole and not negative; `2.0` is whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the guard has looked at sign, fraction and size"
)]
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Uint(number) => Some(*number),
        Value::Float(number) if *number >= 0.0 && number.fract() == 0.0 && *number < 1e19 => {
            Some(*number as u64)
        }
        _ => None,
    }
}
