//! The registry under threads: recorded histories are linearizable, and storms leave nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Registry;
use crate::clock::{Rng, SystemClock};
use crate::graph::Plan;
use crate::id::{GraphName, LabelName, VersionNumber};
use crate::version::{
    Change, Command, Done, LabelChange, NewVersion, Pin, Retention, RollbackTarget, Selector,
    Terms, VersionChange, VersionError,
};

const GRAPH: &str = "g";

fn graph() -> GraphName {
    GRAPH.into()
}

fn publish(promote: bool) -> Change {
    let plan = Arc::new(Plan::empty(GRAPH, None));
    let (note, tags, if_head, if_hash) = (None, Vec::new(), None, None);
    let bindings = Arc::from([]);
    Change::Publish(Box::new(NewVersion { plan, bindings, note, tags, if_head, if_hash, promote }))
}

fn on_label(change: LabelChange) -> Change {
    Change::OnLabel { graph: graph(), label: LabelName::default(), change }
}

fn promote(version: u64) -> Change {
    on_label(LabelChange::Promote(VersionNumber(version)))
}

fn roll_back(version: u64) -> Change {
    let target = RollbackTarget::Exact(VersionNumber(version));
    on_label(LabelChange::Rollback { target, force: false })
}

fn retire(version: u64) -> Change {
    let version = VersionNumber(version);
    Change::OnVersion { graph: graph(), version, change: VersionChange::Retire }
}

async fn execute(registry: &Registry, change: Change) -> Result<Done, VersionError> {
    registry.execute(Command { change, terms: Terms::default() }).await
}

fn start(registry: &Registry) -> Pin {
    registry.start(&graph(), &Selector::default()).unwrap().0
}

async fn registry(versions: u64) -> Registry {
    let clock = Arc::new(SystemClock::new());
    let registry = Registry::spawn(clock, Retention::default()).await.unwrap();
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
    /// This version was made active, by a promotion or a rollback.
    Promote(u64),
    /// It was refused: this version was active already.
    Refused(u64),
}

/// Whether some order of the operations, true to their moments, is one of a plain register.
fn is_linearizable(history: &[Recorded], active: u64) -> bool {
    let mut open: Vec<(Vec<usize>, u64)> = vec![((0..history.len()).collect(), active)];
    while let Some((left, active)) = open.pop() {
        if left.is_empty() {
            return true;
        }
        // Only what began before everything else that is left had ended can come first.
        let first_end = left.iter().map(|at| history[*at].ended).min().unwrap_or(u64::MAX);
        for &at in left.iter().filter(|at| history[**at].began <= first_end) {
            let next = match history[at].kind {
                Kind::Start(version) if version == active => active,
                Kind::Promote(version) if version != active => version,
                Kind::Refused(version) if version == active => active,
                _ => continue,
            };
            open.push((left.iter().copied().filter(|other| *other != at).collect(), next));
        }
    }
    false
}

async fn operate(registry: &Registry, rng: &mut Rng, clock: &AtomicU64) -> Recorded {
    let version = 1 + rng.up_to(2);
    let promotes = rng.up_to(2) == 0;
    let began = clock.fetch_add(1, Ordering::SeqCst);
    let kind = if promotes {
        let change = if rng.up_to(1) == 0 { promote(version) } else { roll_back(version) };
        match execute(registry, change).await {
            Ok(_) => Kind::Promote(version),
            Err(VersionError::AlreadyActive { .. }) => Kind::Refused(version),
            Err(error) => panic!("{error}"),
        }
    } else {
        Kind::Start(start(registry).version().number().0)
    };
    Recorded { began, ended: clock.fetch_add(1, Ordering::SeqCst), kind }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn starts_promotions_and_rollbacks_are_linearizable() {
    let histories = if std::env::var_os("HOTGRAPH_SOAK").is_some() { 2_000 } else { 200 };
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
        assert!(is_linearizable(&history, 1), "seed {seed}: {history:#?}");
        registry.stop().await;
    }
}

#[test]
fn the_checker_refuses_a_stale_start() {
    let at = |began, ended, kind| Recorded { began, ended, kind };
    let promoted = at(0, 1, Kind::Promote(2));
    assert!(!is_linearizable(&[promoted, at(2, 3, Kind::Start(1))], 1));
    assert!(is_linearizable(&[promoted, at(0, 3, Kind::Start(1))], 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_leaves_no_pin_and_every_version_can_retire() {
    let registry = registry(1).await;
    let over = Arc::new(AtomicBool::new(false));
    let promoted = Arc::new(AtomicU64::new(1));
    let starters: Vec<_> = (0..3)
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
    for number in 2..500 {
        execute(&registry, publish(true)).await.unwrap();
        promoted.store(number, Ordering::SeqCst);
        // A start may hold the old one for a moment; it is retired below if it does now.
        let _ = execute(&registry, retire(number - 1)).await;
    }
    over.store(true, Ordering::SeqCst);
    for starter in starters {
        assert!(starter.await.unwrap() > 0);
    }
    for version in registry.snapshot().route(&graph()).unwrap().versions.values() {
        let number = version.version.number().0;
        assert_eq!(version.version.view().live, 0, "I8");
        assert_eq!(execute(&registry, retire(number)).await.is_ok(), number != 499);
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
