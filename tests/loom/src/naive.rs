//! Two gates that look right and are not: the model must find both out.

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::{Gated, retired_means_unpinned, the_end_of_a_drain_is_noticed};

/// Count and marks in separate atomics: the last unpin and the drain miss each other.
struct TwoAtomics {
    live: AtomicU64,
    draining: AtomicBool,
    retired: AtomicBool,
}

impl Gated for TwoAtomics {
    fn new() -> Self {
        Self {
            live: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        }
    }

    fn try_pin(&self) -> bool {
        self.live.fetch_add(1, Ordering::SeqCst);
        if self.retired.load(Ordering::SeqCst) {
            self.live.fetch_sub(1, Ordering::SeqCst);
            return false;
        }
        true
    }

    fn unpin(&self) -> bool {
        let draining = self.draining.load(Ordering::SeqCst);
        self.live.fetch_sub(1, Ordering::SeqCst) == 1 && draining
    }

    fn begin_drain(&self) -> bool {
        let live = self.live.load(Ordering::SeqCst);
        self.draining.store(true, Ordering::SeqCst);
        live == 0
    }

    fn cancel_drain(&self) {
        self.draining.store(false, Ordering::SeqCst);
    }

    fn try_retire(&self) -> bool {
        self.retired.store(true, Ordering::SeqCst);
        if self.live.load(Ordering::SeqCst) == 0 {
            return true;
        }
        self.retired.store(false, Ordering::SeqCst);
        false
    }

    fn live(&self) -> u64 {
        self.live.load(Ordering::SeqCst)
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }
}

/// One word, but the retirement looks first and acts later.
struct LookThenRetire {
    word: AtomicU64,
}

const RETIRED: u64 = 1 << 63;
const DRAINING: u64 = 1 << 62;
const PINS: u64 = DRAINING - 1;

impl Gated for LookThenRetire {
    fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    fn try_pin(&self) -> bool {
        let pinned = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
            (word & RETIRED == 0).then_some(word + 1)
        });
        pinned.is_ok()
    }

    fn unpin(&self) -> bool {
        let before = self.word.fetch_sub(1, Ordering::SeqCst);
        before & DRAINING != 0 && before & PINS == 1
    }

    fn begin_drain(&self) -> bool {
        self.word.fetch_or(DRAINING, Ordering::SeqCst) & PINS == 0
    }

    fn cancel_drain(&self) {
        self.word.fetch_and(!DRAINING, Ordering::SeqCst);
    }

    fn try_retire(&self) -> bool {
        if self.word.load(Ordering::SeqCst) & PINS == 0 {
            self.word.fetch_or(RETIRED, Ordering::SeqCst);
            return true;
        }
        false
    }

    fn live(&self) -> u64 {
        self.word.load(Ordering::SeqCst) & PINS
    }

    fn is_retired(&self) -> bool {
        self.word.load(Ordering::SeqCst) & RETIRED != 0
    }
}

/// A model fails, and for the reason given.
fn is_found_out(model: fn(), reason: &str) {
    let found = std::panic::catch_unwind(|| loom::model(model)).expect_err("nothing was found");
    let text = found.downcast_ref::<String>().cloned();
    let text = text.or_else(|| found.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_default();
    assert!(text.contains(reason), "the model failed for another reason: {text}");
}

#[test]
fn two_atomics_lose_the_end_of_a_drain() {
    is_found_out(the_end_of_a_drain_is_noticed::<TwoAtomics>, "a drain ended 0 times");
}

#[test]
fn two_atomics_pin_a_retired_version() {
    is_found_out(retired_means_unpinned::<TwoAtomics>, "a run is pinned to a retired version");
}

#[test]
fn looking_before_retiring_pins_a_retired_version() {
    let reason = "a run is pinned to a retired version";
    is_found_out(retired_means_unpinned::<LookThenRetire>, reason);
}
