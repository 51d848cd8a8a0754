//! What the lanes of a run share: work that any of them may take.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::drawing::Drawing;
use super::resumable::Handed;
use super::source::Fanout;
use crate::graph::Plan;
use crate::id::NodeIndex;
use crate::node::Control;
use crate::run::execution::Execution;

/// Work that any lane of a run may take.
pub(crate) struct Pool {
    pub control: Arc<Control>,
    /// Not there as long as there was none: a run that one lane has never has any, and looks for it
    /// without a lock. Whoever brings the first tells those who wait after that.
    work: OnceLock<Box<Mutex<Work>>>,
    /// How many executions nobody has: read before the lock is taken.
    queued: AtomicUsize,
    closed: AtomicBool,
    /// Lanes that wait.
    hungry: AtomicUsize,
    /// Lanes that there could be, and that nobody called for.
    uncalled: AtomicUsize,
    /// How many branches of resumable fanouts were made and taken by no lane yet.
    ahead: AtomicUsize,
    /// How many there may be: as many as may be under way.
    most_ahead: usize,
    /// By node; empty if the concurrency of none is limited.
    permits: Box<[Option<Arc<Semaphore>>]>,
}

#[derive(Default)]
struct Work {
    executions: VecDeque<Box<Execution>>,
    /// Branches of resumable fanouts, which are counted as ahead.
    handed: VecDeque<Box<Execution>>,
    /// The innermost last. A resumable one is here only while nobody draws from it.
    fanouts: Vec<Arc<Fanout>>,
}

/// Work that a lane took.
pub(crate) enum Taken {
    Execution(Box<Execution>),
    Fanout(Arc<Fanout>),
}

impl Pool {
    pub(crate) fn new(plan: &Plan, control: Arc<Control>, lanes: usize) -> Self {
        let is_limited = plan.nodes.iter().any(|node| node.concurrency.is_some());
        let permits = plan.nodes.iter().filter(|_| is_limited).map(|node| {
            node.concurrency.map(|count| Arc::new(Semaphore::new(count.max(1) as usize)))
        });
        Self {
            control,
            work: OnceLock::new(),
            queued: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            hungry: AtomicUsize::new(0),
            uncalled: AtomicUsize::new(lanes),
            ahead: AtomicUsize::new(0),
            most_ahead: (plan.limits.in_flight as usize).max(1),
            permits: permits.collect(),
        }
    }

    /// The permits of a node whose concurrency is limited.
    #[inline]
    pub(crate) fn permits(&self, node: NodeIndex) -> Option<Arc<Semaphore>> {
        self.permits.get(node.at())?.clone()
    }

    /// Hands executions to whichever lane is free.
    pub(crate) fn push(&self, executions: impl IntoIterator<Item = Box<Execution>>) {
        let mut work = self.work().lock();
        work.executions.extend(executions);
        self.count(&work);
        drop(work);
        self.control.changed.notify_waiters();
    }

    /// Lets every lane draw from a fanout.
    pub(crate) fn share(&self, fanout: Arc<Fanout>) {
        fanout.set_shared();
        self.work().lock().fanouts.push(fanout);
        self.control.changed.notify_waiters();
    }

    /// Hands what was drawn of a resumable fanout, and the fanout, to whichever lanes are free.
    pub(crate) fn hand(&self, Handed { branches, fanout }: Handed) {
        let mut work = self.work().lock();
        work.handed.extend(branches);
        self.count(&work);
        if let Some(fanout) = fanout {
            // A state inside another has a greater number: the innermost one stays last.
            let is_outside = |other: &Arc<Fanout>| other.execution.state < fanout.execution.state;
            let place = work.fanouts.iter().rposition(is_outside).map_or(0, |last| last + 1);
            work.fanouts.insert(place, fanout);
        }
        drop(work);
        self.control.changed.notify_waiters();
    }

    /// An execution that nobody has.
    #[inline]
    pub(crate) fn take_execution(&self) -> Option<Box<Execution>> {
        if !self.has_executions() {
            return None;
        }
        self.take_from(&mut self.work.get()?.lock())
    }

    fn take_from(&self, work: &mut Work) -> Option<Box<Execution>> {
        let execution = match work.executions.pop_front() {
            Some(execution) => execution,
            None => {
                let branch = work.handed.pop_front()?;
                // Whoever waited for room looks again.
                if self.ahead.fetch_sub(1, Ordering::Relaxed) >= self.most_ahead {
                    self.control.changed.notify_waiters();
                }
                branch
            }
        };
        self.count(work);
        Some(execution)
    }

    fn work(&self) -> &Mutex<Work> {
        self.work.get_or_init(Box::default)
    }

    fn count(&self, work: &Work) {
        self.queued.store(work.executions.len() + work.handed.len(), Ordering::Relaxed);
    }

    /// Branches of a resumable fanout were made, which wait to be on record and then for a lane.
    pub(crate) fn is_ahead_by(&self, branches: usize) {
        self.ahead.fetch_add(branches, Ordering::Relaxed);
    }

    /// How many more outputs of resumable fanouts may be drawn.
    pub(crate) fn may_draw_ahead(&self) -> usize {
        self.most_ahead.saturating_sub(self.ahead.load(Ordering::Relaxed))
    }

    /// Work that nobody has: executions first, then the innermost fanout that is not in `stalled`.
    pub(crate) fn take(&self, stalled: &[Drawing]) -> Option<Taken> {
        let mut work = self.work.get()?.lock();
        if let Some(execution) = self.take_from(&mut work) {
            return Some(Taken::Execution(execution));
        }
        let is_full = !self.control.is_cancelled() && self.may_draw_ahead() == 0;
        let can_draw = |fanout: &Arc<Fanout>| match fanout.is_resumable() {
            true => !is_full,
            false => !stalled.iter().any(|other| Arc::ptr_eq(&other.fanout, fanout)),
        };
        let place = work.fanouts.iter().rposition(can_draw)?;
        Some(Taken::Fanout(match work.fanouts[place].is_resumable() {
            true => work.fanouts.remove(place),
            false => work.fanouts[place].clone(),
        }))
    }

    /// Whether there is an execution that nobody has; a stale answer is made good at the next look.
    #[inline]
    pub(crate) fn has_executions(&self) -> bool {
        self.queued.load(Ordering::Relaxed) > 0
    }

    /// Forgets a fanout whose end was seen.
    pub(crate) fn forget(&self, fanout: &Arc<Fanout>) {
        if fanout.is_shared()
            && let Some(work) = self.work.get()
        {
            work.lock().fanouts.retain(|other| !Arc::ptr_eq(other, fanout));
        }
    }

    /// Whether some lane has nothing to do, or could be spawned.
    pub(crate) fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0 || self.uncalled.load(Ordering::Relaxed) > 0
    }

    /// Takes the right to have one more lane spawned; says whether there was one left.
    pub(crate) fn take_call(&self) -> bool {
        let one_less = |uncalled: usize| uncalled.checked_sub(1);
        self.uncalled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    pub(crate) fn starts_waiting(&self) {
        self.hungry.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stops_waiting(&self) {
        self.hungry.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sends every lane home.
    pub(crate) fn close(&self) {
        // Pairs with the load in `is_closed`: a lane that sees it sees the end of the run.
        self.closed.store(true, Ordering::Release);
        self.control.changed.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
