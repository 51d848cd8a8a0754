//! The rollout machine step by step, and the statistics of its gates.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::{Rng, Timestamp};
use crate::id::VersionNumber;
use crate::version::Weight;

const SECOND: Duration = Duration::from_secs(1);
const CANDIDATE: VersionNumber = VersionNumber(2);
const ACTIVE: VersionNumber = VersionNumber(1);

fn of() -> RolloutOf {
    RolloutOf { graph: "g".into(), label: "beta".into(), version: CANDIDATE }
}

fn ending(is_failure: bool) -> Ending {
    if is_failure { Ending::Failure } else { Ending::Success }
}

/// A rollout under a clock that the test moves, whose moves are all carried out.
struct Driven {
    rollout: RolloutMachine,
    now: Timestamp,
    ended: u64,
    moves: Vec<Move>,
}

impl Driven {
    fn new(plan: RolloutPlan) -> Self {
        let now = Timestamp(1_000_000);
        let (rollout, first) = RolloutMachine::begin(of(), Arc::new(plan), now);
        let mut driven = Self { rollout, now, ended: 0, moves: Vec::new() };
        driven.carry_out(Some(Move::Share(0, first)));
        driven
    }

    fn carry_out(&mut self, wanted: Option<Move>) {
        if let Some(wanted) = wanted {
            self.moves.push(wanted.clone());
            self.rollout.done(wanted, self.now, self.ended);
        }
    }

    /// A second passes, and the gates say this.
    fn second(&mut self, verdict: Verdict) {
        self.now = self.now.after(SECOND);
        let wanted = self.rollout.tick(self.now, verdict, self.ended);
        self.carry_out(wanted);
    }

    fn seconds(&mut self, seconds: u32, verdict: &Verdict) {
        for _ in 0..seconds {
            self.second(verdict.clone());
        }
    }

    fn phase(&self) -> &RolloutPhase {
        self.rollout.phase()
    }

    fn weights(&self) -> Vec<u16> {
        let share = |wanted: &Move| match wanted {
            Move::Share(_, weight) => Some(weight.get()),
            _ => None,
        };
        self.moves.iter().filter_map(share).collect()
    }
}

fn canary() -> RolloutPlan {
    let step = |percent| Step::hold(Weight::percent(percent), 10 * SECOND);
    RolloutPlan::steps([step(1), step(10), step(50)])
}

fn unclear() -> Verdict {
    Verdict::inconclusive("too few")
}

#[test]
fn the_share_grows_only_after_a_pass() {
    let mut driven = Driven::new(canary());
    driven.seconds(60, &unclear());
    driven.seconds(60, &Verdict::error("no answer"));
    assert_eq!(driven.weights(), [100]);
    driven.second(Verdict::Pass);
    assert_eq!(driven.weights(), [100, 1_000]);
    driven.seconds(9, &Verdict::Pass);
    assert_eq!(driven.weights(), [100, 1_000], "each step holds for its own time");
    driven.seconds(20, &Verdict::Pass);
    assert_eq!(driven.weights(), [100, 1_000, 5_000]);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion);
}

#[test]
fn a_step_that_counts_runs_waits_for_its_own() {
    let runs = |percent| Step::runs(Weight::percent(percent), 100);
    let mut driven = Driven::new(RolloutPlan::steps([runs(10), runs(50)]));
    driven.ended = 100;
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(1));
    driven.ended = 199;
    driven.seconds(5, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(1));
    driven.ended = 200;
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion);
}

#[test]
fn a_fail_takes_the_version_back_also_while_it_is_paused() {
    for is_paused in [false, true] {
        let mut driven = Driven::new(canary());
        if is_paused {
            driven.rollout.pause(driven.now).unwrap();
        }
        driven.second(Verdict::fail("bad"));
        let end = RolloutEnd::Aborted("bad".into());
        assert_eq!(*driven.phase(), RolloutPhase::Ended(end.clone()));
        assert_eq!(driven.moves.last(), Some(&Move::TakeBack("bad".into())));
        assert_eq!(driven.rollout.abort("x".into()), Err(RolloutError::Ended { of: of(), end }));
        driven.seconds(100, &Verdict::Pass);
        assert_eq!(driven.moves.len(), 2, "nothing follows an end");
    }
}

