//! What a rollout is to do: steps, gates, times.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::gate::{HealthGate, Probe, Verdict};
use crate::version::Weight;

/// A share of the starts, and what has to happen before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub(super) weight: Weight,
    pub(super) hold: Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Time(Duration),
    Runs(u64),
    Manual,
}

impl Step {
    /// Holds the share for this long.
    #[must_use]
    pub const fn hold(weight: Weight, time: Duration) -> Self {
        Self { weight, hold: Hold::Time(time) }
    }

    /// Holds the share until so many runs of the candidate have ended, counted from this step on.
    #[must_use]
    pub const fn runs(weight: Weight, runs: u64) -> Self {
        Self { weight, hold: Hold::Runs(runs) }
    }

    /// Holds the share until somebody skips to the next step.
    #[must_use]
    pub const fn manual(weight: Weight) -> Self {
        Self { weight, hold: Hold::Manual }
    }
}

/// A gate, and its name as it was when the plan took it.
#[derive(Clone)]
pub(crate) struct NamedGate {
    pub name: Arc<str>,
    pub gate: Arc<dyn HealthGate>,
}

/// How a version becomes the active one of a label, in steps that its health decides on.
///
/// A rollout goes through the steps, waits for its promotion, and then bakes: it keeps watching for
/// a while, and goes back by itself if a gate fails. A step ends when its hold is over and every
/// gate passes; no data is no pass.
#[derive(Clone)]
#[must_use = "a plan does nothing until a version is rolled out by it"]
pub struct RolloutPlan {
    pub(super) steps: Vec<Step>,
    pub(super) gates: Vec<NamedGate>,
    pub(super) bake: Duration,
    pub(super) deadline: Option<Duration>,
    pub(super) promote_after: Option<Duration>,
    pub(super) confirm_within: Option<Duration>,
    pub(super) every: Duration,
}

impl RolloutPlan {
    /// Stages the version at a share of none, and waits for a promotion by hand.
    ///
    /// Until then only starts that name the version get it.
    pub fn blue_green() -> Self {
        Self::steps([])
    }

    /// Gives the version a share of the starts that never shrinks, then waits for a promotion by hand.
    ///
    /// Without any step it is [`blue_green`](Self::blue_green).
    pub fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut steps: Vec<_> = steps.into_iter().collect();
        if steps.is_empty() {
            steps.push(Step::hold(Weight::default(), Duration::ZERO));
        }
        Self {
            steps,
            gates: Vec::new(),
            bake: Duration::from_secs(60),
            deadline: None,
            promote_after: None,
            confirm_within: None,
            every: Duration::from_secs(1),
        }
    }

    /// Adds a gate; a rollout goes on only while every gate passes.
    pub fn gate(mut self, gate: impl HealthGate) -> Self {
        self.gates.push(NamedGate { name: gate.name().into(), gate: Arc::new(gate) });
        self
    }

    /// Adds a gate that asks something else than the runs, such as a request to the new version.
    pub fn probe<F, Fut>(self, name: impl Into<Arc<str>>, probe: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Verdict> + Send + 'static,
    {
        self.gate(Probe::new(name.into(), probe))
    }

    /// Sets how long it keeps watching after the promotion, at least: it completes when every gate
    /// passes then. 60 s unless set.
    pub const fn bake(mut self, time: Duration) -> Self {
        self.bake = time;
        self
    }

    /// Takes the version back, promoted or not, if the rollout does not complete within this time;
    /// never, unless set. It has to leave time for every hold, and for the bake or the confirmation.
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Promotes by itself when every gate has passed for so long while it waited.
    pub const fn promote_after(mut self, delay: Duration) -> Self {
        self.promote_after = Some(delay);
        self
    }

    /// Goes back unless the promotion is confirmed within this time.
    pub const fn confirm_within(mut self, time: Duration) -> Self {
        self.confirm_within = Some(time);
        self
    }

    /// Sets how often the gates are asked; every second unless set, every millisecond at most.
    pub const fn check_every(mut self, time: Duration) -> Self {
        let least = Duration::from_millis(1);
        self.every = if time.as_nanos() < least.as_nanos() { least } else { time };
        self
    }

    pub(crate) fn gates(&self) -> &[NamedGate] {
        &self.gates
    }

    /// Why nothing can be rolled out by the plan, if that is so.
    pub(crate) fn problem(&self) -> Option<String> {
        let wrong = |gate: &NamedGate| Some(format!("{}: {}", gate.name, gate.gate.problem()?));
        let gate = self.gates.iter().find_map(wrong);
        gate.or_else(|| self.shrinking()).or_else(|| self.untimely())
    }

    /// A step back would take starts from the version that have met it.
    fn shrinking(&self) -> Option<String> {
        let smaller = self.steps.windows(2).position(|pair| pair[1].weight < pair[0].weight);
        // People count from one.
        smaller.map(|at| format!("step {} has a smaller share than the one before it", at + 2))
    }

    /// What no rollout has the time for.
    fn untimely(&self) -> Option<String> {
        if self.confirm_within == Some(Duration::ZERO) {
            return Some("nobody can confirm it within 0 ms".to_owned());
        }
        let holds = self.steps.iter().filter_map(|step| match step.hold {
            Hold::Time(time) => Some(time),
            Hold::Runs(_) | Hold::Manual => None,
        });
        let promoted =
            holds.chain(self.promote_after).fold(Duration::ZERO, Duration::saturating_add);
        let watched = self.bake.max(self.confirm_within.unwrap_or_default());
        let least = promoted.saturating_add(watched);
        let late = self.deadline.filter(|deadline| *deadline <= least)?.as_millis();
        let (promoted, watched) = (promoted.as_millis(), watched.as_millis());
        Some(format!(
            "its deadline of {late} ms is over before it was held for {promoted} ms and watched for \
             {watched} ms"
        ))
    }

    pub(crate) const fn interval(&self) -> Duration {
        self.every
    }
}

impl fmt::Debug for RolloutPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gates: Vec<_> = self.gates.iter().map(|gate| &gate.name).collect();
        f.debug_struct("RolloutPlan")
            .field("steps", &self.steps)
            .field("gates", &gates)
            .field("bake", &self.bake)
            .field("deadline", &self.deadline)
            .field("promote_after", &self.promote_after)
            .field("confirm_within", &self.confirm_within)
            .field("every", &self.every)
            .finish()
    }
}
