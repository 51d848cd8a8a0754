//! A rollout as a plain state machine: time, health and commands in, moves on the routing out.
//!
//! Invariants:
//! 1. The share grows, the version is promoted and the rollout completes only after a `Pass`; a skip
//!    alone needs none.
//! 2. A move is proposed and then reported as done: a refused one leaves the rollout where it was.
//! 3. A rollout that has ended proposes nothing and takes no command.

use std::sync::Arc;
use std::time::Duration;

use super::error::{RolloutError, RolloutOf};
use super::gate::Verdict;
use super::order::RolloutOrder;
use super::phase::{RolloutEnd, RolloutPhase};
use super::plan::{Hold, RolloutPlan};
use crate::clock::Timestamp;
use crate::version::Weight;

/// What a rollout wants to be done to the routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The candidate gets this share, in this step.
    Share(usize, Weight),
    Promote,
    /// The candidate is taken back before its promotion.
    TakeBack(Arc<str>),
    /// The promotion is taken back.
    RollBack(Arc<str>),
}

/// Whether the label leads to the version as the rollout left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    Own,
    Lost,
}

/// One rollout.
#[derive(Clone, Debug)]
pub(crate) struct RolloutMachine {
    of: RolloutOf,
    plan: Arc<RolloutPlan>,
    phase: RolloutPhase,
    began: Timestamp,
    /// When the phase was entered.
    entered: Timestamp,
    /// How many runs of the candidate had ended then.
    ended_before: u64,
    /// Since when the rollout is paused, and how long it was before in this phase.
    paused: Option<Timestamp>,
    paused_for: Duration,
    /// Since when every gate passes.
    healthy_since: Option<Timestamp>,
    verdict: Verdict,
    is_confirmed: bool,
    /// A move that it wanted by itself was refused: until that may have changed, it waits.
    is_held_back: bool,
}

impl RolloutMachine {
    /// A rollout and the share of its first step.
    pub(crate) fn begin(of: RolloutOf, plan: Arc<RolloutPlan>, now: Timestamp) -> (Self, Weight) {
        let first = plan.steps[0].weight;
        let rollout = Self {
            of,
            plan,
            phase: RolloutPhase::Step(0),
            began: now,
            entered: now,
            ended_before: 0,
            paused: None,
            paused_for: Duration::ZERO,
            healthy_since: None,
            verdict: Verdict::inconclusive("no gate was asked yet"),
            is_confirmed: false,
            is_held_back: false,
        };
        (rollout, first)
    }

    pub(crate) const fn of(&self) -> &RolloutOf {
        &self.of
    }

    pub(crate) const fn phase(&self) -> &RolloutPhase {
        &self.phase
    }

