//! A start racing a promotion, a retirement and a drain, over any gate.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::gate::{Gate, Unpinned};

/// What the model needs of a gate; the naive ones of `naive.rs` have it too.
pub trait Gated: Send + Sync + 'static {
    fn new() -> Self;
    fn try_pin(&self) -> bool;
    /// Says whether it was the last pin of a draining version.
    fn unpin(&self) -> bool;
    /// Says whether no pin was left.
    fn begin_drain(&self) -> bool;
    fn cancel_drain(&self);
    fn try_retire(&self) -> bool;
    fn live(&self) -> u64;
    fn is_retired(&self) -> bool;
}

impl Gated for Gate {
    fn new() -> Self {
        Self::new()
    }

    fn try_pin(&self) -> bool {
        Self::try_pin(self)
    }

    fn unpin(&self) -> bool {
        Self::unpin(self) == Unpinned::Drained
    }

    fn begin_drain(&self) -> bool {
        Self::begin_drain(self)
    }

    fn cancel_drain(&self) {
        Self::cancel_drain(self);
    }

    fn try_retire(&self) -> bool {
        Self::try_retire(self).is_ok()
    }

    fn live(&self) -> u64 {
        self.view().live
    }

    fn is_retired(&self) -> bool {
        self.view().retired
    }
}

/// Two versions, the snapshot that says which one is active, and the revision beside it; both are the
/// number of that version.
struct Graph<G> {
    gates: [G; 2],
    active: AtomicUsize,
    revision: AtomicUsize,
}

impl<G: Gated> Graph<G> {
    fn new() -> Arc<Self> {
        let gates = [G::new(), G::new()];
        Arc::new(Self { gates, active: AtomicUsize::new(0), revision: AtomicUsize::new(0) })
    }

    /// As `Registry::start`: load, pin, look at the revision; if it is another one, load again, and
    /// another route means another try.
    fn start(&self) -> usize {
        loop {
            let version = self.active.load(Ordering::SeqCst);
            if !self.gates[version].try_pin() {
                thread::yield_now();
                continue;
            }
            let is_same = self.revision.load(Ordering::SeqCst) == version;
            if is_same || self.active.load(Ordering::SeqCst) == version {
                return version;
            }
            self.gates[version].unpin();
        }
    }

    /// As `Lineages::settle`: cancel the target's drain, swap, begin the old one's. The swap says which
    /// revision comes before it is there.
    fn promote(&self, version: usize) {
        let old = self.active.load(Ordering::SeqCst);
        self.gates[version].cancel_drain();
        self.revision.store(version, Ordering::SeqCst);
        self.active.store(version, Ordering::SeqCst);
        self.gates[old].begin_drain();
    }
}

/// I6: a start that begins after a promotion has returned never gets the old version.
pub fn no_start_is_stale<G: Gated>() {
    let graph = Graph::<G>::new();
    let promoted = Arc::new(AtomicBool::new(false));
    let (other, flag) = (graph.clone(), promoted.clone());
    let promoter = thread::spawn(move || {
        other.promote(1);
        flag.store(true, Ordering::SeqCst);
    });
    let was_promoted = promoted.load(Ordering::SeqCst);
    let version = graph.start();
    assert!(!was_promoted || version == 1, "a start after the promotion got the old version");
    assert_eq!(graph.gates[version].live(), 1);
    graph.gates[version].unpin();
    promoter.join().unwrap();
    assert_eq!(graph.gates[0].live() + graph.gates[1].live(), 0);
}

/// I7: a version that retires has no pin, then and ever after.
pub fn retired_means_unpinned<G: Gated>() {
    let gate = Arc::new(G::new());
    let other = gate.clone();
    let starter = thread::spawn(move || other.try_pin());
    let retired = gate.try_retire();
    let pinned = starter.join().unwrap();
    assert!(!(retired && pinned), "a run is pinned to a retired version");
    assert_eq!(retired, gate.is_retired());
}

/// I15: the end of a drain is noticed exactly once: by the last unpin, or when it began.
pub fn the_end_of_a_drain_is_noticed<G: Gated>() {
    let gate = Arc::new(G::new());
    assert!(gate.try_pin() && gate.try_pin());
    let others: Vec<_> = (0..2)
        .map(|_| {
            let gate = gate.clone();
            thread::spawn(move || usize::from(gate.unpin()))
        })
        .collect();
    let at_once = usize::from(gate.begin_drain());
    let noticed: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
    assert_eq!(at_once + noticed, 1, "a drain ended {} times", at_once + noticed);
}

#[test]
fn no_start_is_stale_over_the_gate() {
    loom::model(no_start_is_stale::<Gate>);
}

#[test]
fn retired_means_unpinned_over_the_gate() {
    loom::model(retired_means_unpinned::<Gate>);
}

#[test]
fn the_end_of_a_drain_is_noticed_over_the_gate() {
    loom::model(the_end_of_a_drain_is_noticed::<Gate>);
}
