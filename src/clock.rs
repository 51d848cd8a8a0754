//! Time and chance, injected: nothing else in the crate reads a clock or draws a number.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// A point in time, in microseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The point `delay` later; saturates at the end of time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(micros(delay)))
    }

    /// How long it takes from `earlier` to this point; zero if it lies behind.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::fmt::Display for Timestamp {
    /// As RFC 3339 has it, in UTC, to the millisecond.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0 / 1_000;
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        // Days by eras of 400 years that begin in March, so that a leap day ends its year.
        let day = day + 719_468;
        let (era, of_era) = (day / 146_097, day % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)
}

/// A future that ends when a clock has reached a point in time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The source of time of a runtime.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Ends once `delay` has passed on this clock.
    fn sleep(&self, delay: Duration) -> Sleep;
}

/// The clock of the machine, slept on with tokio's timer.
///
/// It follows tokio's clock, so under `start_paused` it is virtual too: delays take no real time.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: SystemTime,
    instant: tokio::time::Instant,
}

impl SystemClock {
    /// Starts at the machine's current time.
    #[must_use]
    pub fn new() -> Self {
        Self { started: SystemTime::now(), instant: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let base = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(micros(base)).after(self.instant.elapsed())
    }

    fn sleep(&self, delay: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(delay))
    }
}

/// A clock that moves only when it is told to.
#[derive(Clone, Default)]
pub struct VirtualClock {
    inner: Arc<VirtualInner>,
}

#[derive(Default)]
struct VirtualInner {
    now: Mutex<Timestamp>,
    moved: Notify,
}

impl VirtualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let clock = Self::default();
        *clock.inner.now.lock() = now;
        clock
    }

    /// Moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut now = self.inner.now.lock();
        *now = now.after(by);
        drop(now);
        self.inner.moved.notify_waiters();
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.inner.now.lock()
    }

    fn sleep(&self, delay: Duration) -> Sleep {
        let clock = self.clone();
        let until = clock.now().after(delay);
        Box::pin(async move {
            loop {
                // Registered before the clock is read: a move in between is not missed.
                let moved = clock.inner.moved.notified();
                if clock.now() >= until {
                    return;
                }
                moved.await;
            }
        })
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&self.now()).finish()
    }
}

/// A seeded source of random numbers: the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    inner: fastrand::Rng,
}

impl Rng {
    /// Starts the sequence that belongs to `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { inner: fastrand::Rng::with_seed(seed) }
    }

    /// A seed that differs from process to process, for runtimes that were given none.
    #[must_use]
    pub fn random_seed() -> u64 {
        fastrand::u64(..)
    }

    /// A number from the whole range.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.u64(..)
    }

    /// A number from `0..=max`.
    pub fn up_to(&mut self, max: u64) -> u64 {
        self.inner.u64(0..=max)
    }

    /// A number from `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        self.inner.f64()
    }
}

/// Measures how long work takes on this machine, to size the next piece of it.
///
/// Nothing that a run means depends on it: it stands apart from [`Clock`], which may be virtual. While
/// tokio's time is paused no time passes: every piece gets its full length, each time the same, and
/// no piece may be bounded by time alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    last: tokio::time::Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { last: tokio::time::Instant::now() }
    }

    /// The time since the last lap or the start.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = tokio::time::Instant::now();
        let took = now - self.last;
        self.last = now;
        took
    }

    /// The time since the last lap or the start; no lap.
    pub(crate) fn elapsed(&self) -> Duration {
        self.last.elapsed()
    }
}
