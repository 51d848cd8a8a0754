//! How many runs are pinned to a version, and whether it may take another: one 64-bit word.
//!
//! Invariants:
//! 1. Every decision that depends on the count is one read-modify-write of the word.
//! 2. A retired gate has no pins, for ever: it retires only at zero and takes no pin after.
//! 3. The unpin that brings a draining gate to zero says so, exactly once per drain.
//!
//! All operations are `AcqRel`: a pin's release in `unpin` pairs with the acquire of the
//! read-modify-write that sees the count it left, so what the run did is visible to who retires.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

const RETIRED: u64 = 1 << 63;
const DRAINING: u64 = 1 << 62;
const PINS: u64 = DRAINING - 1;

/// The gate of one version.
#[derive(Debug)]
pub struct Gate {
    word: AtomicU64,
}

/// What an unpin left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpinned {
    /// Other pins are left, or the version is not draining.
    Open,
    /// It was the last pin of a version that is draining.
    Drained,
}

/// How a gate stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateView {
    /// No pin is taken any more.
    pub retired: bool,
    /// The version is no longer routed to.
    pub draining: bool,
    /// How many pins are held.
    pub live: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// An open gate without pins.
    #[must_use]
    pub fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// Takes a pin, unless the version is retired.
    pub fn try_pin(&self) -> bool {
        let taken = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & RETIRED == 0).then_some(word + 1)
        });
        taken.is_ok()
    }

    /// Gives a pin back.
    pub fn unpin(&self) -> Unpinned {
        let before = self.word.fetch_sub(1, Ordering::AcqRel);
        match before & DRAINING != 0 && before & PINS == 1 {
            true => Unpinned::Drained,
            false => Unpinned::Open,
        }
    }

    /// Marks the version as no longer routed to; says whether no pin is left already.
    pub fn begin_drain(&self) -> bool {
        self.word.fetch_or(DRAINING, Ordering::AcqRel) & PINS == 0
    }

    /// The version is routed to again.
    pub fn cancel_drain(&self) {
        self.word.fetch_and(!DRAINING, Ordering::AcqRel);
    }

    /// Closes the gate for good if no pin is held; else says how many are.
    pub fn try_retire(&self) -> Result<(), u64> {
        let closed = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & PINS == 0).then_some(word | RETIRED)
        });
        closed.map(drop).map_err(|word| word & PINS)
    }

    /// Opens a gate again whose retirement was not put on record.
    pub fn reopen(&self) {
        self.word.fetch_and(!RETIRED, Ordering::AcqRel);
    }

    /// How the gate stands.
    pub fn view(&self) -> GateView {
        let word = self.word.load(Ordering::Acquire);
        GateView { retired: word & RETIRED != 0, draining: word & DRAINING != 0, live: word & PINS }
    }
}
