//! A version and the guard that keeps it alive for a run.

use std::sync::Arc;

use tokio::sync::Notify;

use super::gate::{Gate, GateView, Unpinned};
use crate::clock::Timestamp;
use crate::graph::Plan;
use crate::id::VersionNumber;

/// An immutable compiled graph with a number.
#[derive(Debug)]
pub(crate) struct Version {
    number: VersionNumber,
    plan: Arc<Plan>,
    created_at: Timestamp,
    gate: Gate,
    drained: Notify,
}

impl Version {
    pub(crate) fn new(number: VersionNumber, plan: Arc<Plan>, created_at: Timestamp) -> Self {
        Self { number, plan, created_at, gate: Gate::new(), drained: Notify::new() }
    }

    pub(crate) const fn number(&self) -> VersionNumber {
        self.number
    }

    pub(crate) const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(crate) const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub(crate) const fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn view(&self) -> GateView {
        self.gate.view()
    }

    /// The version is no longer routed to.
    pub(crate) fn begin_drain(&self) {
        if self.gate.begin_drain() {
            self.drained.notify_waiters();
        }
    }

    /// Waits until the version is draining and no run is pinned to it.
    pub(crate) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Registered before the gate is read: the last unpin in between is not missed.
            drained.as_mut().enable();
            let view = self.gate.view();
            if view.retired || view.draining && view.live == 0 {
                return;
            }
            drained.await;
        }
    }
}

/// Keeps a version alive; given back exactly once, when it is dropped.
#[derive(Debug)]
pub(crate) struct Pin {
    version: Arc<Version>,
}

impl Pin {
    /// Pins a version, unless it is retired.
    pub(crate) fn of(version: &Arc<Version>) -> Option<Self> {
        version.gate.try_pin().then(|| Self { version: version.clone() })
    }

    pub(crate) const fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.version.gate.unpin() == Unpinned::Drained {
            self.version.drained.notify_waiters();
        }
    }
}
