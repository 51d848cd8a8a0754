//! The registry under threads: recorded histories are linearizable, and storms leave nothing.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Registry;
use super::handle::Kept;
use crate::clock::{Rng, SystemClock};
use crate::graph::Plan;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::{
    Change, Command, Done, GraphSecrets, InFlight, LabelChange, NewVersion, Otherwise, Pin,
    Retention, RollbackTarget, Selector, Terms, VersionChange, VersionError, Weight,
};

const GRAPH: &str = "g";

fn graph() -> GraphName {
    GRAPH.into()
}

fn publish(promote: bool) -> Change {
    let plan = Arc::new(Plan::empty(GRAPH, None));
    let (note, tags, if_head, if_hash) = (None, Vec::new(), None, None);
    let (bindings, secrets) = (Arc::from([]), GraphSecrets::default());
    let new = NewVersion { plan, bindings, secrets, note, tags, if_head, if_hash, promote };
    Change::Publish(Box::new(new))
}

fn on_label(change: LabelChange) -> Change {
    Change::OnLabel { graph: graph(), label: LabelName::default(), change }
}

fn promote(version: u64) -> Change {
    on_label(LabelChange::Promote(VersionNumber(version)))
}

fn roll_back(version: u64) -> Change {
    let target = RollbackTarget::Exact(VersionNumber(version));
    on_label(LabelChange::Rollback {
        target,
        otherwise: Otherwise::Refuse,
        in_flight: InFlight::Finish,
    })
}

fn retire(version: u64) -> Change {
    let version = VersionNumber(version);
    Change::OnVersion { graph: graph(), version, change: VersionChange::Retire(Arc::default()) }
}

/// Whether the suite asks for its full counts.
fn soak() -> bool {
    std::env::var_os("HOTGRAPH_SOAK").is_some()
}

async fn execute(registry: &Registry, change: Change) -> Result<Done, VersionError> {
    registry.execute(Command { change, terms: Terms::default() }).await
}

fn start(registry: &Registry) -> Pin {
    registry.start(&graph(), &Selector::default()).unwrap().0
}

async fn registry(versions: u64) -> Registry {
    let clock = Arc::new(SystemClock::new());
    let registry = Registry::spawn(clock, Arc::default(), Retention::default(), Kept::default())
        .await
        .unwrap();
    for _ in 0..versions {
        execute(&registry, publish(false)).await.unwrap();
    }
    execute(&registry, promote(1)).await.unwrap();
    registry
}

/// One operation of a history, with the moments between which it took effect.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    began: u64,
    ended: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A start got this version.
    Start(u64),
    /// A start that named this version got it, or was told that it is gone.
    Named(u64, bool),
    /// This version was made active, by a promotion or a rollback, or was refused.
    Promote(u64, Answer),
    /// All starts were given to this version as a canary, or it was refused.
    Canary(u64, Answer),
    /// There is no canary any more; or there was none.
    Clear(Answer),
    /// This version was retired, or was refused.
    Retire(u64, Answer),
}

/// What a command was told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Done,
    /// It is the active one.
    Active,
    Gone,
    /// A label leads to it.
    Routed,
    /// Starts hold it.
    InUse,
    NoCanary,
}