#[test]
fn a_promotion_by_hand_is_refused_for_the_first_of_three_reasons() {
    let mut driven = Driven::new(RolloutPlan::blue_green());
    let promote = |driven: &Driven, holding| driven.rollout.promote(holding);
    let early = RolloutError::NotAwaitingPromotion { of: of(), phase: RolloutPhase::Step(0) };
    assert_eq!(promote(&driven, Holding::Lost), Err(early));
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion);
    driven.second(unclear());
    assert_eq!(promote(&driven, Holding::Lost), Err(RolloutError::NoCandidate { of: of() }));
    let unhealthy = RolloutError::NoHealthyCandidate { of: of(), verdict: unclear() };
    assert_eq!(promote(&driven, Holding::Own), Err(unhealthy));
    driven.second(Verdict::Pass);
    assert_eq!(promote(&driven, Holding::Own), Ok(Move::Promote));
}

#[test]
fn the_delay_of_a_promotion_starts_again_when_health_is_lost() {
    let mut driven = Driven::new(RolloutPlan::blue_green().promote_after(5 * SECOND));
    driven.seconds(5, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion, "it counts from the wait on");
    driven.second(unclear());
    driven.seconds(5, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion);
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Baking);
}

#[test]
fn nothing_is_promoted_by_itself_while_nothing_is_known() {
    let mut driven = Driven::new(RolloutPlan::blue_green().promote_after(Duration::ZERO));
    driven.seconds(1_000, &unclear());
    assert_eq!(driven.weights(), [0]);
    assert_eq!(*driven.phase(), RolloutPhase::Step(0));
}

#[test]
fn a_refused_move_waits_until_it_may_be_tried_again() {
    let mut driven = Driven::new(RolloutPlan::blue_green().promote_after(Duration::ZERO));
    driven.second(Verdict::Pass);
    driven.now = driven.now.after(SECOND);
    let wanted = driven.rollout.tick(driven.now, Verdict::Pass, 0);
    assert_eq!(wanted, Some(Move::Promote));
    driven.rollout.hold_back();
    driven.seconds(100, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::AwaitingPromotion);
    assert_eq!(
        driven.rollout.promote(Holding::Own),
        Ok(Move::Promote),
        "a person may try at any time"
    );
    driven.rollout.try_again();
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Baking);
}

#[test]
fn a_pause_stops_the_time_of_a_step() {
    let mut driven = Driven::new(canary());
    driven.seconds(5, &Verdict::Pass);
    driven.rollout.pause(driven.now).unwrap();
    driven.seconds(100, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(0));
    driven.rollout.resume(driven.now).unwrap();
    driven.seconds(4, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(0));
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(1));
}

#[test]
fn a_skip_ends_a_step_and_nothing_else() {
    let manual = Step::manual(Weight::percent(5));
    let mut driven = Driven::new(RolloutPlan::steps([manual, manual]));
    driven.seconds(100, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Step(0));
    for expected in [RolloutPhase::Step(1), RolloutPhase::AwaitingPromotion] {
        let wanted = driven.rollout.skip(driven.now).unwrap();
        driven.carry_out(wanted);
        assert_eq!(*driven.phase(), expected);
    }
    let phase = RolloutPhase::AwaitingPromotion;
    assert_eq!(
        driven.rollout.skip(driven.now),
        Err(RolloutError::NothingToSkip { of: of(), phase })
    );
}

#[test]
fn a_rollout_past_its_deadline_takes_its_version_back() {
    let mut driven = Driven::new(RolloutPlan::blue_green().deadline(30 * SECOND));
    driven.seconds(29, &Verdict::Pass);
    driven.rollout.pause(driven.now).unwrap();
    driven.second(Verdict::Pass);
    assert!(matches!(driven.phase(), RolloutPhase::Ended(RolloutEnd::Aborted(_))));
}

fn promoted(plan: RolloutPlan) -> Driven {
    let mut driven = Driven::new(plan.promote_after(Duration::ZERO));
    driven.seconds(2, &Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Baking);
    driven
}

