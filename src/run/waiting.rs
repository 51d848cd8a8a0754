//! How a run's actor waits for the one execution that is left, and what it is reminded of.
//!
//! Invariants:
//! 1. What the actor waits for was polled with its alarm, so that an end is never missed.
//! 2. Once that was done the actor polls no user code: what blocks its thread after a wait blocks a
//!    lane, and the actor can still end the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use ractor::{ActorProcessingErr, ActorRef};

use super::actor::RunState;
use super::fanout::{Alone, Unended};
use super::machine::Stop;
use super::message::RunMessage;

/// Tells a run's actor, once, that what it waits for can go on.
struct Alarm {
    run: ActorRef<RunMessage>,
    rang: AtomicBool,
    /// Whether the actor is to be told, and was not.
    armed: AtomicBool,
}

impl Alarm {
    /// Tells the actor from now on, and of what was missed.
    fn arm(&self) {
        // In one order with `wake_by_ref`: one of the two sees what the other one wrote.
        self.armed.store(true, Ordering::SeqCst);
        if self.rang.load(Ordering::SeqCst) {
            self.tell();
        }
    }

    fn tell(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            // A run that is gone waits for nothing.
            let _ = self.run.cast(RunMessage::Woken);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::SeqCst);
        self.tell();
    }
}

impl RunState {
    /// Waits for what was begun if that is one execution, else leaves it to a crew.
    pub(super) async fn wait_for(
        &mut self,
        begun: Box<Alone>,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        self.set_reminders(myself);
        if !begun.waits_for_one() {
            self.begun = Some(Unended::Awake(begun));
            return self.call_crew(myself).await;
        }
        let quiet = || AtomicBool::new(false);
        let alarm = Arc::new(Alarm { run: myself.clone(), rang: quiet(), armed: quiet() });
        match begun.listen(&Waker::from(alarm.clone()), &alarm.rang) {
            None => self.end(myself).await,
            Some(rest) if rest.can_sleep() => {
                self.begun = Some(rest.sleep());
                alarm.arm();
            }
            Some(rest) => {
                self.begun = Some(Unended::Awake(rest));
                return self.call_crew(myself).await;
            }
        }
        Ok(())
    }

    /// Leaves what the actor waits for to a crew.
    pub(super) async fn call_crew(
        &mut self,
        myself: &ActorRef<RunMessage>,
    ) -> Result<(), ActorProcessingErr> {
        match self.take_begun() {
            // Boxed: a run that waits without a crew keeps no room for what calling one takes.
            Some(alone) => Box::pin(self.crew(myself, Some(alone))).await,
            None => Ok(()),
        }
    }

    /// What was begun, to go on with it.
    pub(super) fn take_begun(&mut self) -> Option<Box<Alone>> {
        self.begun.take().map(|begun| begun.awake(&self.cell, &self.pool))
    }

    /// Ends what the actor waits for: the run is being stopped.
    pub(super) async fn stop_waiting(&mut self, myself: &ActorRef<RunMessage>) {
        if let Some(alone) = self.take_begun() {
            alone.abandon();
            self.end(myself).await;
        }
    }

    /// Reminds the actor of the end of the run's time, and of a cancel of the run above it.
    pub(super) fn set_reminders(&mut self, myself: &ActorRef<RunMessage>) {
        let ends_at = self.cell.live.lock().ends_at;
        if let Some(ends_at) = ends_at {
            let left = ends_at.since(self.cell.facts.clock.now());
            self.after(left, myself, RunMessage::Stop(Stop::TimedOut));
        }
        if self.pool.control.is_below() {
            self.follow_parent(myself);
        }
    }

    /// A cancel of the run that started this one stops it like a cancel of its own.
    fn follow_parent(&mut self, myself: &ActorRef<RunMessage>) {
        let (control, myself) = (self.pool.control.clone(), myself.clone());
        self.timers.get_or_insert_default().spawn(async move {
            control.cancelled().await;
            let stop = if control.is_parked() { Stop::Parked } else { Stop::Cancelled };
            // A run that is gone needs no stop.
            let _ = myself.cast(RunMessage::Stop(stop));
        });
    }

    /// Tells the actor something after a while; forgotten when the run ends first.
    pub(super) fn after(
        &mut self,
        delay: Duration,
        myself: &ActorRef<RunMessage>,
        message: RunMessage,
    ) {
        let (sleep, myself) = (self.cell.facts.clock.sleep(delay), myself.clone());
        self.timers.get_or_insert_default().spawn(async move {
            sleep.await;
            // A run that is gone needs no timer.
            let _ = myself.cast(message);
        });
    }
}