impl From<Result<Done, VersionError>> for Answer {
    fn from(answer: Result<Done, VersionError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(VersionError::AlreadyActive { .. }) => Self::Active,
            Err(VersionError::VersionGone { .. }) => Self::Gone,
            Err(VersionError::StillRouted { .. }) => Self::Routed,
            Err(VersionError::InUse { .. }) => Self::InUse,
            Err(VersionError::NoCanary { .. }) => Self::NoCanary,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Where starts go, one operation after the other.
#[derive(Clone, Copy, Debug)]
struct Register {
    active: u64,
    canary: Option<u64>,
    /// The versions that are gone, as bits.
    gone: u64,
}

impl Register {
    const FIRST: Self = Self { active: 1, canary: None, gone: 0 };

    /// The register after an operation, if it can have gone that way.
    fn after(self, kind: Kind) -> Option<Self> {
        let is_gone = |version: u64| self.gone >> version & 1 == 1;
        let (expected, answer, next) = match kind {
            Kind::Start(version) => {
                return (version == self.canary.unwrap_or(self.active)).then_some(self);
            }
            Kind::Named(version, found) => return (found != is_gone(version)).then_some(self),
            Kind::Promote(version, answer) => {
                let next = Self { active: version, canary: None, ..self };
                (self.refusal(version), answer, next)
            }
            Kind::Canary(version, answer) => {
                (self.refusal(version), answer, Self { canary: Some(version), ..self })
            }
            Kind::Clear(answer) => {
                let expected = self.canary.map_or(Answer::NoCanary, |_| Answer::Done);
                (expected, answer, Self { canary: None, ..self })
            }
            Kind::Retire(version, answer) => {
                let is_routed = self.active == version || self.canary == Some(version);
                let expected = match (is_gone(version), is_routed, answer) {
                    (true, ..) => Answer::Gone,
                    (_, true, _) => Answer::Routed,
                    // A start may hold it at that moment.
                    (.., Answer::InUse) => Answer::InUse,
                    _ => Answer::Done,
                };
                (expected, answer, Self { gone: self.gone | 1 << version, ..self })
            }
        };
        let next = if expected == Answer::Done { next } else { self };
        (expected == answer).then_some(next)
    }

    fn refusal(self, version: u64) -> Answer {
        match self.gone >> version & 1 == 1 {
            true => Answer::Gone,
            false if self.active == version => Answer::Active,
            false => Answer::Done,
        }
    }
}

/// Whether some order of the operations, true to their moments, is one of a plain register.
fn is_linearizable(history: &[Recorded]) -> bool {
    let mut open: Vec<(Vec<usize>, Register)> =
        vec![((0..history.len()).collect(), Register::FIRST)];
    while let Some((left, register)) = open.pop() {
        if left.is_empty() {
            return true;
        }
        // Only what began before everything else that is left had ended can come first.
        let first_end = left.iter().map(|at| history[*at].ended).min().unwrap_or(u64::MAX);
        for &at in left.iter().filter(|at| history[**at].began <= first_end) {
            if let Some(next) = register.after(history[at].kind) {
                open.push((left.iter().copied().filter(|other| *other != at).collect(), next));
            }
        }
    }
    false
}

async fn operate(registry: &Registry, rng: &mut Rng, clock: &AtomicU64) -> Recorded {
    let version = 1 + rng.up_to(2);
    let operation = rng.up_to(11);
    let began = clock.fetch_add(1, Ordering::SeqCst);
    let whole = LabelChange::SetCanary(VersionNumber(version), Weight::percent(100));
    let kind = match operation {
        0 => Kind::Promote(version, execute(registry, promote(version)).await.into()),
        1 => Kind::Promote(version, execute(registry, roll_back(version)).await.into()),
        2 => Kind::Canary(version, execute(registry, on_label(whole)).await.into()),
        3 => Kind::Clear(execute(registry, on_label(LabelChange::ClearCanary)).await.into()),
        4 => Kind::Retire(version, execute(registry, retire(version)).await.into()),
        5 | 6 => {
            let selector = Selector::Version(VersionNumber(version));
            Kind::Named(version, registry.start(&graph(), &selector).is_ok())
        }
        _ => Kind::Start(start(registry).version().number().0),
    };
    Recorded { began, ended: clock.fetch_add(1, Ordering::SeqCst), kind }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn starts_and_commands_are_linearizable() {
    let histories = if soak() { 2_000 } else { 200 };
    for seed in 0..histories {
        let registry = registry(3).await;
        let clock = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (registry, clock) = (registry.clone(), clock.clone());
                tokio::spawn(async move {
                    let mut rng = Rng::seeded(seed * 4 + thread);
                    let mut recorded = Vec::new();
                    for _ in 0..4 {
                        recorded.push(operate(&registry, &mut rng, &clock).await);
                    }
                    recorded
                })
            })
            .collect();
        let mut history = Vec::new();
        for thread in threads {
            history.extend(thread.await.unwrap());
        }
        assert!(is_linearizable(&history), "seed {seed}: {history:#?}");
        registry.stop().await;
    }
}

#[test]
fn the_checker_refuses_what_no_order_explains() {
    let at = |began, ended, kind| Recorded { began, ended, kind };
    let promoted = at(0, 1, Kind::Promote(2, Answer::Done));
    assert!(!is_linearizable(&[promoted, at(2, 3, Kind::Start(1))]), "a stale start");
    assert!(is_linearizable(&[promoted, at(0, 3, Kind::Start(1))]));
    let canary = at(2, 3, Kind::Canary(3, Answer::Done));
    assert!(!is_linearizable(&[promoted, canary, at(4, 5, Kind::Start(2))]), "past a canary");
    let retired = at(2, 3, Kind::Retire(1, Answer::Done));
    assert!(!is_linearizable(&[promoted, retired, at(4, 5, Kind::Named(1, true))]), "a gone one");
    assert!(!is_linearizable(&[retired]), "the active one does not retire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_leaves_no_pin_and_every_version_can_retire() {
    let registry = registry(1).await;
    let over = Arc::new(AtomicBool::new(false));
    let promoted = Arc::new(AtomicU64::new(1));
    let starters: Vec<_> = (0..4)
        .map(|_| {
            let (registry, over, promoted) = (registry.clone(), over.clone(), promoted.clone());
            tokio::spawn(async move {
                let mut starts = 0_u64;
                while !over.load(Ordering::SeqCst) {
                    let before = promoted.load(Ordering::SeqCst);
                    let pin = start(&registry);
                    assert!(pin.version().number().0 >= before, "I6: a start on an old version");
                    assert!(!pin.version().view().retired, "I7: a pin on a retired version");
                    drop(pin);
                    starts += 1;
                    if starts.is_multiple_of(64) {
                        tokio::task::yield_now().await;
                    }
                }
                starts
            })
        })
        .collect();
    let began = Instant::now();
    let mut last = 1;
    while last < 500 || soak() && began.elapsed() < Duration::from_secs(10) {
        last += 1;
        execute(&registry, publish(true)).await.unwrap();
        promoted.store(last, Ordering::SeqCst);
        // A start may hold the old one for a moment; it is retired below if it does now.
        let _ = execute(&registry, retire(last - 1)).await;
    }
    over.store(true, Ordering::SeqCst);
    let mut starts = 0;
    for starter in starters {
        let own = starter.await.unwrap();
        assert!(own > 0);
        starts += own;
    }
    println!("{starts} starts beside {last} promotions");
    for version in registry.snapshot().route(&graph()).unwrap().versions.values() {
        let number = version.version.number().0;
        assert_eq!(version.version.view().live, 0, "I8");
        assert_eq!(execute(&registry, retire(number)).await.is_ok(), number != last);
    }
}

#[tokio::test]
async fn a_drain_is_noticed_and_a_stopped_registry_says_so() {
    let registry = registry(2).await;
    let pin = start(&registry);
    execute(&registry, promote(2)).await.unwrap();
    let old = pin.version().clone();
    let drained = tokio::spawn(async move { old.drained().await });
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    drop(pin);
    drained.await.unwrap();
    registry.stop().await;
    assert_eq!(execute(&registry, promote(1)).await.unwrap_err(), VersionError::Stopped);
    assert!(registry.start(&graph(), &Selector::default()).is_ok());
}

/// What a call takes, in nanoseconds: the median of several means.
fn nanoseconds(call: impl Fn()) -> f64 {
    const CALLS: u32 = 200_000;
    let mean = |_| {
        let began = Instant::now();
        (0..CALLS).for_each(|_| call());
        began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let mut means: Vec<_> = (0..11).map(mean).collect();
    means.sort_by(f64::total_cmp);
    means[5]
}

#[tokio::test]
#[ignore = "measures: `cargo test --release --lib bare_look_up -- --ignored --nocapture`"]
async fn resolve_and_pin_takes_at_most_five_times_a_bare_look_up() {
    let registry = registry(2).await;
    let (graph, selector) = (graph(), Selector::default());
    let versions = dashmap::DashMap::new();
    versions.insert(graph.clone(), Arc::new(1_u64));
    let routing = arc_swap::ArcSwap::from_pointee(1_u64);
    let bare = nanoseconds(|| {
        let version = versions.get(black_box(&graph)).map(|one| one.clone());
        black_box((version, routing.load_full()));
    });
    let pinned = nanoseconds(|| {
        black_box(registry.start(black_box(&graph), &selector).is_ok());
    });
    let times = pinned / bare;
    println!("resolve, pin and unpin: {pinned:.0} ns, {times:.2} times a look-up of {bare:.0} ns");
    assert!(cfg!(debug_assertions) || times <= 5.0);
}