#[test]
fn a_promotion_bakes_and_goes_back_on_a_fail() {
    let mut driven = promoted(RolloutPlan::blue_green().bake(60 * SECOND));
    driven.seconds(59, &Verdict::Pass);
    driven.seconds(100, &unclear());
    assert_eq!(*driven.phase(), RolloutPhase::Baking, "no data is no pass here, either");
    let mut other =
        Driven { moves: driven.moves.clone(), rollout: driven.rollout.clone(), ..driven };
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Ended(RolloutEnd::Completed));
    other.second(Verdict::fail("bad"));
    assert_eq!(other.moves.last(), Some(&Move::RollBack("bad".into())));
    assert_eq!(*other.phase(), RolloutPhase::Ended(RolloutEnd::RolledBack("bad".into())));
}

#[test]
fn a_promotion_that_is_not_verified_in_time_goes_back() {
    let mut driven = promoted(RolloutPlan::blue_green().bake(SECOND).deadline(30 * SECOND));
    driven.seconds(27, &Verdict::error("no answer"));
    assert_eq!(*driven.phase(), RolloutPhase::Baking);
    driven.second(Verdict::error("no answer"));
    assert!(matches!(driven.phase(), RolloutPhase::Ended(RolloutEnd::RolledBack(_))));
}

#[test]
fn a_promotion_that_nobody_confirms_goes_back() {
    let plan = || RolloutPlan::blue_green().bake(SECOND).confirm_within(10 * SECOND);
    let mut driven = promoted(plan());
    driven.seconds(10, &Verdict::Pass);
    assert!(matches!(driven.phase(), RolloutPhase::Ended(RolloutEnd::RolledBack(_))));
    let mut driven = promoted(plan());
    driven.seconds(9, &Verdict::Pass);
    driven.rollout.confirm(driven.now).unwrap();
    driven.second(Verdict::Pass);
    assert_eq!(*driven.phase(), RolloutPhase::Ended(RolloutEnd::Completed));
    let mut driven = promoted(RolloutPlan::blue_green());
    assert!(driven.rollout.confirm(driven.now).is_err(), "nothing is to be confirmed");
    let mut driven = promoted(plan());
    driven.now = driven.now.after(10 * SECOND);
    assert!(driven.rollout.confirm(driven.now).is_err(), "it comes too late");
    assert_eq!(driven.rollout.time_left(driven.now), Some(Duration::ZERO));
    driven.rollout.let_go(RolloutEnd::Superseded("another".into()));
    assert!(driven.rollout.is_ended());
}

/// How a canary gate judges a rollout whose candidate has so many runs before its promotion and so
/// many after it, looked at after each run.
fn looks(rng: &mut Rng, rates: (f64, f64), share: f64, [before, after]: [u64; 2]) -> Verdict {
    let gate = RunGate::not_worse(0.01);
    let mut evidence = Evidence::of(CANDIDATE, ACTIVE, Timestamp(0));
    let mut chance = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut is_promoted = false;
    while evidence.candidate().ends().ended < before + after {
        if !is_promoted && evidence.candidate().ends().ended == before {
            is_promoted = true;
            evidence.promoted();
        }
        let (version, rate) = match is_promoted || chance() < share {
            true => (CANDIDATE, rates.0),
            false => (ACTIVE, rates.1),
        };
        evidence.ended(version, RunEnd::new(Timestamp(0), Duration::ZERO, ending(chance() < rate)));
        if let Verdict::Fail(why) = gate.verdict(&evidence) {
            return Verdict::Fail(why);
        }
    }
    gate.verdict(&evidence)
}

fn failed(rollouts: u64, rates: (f64, f64), share: f64, runs: [u64; 2]) -> u64 {
    let is_failed =
        |seed| matches!(looks(&mut Rng::seeded(seed), rates, share, runs), Verdict::Fail(_));
    (0..rollouts).map(|seed| u64::from(is_failed(seed))).sum()
}

fn rollouts() -> u64 {
    if std::env::var_os("HOTGRAPH_SOAK").is_some() { 10_000 } else { 1_000 }
}

