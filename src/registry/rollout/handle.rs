//! The handle of a rollout: how it stands, and commands on it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use ractor::ActorRef;
use tokio::sync::{oneshot, watch};

use super::message::{Order, RolloutMessage, RolloutStatus};
use crate::registry::Registry;
use crate::version::{
    Change, Command, RolloutAct, RolloutEnd, RolloutError, RolloutOf, RolloutOrder, RolloutPhase,
    Terms, term_setters,
};

/// A rollout of a version. Dropping the handle changes nothing.
#[derive(Clone)]
pub struct Rollout {
    actor: ActorRef<RolloutMessage>,
    registry: Registry,
    status: watch::Receiver<RolloutStatus>,
}

impl Rollout {
    pub(super) const fn new(
        actor: ActorRef<RolloutMessage>,
        registry: Registry,
        status: watch::Receiver<RolloutStatus>,
    ) -> Self {
        Self { actor, registry, status }
    }

    /// Ends it where it stands.
    pub(super) async fn stop(&self) {
        // An actor that is gone has ended the rollout.
        let _ = self.actor.stop_and_wait(None, None).await;
    }

    /// The directory knows it.
    pub(super) fn begun(&self) {
        // An actor that is gone has ended the rollout.
        let _ = self.actor.cast(RolloutMessage::Begun);
    }

    /// Another rollout has its label.
    pub(super) async fn let_go(&self, terms: Terms) {
        let (reply, answer) = oneshot::channel();
        // It may have ended by itself.
        if self.actor.cast(RolloutMessage::LetGo(terms, reply)).is_ok() {
            let _ = answer.await;
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> RolloutStatus {
        self.status.borrow().clone()
    }

    /// Waits until it stands as wanted, or has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait.
    pub async fn until(&self, mut is_wanted: impl FnMut(&RolloutStatus) -> bool) -> RolloutStatus {
        let mut status = self.status.clone();
        let is_ended = |status: &RolloutStatus| matches!(status.phase, RolloutPhase::Ended(_));
        match status.wait_for(|status| is_wanted(status) || is_ended(status)).await {
            Ok(found) => found.clone(),
            // Its actor is gone, and has said all that there is to say.
            Err(_) => self.status(),
        }
    }

    /// Waits for its end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait.
    pub async fn ended(&self) -> RolloutEnd {
        match self.until(|_| false).await.phase {
            RolloutPhase::Ended(end) => end,
            // Its actor was ended before it could say so.
            _ => RolloutEnd::ShutDown,
        }
    }

    /// Promotes the version by hand.
    ///
    /// Refused, in this order, if the rollout awaits no promotion, its version is gone, or not every
    /// gate passes.
    pub fn promote(&self) -> RolloutCommand {
        self.order(RolloutOrder::Promote)
    }

    /// Takes the version back, or its promotion while it bakes. It is refused if somebody else has
    /// changed the label.
    pub fn abort(&self) -> RolloutCommand {
        self.order(RolloutOrder::Abort)
    }

    /// Holds the rollout where it is; a gate that fails still takes the version back, and its
    /// deadline and the time it bakes go on.
    pub fn pause(&self) -> RolloutCommand {
        self.order(RolloutOrder::Pause)
    }

    /// Goes on; the time of the pause does not count for the step.
    pub fn resume(&self) -> RolloutCommand {
        self.order(RolloutOrder::Resume)
    }

    /// Goes on to the next step, whatever this one waits for.
    pub fn skip(&self) -> RolloutCommand {
        self.order(RolloutOrder::Skip)
    }

    /// Makes a promotion stay that has to be confirmed.
    pub fn confirm(&self) -> RolloutCommand {
        self.order(RolloutOrder::Confirm)
    }

    fn of(&self) -> RolloutOf {
        let RolloutStatus { graph, label, version, .. } = self.status();
        RolloutOf { graph, label, version }
    }

    /// Refuses an order that no actor is left to take, unless it was carried out before.
    async fn refuse(&self, Order { kind, terms }: Order) -> Result<(), RolloutError> {
        let of = self.of();
        let change = Change::rollout(&of, RolloutAct::Order(kind), None);
        let refusal = RolloutError::Ended { of, end: self.ended().await };
        let answer = self.registry.refuse(Command { change, terms }, refusal.into()).await;
        Ok(answer.map(drop)?)
    }

    fn order(&self, kind: RolloutOrder) -> RolloutCommand {
        let order = Order { kind, terms: Terms::default() };
        RolloutCommand { rollout: self.clone(), order }
    }
}

impl std::fmt::Debug for Rollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rollout").field(&*self.status.borrow()).finish()
    }
}

/// A command on a rollout; awaiting it carries it out.
///
/// # Errors
///
/// [`RolloutError`] if it is refused: then nothing has changed.
///
/// # Cancel safety
///
/// Dropped before it is polled, it does nothing; dropped later, it is carried out all the same.
#[must_use = "a command does nothing until it is awaited"]
#[derive(Debug)]
pub struct RolloutCommand {
    rollout: Rollout,
    order: Order,
}

impl RolloutCommand {
    term_setters! {
        order.terms;
        /// Says who gives the command.
        by,
        /// Names the command: the same one of that name again does nothing and gives the recorded
        /// result, refusals included; another one of that name is refused.
        request_id,
        /// Carries the command out only if the routing is at this revision.
        if_revision,
    }

    async fn carry_out(self) -> Result<(), RolloutError> {
        let Self { rollout, order } = self;
        let (reply, answer) = oneshot::channel();
        // An actor that is gone has ended the rollout, which the missing answer says.
        let _ = rollout.actor.cast(RolloutMessage::Order(order.clone(), reply));
        match answer.await {
            Ok(answer) => answer,
            Err(_) => rollout.refuse(order).await,
        }
    }
}

impl IntoFuture for RolloutCommand {
    type Output = Result<(), RolloutError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}
