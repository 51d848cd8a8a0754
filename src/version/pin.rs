//! A version and the guard that keeps it alive for a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::gate::{Gate, GateView, Unpinned};
use super::in_flight::{InFlight, Orders};
use super::manifest::Manifest;
use crate::graph::{EntryError, Plan};
use crate::id::{LabelName, VersionNumber};
use crate::until::until;

/// An immutable compiled graph with a number.
///
/// Its fields stay in their order: those that a start touches come first, beside the count of
/// references, which it touches too.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Version {
    gate: Gate,
    /// Not there as long as the process lacks a handler of a version that came from a journal.
    plan: OnceLock<Arc<Plan>>,
    is_revoked: AtomicBool,
    orders: Orders,
    drained: Notify,
    manifest: Arc<Manifest>,
    /// The revision at which each label was last rolled back from it, with an order for its runs.
    left: Mutex<BTreeMap<LabelName, u64>>,
    succeeded: AtomicU64,
    /// The plans of runs that begin at another node than the root, made when they are asked for.
    entries: Mutex<BTreeMap<Arc<str>, Arc<Plan>>>,
    #[cfg(feature = "metrics")]
    tally: super::tally::Tally,
}

impl Version {
    pub(crate) fn new(manifest: Arc<Manifest>, plan: Arc<Plan>) -> Self {
        let version = Self::absent(manifest);
        version.bring(plan);
        version
    }

    /// A version whose handlers the process does not have yet: it takes no pin.
    pub(crate) fn absent(manifest: Arc<Manifest>) -> Self {
        let gate = Gate::new();
        // Nothing routes to it yet, so the last run that was started on it explicitly is noticed.
        gate.begin_drain();
        Self {
            gate,
            plan: OnceLock::new(),
            is_revoked: AtomicBool::new(false),
            orders: Orders::default(),
            drained: Notify::new(),
            manifest,
            left: Mutex::default(),
            succeeded: AtomicU64::new(0),
            entries: Mutex::default(),
            #[cfg(feature = "metrics")]
            tally: super::tally::Tally::default(),
        }
    }

    pub(crate) fn number(&self) -> VersionNumber {
        self.manifest.number
    }

    pub(crate) const fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The compiled graph; nothing if the process lacks a handler of it.
    pub(crate) fn plan(&self) -> Option<&Arc<Plan>> {
        self.plan.get()
    }

    /// Brings the compiled graph of the definition that the version is.
    pub(crate) fn bring(&self, plan: Arc<Plan>) {
        self.manifest.bring(&plan.outline);
        // Two of one definition are the same.
        let _ = self.plan.set(plan);
    }

    pub(crate) const fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn view(&self) -> GateView {
        self.gate.view()
    }

    /// A run on it ended well.
    pub(crate) fn count_success(&self) {
        // A statistic: nothing else is read because of it.
        self.succeeded.fetch_add(1, Ordering::Relaxed);
    }

    /// How many runs on it ended well.
    pub(crate) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// What was started on it and how it ended.
    #[cfg(feature = "metrics")]
    pub(crate) const fn tally(&self) -> &super::tally::Tally {
        &self.tally
    }

    /// Takes no pin any more; the routing has said so before.
    pub(crate) fn revoke(&self) {
        // Pairs with the load in `is_revoked`: whoever looks at the runs after this sees every run
        // whose start did not see the mark.
        self.is_revoked.store(true, Ordering::SeqCst);
    }

    /// Whether its runs are to stop.
    pub(crate) fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::SeqCst)
    }

    /// A rollback has left it, on that label, and orders something for its runs.
    pub(crate) fn leave(&self, label: &LabelName, in_flight: InFlight, revision: u64) {
        // Before the order is given: whoever sees the order sees which label it came by.
        let mut left = self.left.lock();
        let latest = left.entry(label.clone()).or_default();
        *latest = revision.max(*latest);
        drop(left);
        self.orders.give(in_flight, revision);
    }

    /// Whether a rollback has left it on that label since this revision of the routing.
    pub(crate) fn was_left_by(&self, label: &LabelName, since: u64) -> bool {
        self.left.lock().get(label).is_some_and(|revision| since < *revision)
    }

    /// What is to happen to a run of it since it was decided at a revision of the routing.
    pub(crate) fn order(&self, decided_at: u64) -> InFlight {
        match self.is_revoked() {
            true => InFlight::Cancel,
            false => self.orders.of(decided_at),
        }
    }

    /// The version is no longer routed to.
    pub(crate) fn begin_drain(&self) {
        if self.gate.begin_drain() {
            self.drained.notify_waiters();
        }
    }

    /// Waits until nothing routes to the version and no run is pinned to it.
    pub(crate) async fn drained(&self) {
        let is_drained = || {
            let view = self.gate.view();
            view.retired || view.draining && view.live == 0
        };
        until(&self.drained, is_drained).await;
    }
}

/// Keeps a version alive; given back exactly once, when it is dropped.
#[derive(Debug)]
pub(crate) struct Pin {
    version: Arc<Version>,
}

impl Pin {
    /// Pins a version, unless it is retired or revoked.
    pub(crate) fn of(version: &Arc<Version>) -> Option<Self> {
        // Counted before it is looked at: if a publisher has just written it, the cache line comes
        // here once, to be written, and not a second time after it was read.
        let version = version.clone();
        let is_there = version.plan.get().is_some() && !version.is_revoked();
        let is_taken = is_there && version.gate.try_pin();
        is_taken.then(|| Self { version })
    }

    /// Pins a version for a run that started on it, unless it is retired: it may be revoked since.
    pub(crate) fn again(version: &Arc<Version>) -> Option<Self> {
        let is_taken = version.plan.get().is_some() && version.gate.try_pin();
        is_taken.then(|| Self { version: version.clone() })
    }

    /// Pins a version for what may go on with it later, unless it is retired or revoked: also if the
    /// process lacks its handlers as yet.
    pub(crate) fn hold(version: &Arc<Version>) -> Option<Self> {
        let is_taken = !version.is_revoked() && version.gate.try_pin();
        is_taken.then(|| Self { version: version.clone() })
    }

    /// Has the version stay pinned when this is given back, until the process ends: the run goes on
    /// with it in another one.
    pub(crate) fn leave(&self) {
        // There is one, so the version is not retired and takes another.
        let _ = self.version.gate.try_pin();
    }

    pub(crate) const fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The compiled graph.
    pub(crate) fn plan(&self) -> &Arc<Plan> {
        self.version.plan().expect("a version without its plan is only held")
    }

    /// The compiled graph, begun at a node, or at its root.
    pub(crate) fn plan_from(&self, entry: Option<&Arc<str>>) -> Result<Arc<Plan>, EntryError> {
        let Some(entry) = entry else { return Ok(self.plan().clone()) };
        let mut entries = self.version.entries.lock();
        if let Some(known) = entries.get(entry) {
            return Ok(known.clone());
        }
        let begun = Arc::new(self.plan().begun_at(entry)?);
        entries.insert(entry.clone(), begun.clone());
        Ok(begun)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.version.gate.unpin() == Unpinned::Drained {
            self.version.drained.notify_waiters();
        }
    }
}