#[test]
fn of_equal_versions_hardly_any_is_aborted_however_often_one_looks() {
    for share in [0.1, 0.5] {
        let aborted = failed(rollouts(), (0.05, 0.05), share, [2_000, 2_000]);
        assert!(aborted * 1_000 <= rollouts() * 15, "{aborted} of {} at {share}", rollouts());
    }
}

#[test]
fn a_version_that_fails_twice_as_often_is_found_out_within_the_stated_number_of_runs() {
    for share in [0.1, 0.5] {
        let caught = failed(rollouts(), (0.10, 0.05), share, [2_000, 0]);
        assert!(caught * 100 >= rollouts() * 95, "{caught} of {} at {share}", rollouts());
    }
}

fn evidence(ends: &[(u64, bool)]) -> Evidence {
    let mut evidence = Evidence::of(CANDIDATE, ACTIVE, Timestamp(0));
    for &(second, failed) in ends {
        let at = Timestamp(0).after(SECOND * u32::try_from(second).unwrap());
        evidence.ended(CANDIDATE, RunEnd::new(at, SECOND, ending(failed)));
        evidence.at(at);
    }
    evidence
}

#[test]
fn a_failure_rate_looks_at_its_window_and_at_enough_runs() {
    let gate = RunGate::failure_rate(0.05).min_runs(10);
    assert!(matches!(gate.verdict(&evidence(&[])), Verdict::Inconclusive(_)), "no data is no pass");
    let early = (0..10).map(|_| (0, true));
    let late = (0..10).map(|_| (100, false));
    let both: Vec<_> = early.clone().chain(late).collect();
    assert_eq!(gate.verdict(&evidence(&both)), Verdict::Pass, "the failures are out of sight");
    let early: Vec<_> = early.collect();
    assert!(matches!(gate.verdict(&evidence(&early)), Verdict::Fail(_)));
    assert!(matches!(gate.verdict(&evidence(&early[..9])), Verdict::Inconclusive(_)));
}

#[test]
fn failures_in_a_row_end_with_a_success() {
    let gate = RunGate::failures_in_a_row(3);
    let ends =
        |failed: &[bool]| evidence(&failed.iter().map(|failed| (0, *failed)).collect::<Vec<_>>());
    assert!(matches!(gate.verdict(&ends(&[])), Verdict::Inconclusive(_)));
    assert_eq!(gate.verdict(&ends(&[true, true, false, true, true])), Verdict::Pass);
    assert!(matches!(gate.verdict(&ends(&[false, true, true, true])), Verdict::Fail(_)));
}

#[test]
fn a_latency_has_a_ceiling_for_a_share_of_the_runs() {
    let slow = evidence(&[(0, false); 20]);
    assert_eq!(RunGate::latency(SECOND, 0.0).verdict(&slow), Verdict::Pass);
    let gate = RunGate::latency(SECOND / 2, 0.5);
    assert!(matches!(gate.verdict(&slow), Verdict::Fail(_)));
}

#[test]
fn a_refused_start_is_a_failure_and_no_run_that_was_fast() {
    let mut evidence = evidence(&[(0, false); 20]);
    let late = RunEnd::new(Timestamp(0), 9 * SECOND, Ending::Success);
    (0..6).for_each(|_| evidence.ended(CANDIDATE, late));
    let latency = RunGate::latency(SECOND, 0.2);
    assert!(matches!(latency.verdict(&evidence), Verdict::Fail(_)), "6 of 26");
    (0..20).for_each(|_| evidence.ended(CANDIDATE, RunEnd::refused(Timestamp(0))));
    assert!(matches!(latency.verdict(&evidence), Verdict::Fail(_)), "still 6 of 26");
    assert_eq!(evidence.candidate().failed_in_a_row(), 20);
    assert!(matches!(RunGate::failure_rate(0.4).verdict(&evidence), Verdict::Fail(_)));
}

#[test]
fn the_gravest_verdict_counts() {
    let verdicts = [Verdict::Pass, Verdict::error("e"), Verdict::fail("f"), unclear()];
    assert_eq!(Verdict::gravest(verdicts.clone()), Verdict::fail("f"));
    assert_eq!(Verdict::gravest(verdicts[..2].to_vec()), Verdict::error("e"));
    assert_eq!(Verdict::gravest([]), Verdict::Pass);
}