    pub(crate) const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.phase, RolloutPhase::Ended(_))
    }

    /// Time has passed, and the gates were asked; `ended` runs of the candidate have ended so far.
    pub(crate) fn tick(&mut self, now: Timestamp, verdict: Verdict, ended: u64) -> Option<Move> {
        self.healthy_since = (verdict == Verdict::Pass).then(|| self.healthy_since.unwrap_or(now));
        self.verdict = verdict;
        if self.is_ended() {
            return None;
        }
        if let Verdict::Fail(why) = &self.verdict {
            return Some(self.back(why.clone()));
        }
        if self.is_overdue(now) {
            return Some(self.back("it did not end before its deadline".into()));
        }
        if self.phase == RolloutPhase::Baking {
            return self.bake(now);
        }
        if self.is_paused() || self.is_held_back || self.healthy_since.is_none() {
            return None;
        }
        match self.phase {
            RolloutPhase::Step(step) if self.is_held(step, now, ended) => self.after(step, now),
            RolloutPhase::AwaitingPromotion if self.is_due(now) => Some(Move::Promote),
            _ => None,
        }
    }

    /// The move was carried out when `ended` runs of the candidate had ended.
    pub(crate) fn done(&mut self, done: Move, now: Timestamp, ended: u64) {
        self.enter(
            match done {
                Move::Share(step, _) => RolloutPhase::Step(step),
                Move::Promote => RolloutPhase::Baking,
                Move::TakeBack(why) => RolloutPhase::Ended(RolloutEnd::Aborted(why)),
                Move::RollBack(why) => RolloutPhase::Ended(RolloutEnd::RolledBack(why)),
            },
            now,
        );
        self.ended_before = ended;
        self.is_held_back = false;
    }

    /// A move that the rollout wanted by itself was refused.
    pub(crate) const fn hold_back(&mut self) {
        self.is_held_back = true;
    }

    /// What was refused may be accepted by now.
    pub(crate) const fn try_again(&mut self) {
        self.is_held_back = false;
    }

    /// Ends without a move: the rollout lets go of the label as it is.
    pub(crate) fn let_go(&mut self, end: RolloutEnd) {
        if !self.is_ended() {
            self.phase = RolloutPhase::Ended(end);
        }
    }

    /// Takes an order; what it comes to for the label, if anything.
    pub(crate) fn order(
        &mut self,
        order: RolloutOrder,
        holding: Holding,
        why: Option<Arc<str>>,
        now: Timestamp,
    ) -> Result<Option<Move>, RolloutError> {
        match order {
            RolloutOrder::Promote => self.promote(holding).map(Some),
            RolloutOrder::Abort => {
                self.abort(why.unwrap_or_else(|| "it was aborted".into())).map(Some)
            }
            RolloutOrder::Pause => self.pause(now).map(|()| None),
            RolloutOrder::Resume => self.resume(now).map(|()| None),
            RolloutOrder::Skip => self.skip(now),
            RolloutOrder::Confirm => self.confirm(now).map(|()| None),
        }
    }

    /// Promotes by hand.
    pub(crate) fn promote(&self, holding: Holding) -> Result<Move, RolloutError> {
        self.live()?;
        let of = self.of.clone();
        if self.phase != RolloutPhase::AwaitingPromotion {
            return Err(RolloutError::NotAwaitingPromotion { of, phase: self.phase.clone() });
        }
        if holding == Holding::Lost {
            return Err(RolloutError::NoCandidate { of });
        }
        match self.healthy_since {
            Some(_) => Ok(Move::Promote),
            None => Err(RolloutError::NoHealthyCandidate { of, verdict: self.verdict.clone() }),
        }
    }

    /// Ends the rollout: the version is taken back, or its promotion is.
    pub(crate) fn abort(&self, why: Arc<str>) -> Result<Move, RolloutError> {
        self.live()?;
        Ok(self.back(why))
    }

    /// Holds the rollout where it is; gates that fail still take the version back.
    pub(crate) fn pause(&mut self, now: Timestamp) -> Result<(), RolloutError> {
        self.live()?;
        self.paused.get_or_insert(now);
        Ok(())
    }

    /// Goes on; the time of the pause does not count.
    pub(crate) fn resume(&mut self, now: Timestamp) -> Result<(), RolloutError> {
        self.live()?;
        if let Some(since) = self.paused.take() {
            self.paused_for += now.since(since);
        }
        Ok(())
    }

    /// Goes on to the next step, whatever the hold and the gates of this one say.
    pub(crate) fn skip(&mut self, now: Timestamp) -> Result<Option<Move>, RolloutError> {
        self.live()?;
        match self.phase {
            RolloutPhase::Step(step) => Ok(self.after(step, now)),
            _ => {
                Err(RolloutError::NothingToSkip { of: self.of.clone(), phase: self.phase.clone() })
            }
        }
    }

    /// Makes the promotion stay.
    pub(crate) fn confirm(&mut self, now: Timestamp) -> Result<(), RolloutError> {
        self.live()?;
        match self.plan.confirm_within {
            Some(limit)
                if self.phase == RolloutPhase::Baking && now.since(self.entered) < limit =>
            {
                self.is_confirmed = true;
                Ok(())
            }
            _ => Err(RolloutError::NothingToConfirm {
                of: self.of.clone(),
                phase: self.phase.clone(),
            }),
        }
    }

    /// How long until the rollout goes back because time is up, if it does.
    pub(crate) fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let deadline = self.plan.deadline.map(|limit| self.began.after(limit));
        let is_open = self.phase == RolloutPhase::Baking && !self.is_confirmed;
        let confirm = self.plan.confirm_within.filter(|_| is_open);
        let confirm = confirm.map(|limit| self.entered.after(limit));
        [deadline, confirm].into_iter().flatten().min().map(|limit| limit.since(now))
    }

    fn live(&self) -> Result<(), RolloutError> {
        match &self.phase {
            RolloutPhase::Ended(end) => {
                Err(RolloutError::Ended { of: self.of.clone(), end: end.clone() })
            }
            _ => Ok(()),
        }
    }

    fn back(&self, why: Arc<str>) -> Move {
        match self.phase {
            RolloutPhase::Baking => Move::RollBack(why),
            _ => Move::TakeBack(why),
        }
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        self.plan.deadline.is_some_and(|deadline| now.since(self.began) >= deadline)
    }

    /// How long the phase has lasted, pauses left out.
    fn lasted(&self, now: Timestamp) -> Duration {
        let paused = self.paused.map_or(Duration::ZERO, |since| now.since(since));
        now.since(self.entered).saturating_sub(self.paused_for + paused)
    }

    fn is_held(&self, step: usize, now: Timestamp, ended: u64) -> bool {
        match self.plan.steps[step].hold {
            Hold::Time(time) => self.lasted(now) >= time,
            Hold::Runs(runs) => ended.saturating_sub(self.ended_before) >= runs,
            Hold::Manual => false,
        }
    }

    fn after(&mut self, step: usize, now: Timestamp) -> Option<Move> {
        let next = step + 1;
        match self.plan.steps.get(next) {
            Some(following) => Some(Move::Share(next, following.weight)),
            None => {
                self.enter(RolloutPhase::AwaitingPromotion, now);
                None
            }
        }
    }

    /// Whether the version was well for long enough to be promoted by itself.
    fn is_due(&self, now: Timestamp) -> bool {
        let Some(delay) = self.plan.promote_after else { return false };
        let healthy = self.healthy_since.map_or(Duration::ZERO, |since| now.since(since));
        healthy.min(self.lasted(now)) >= delay
    }

    fn bake(&mut self, now: Timestamp) -> Option<Move> {
        let lasted = now.since(self.entered);
        match self.plan.confirm_within {
            Some(limit) if !self.is_confirmed => {
                (lasted >= limit).then(|| Move::RollBack("it was not confirmed in time".into()))
            }
            _ => {
                if lasted >= self.plan.bake && self.healthy_since.is_some() {
                    self.enter(RolloutPhase::Ended(RolloutEnd::Completed), now);
                }
                None
            }
        }
    }

    fn enter(&mut self, phase: RolloutPhase, now: Timestamp) {
        self.phase = phase;
        self.entered = now;
        self.paused_for = Duration::ZERO;
        self.paused = self.paused.map(|_| now);
    }
}
