//! The table of orders and phases is total: each pair is carried out, or refused for its own reason.

use std::sync::Arc;
use std::time::Duration;

use super::RolloutOrder::{self, Abort, Confirm, Pause, Promote, Resume, Skip};
use crate::clock::Timestamp;
use crate::id::VersionNumber;
use crate::version::rollout::{
    Holding, Move, RolloutError, RolloutMachine, RolloutOf, RolloutPlan, Step, Verdict,
};
use crate::version::{RolloutPhase, Weight};

/// Whether an order is refused, for the reason that is its own.
fn is_refused(rollout: &RolloutMachine, order: RolloutOrder, now: Timestamp) -> bool {
    match (order, rollout.clone().order(order, Holding::Own, None, now)) {
        (_, Ok(_)) => false,
        (Promote, Err(RolloutError::NotAwaitingPromotion { phase, .. }))
        | (Skip, Err(RolloutError::NothingToSkip { phase, .. }))
        | (Confirm, Err(RolloutError::NothingToConfirm { phase, .. })) => {
            assert_eq!(phase, *rollout.phase());
            true
        }
        (_, Err(RolloutError::Ended { end, .. })) => {
            assert_eq!(RolloutPhase::Ended(end), *rollout.phase());
            true
        }
        (_, Err(other)) => panic!("{order}: {other}"),
    }
}

#[test]
fn every_order_has_an_answer_in_every_phase() {
    let of = RolloutOf { graph: "g".into(), label: "beta".into(), version: VersionNumber(2) };
    let plan = RolloutPlan::steps([Step::manual(Weight::percent(5))]);
    let plan = plan.confirm_within(Duration::from_secs(10));
    let now = Timestamp(1_000_000);
    let (mut rollout, first) = RolloutMachine::begin(of, Arc::new(plan), now);
    rollout.done(Move::Share(0, first), now, 0);
    // What each phase takes, first the order that leads to the next one.
    let phases: [&[RolloutOrder]; 4] = [
        &[Skip, Abort, Pause, Resume],
        &[Promote, Abort, Pause, Resume],
        &[Abort, Confirm, Pause, Resume],
        &[],
    ];
    for taken in phases {
        assert_eq!(rollout.tick(now, Verdict::Pass, 0), None);
        for order in [Promote, Abort, Pause, Resume, Skip, Confirm] {
            let expected = !taken.contains(&order);
            assert_eq!(is_refused(&rollout, order, now), expected, "{order}: {}", rollout.phase());
        }
        if let Some(order) = taken.first()
            && let Some(wanted) = rollout.order(*order, Holding::Own, None, now).unwrap()
        {
            rollout.done(wanted, now, 0);
        }
    }
    assert!(rollout.is_ended());
}
