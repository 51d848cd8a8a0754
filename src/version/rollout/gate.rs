//! Health gates: what says whether a candidate is well enough to go on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::comparison::{Ending, Ends};
use super::evidence::{Evidence, RunEnd};

/// What a gate says of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is well. Nothing else lets a rollout go on.
    Pass,
    /// It is not: the rollout takes it back.
    Fail(Arc<str>),
    /// It cannot be told yet: too few runs, or runs that say neither.
    Inconclusive(Arc<str>),
    /// The gate itself failed to find out.
    Error(Arc<str>),
}

impl Verdict {
    /// It is not well, for this reason.
    pub fn fail(why: impl Into<Arc<str>>) -> Self {
        Self::Fail(why.into())
    }

    /// It cannot be told yet, for this reason.
    pub fn inconclusive(why: impl Into<Arc<str>>) -> Self {
        Self::Inconclusive(why.into())
    }

    /// The gate failed to find out, for this reason.
    pub fn error(why: impl Into<Arc<str>>) -> Self {
        Self::Error(why.into())
    }

    /// The same verdict, with the name of the gate that gave it.
    pub(crate) fn of(self, gate: &str) -> Self {
        let named = |why: Arc<str>| format!("{gate}: {why}").into();
        match self {
            Self::Pass => Self::Pass,
            Self::Fail(why) => Self::Fail(named(why)),
            Self::Inconclusive(why) => Self::Inconclusive(named(why)),
            Self::Error(why) => Self::Error(named(why)),
        }
    }

    /// How much a verdict counts among several: the gravest is that of the rollout.
    const fn gravity(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Inconclusive(_) => 1,
            Self::Error(_) => 2,
            Self::Fail(_) => 3,
        }
    }

    /// The gravest of several; without any it passes.
    pub(crate) fn gravest(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max_by_key(Self::gravity).unwrap_or(Self::Pass)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Fail(why) => write!(f, "fail: {why}"),
            Self::Inconclusive(why) => write!(f, "inconclusive: {why}"),
            Self::Error(why) => write!(f, "error: {why}"),
        }
    }
}

/// A verdict on its way.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Judges a candidate; asked again and again while its rollout lasts.
///
/// One that does not answer within ten seconds, or panics, counts as [`Verdict::Error`].
pub trait HealthGate: Send + Sync + 'static {
    /// A name for messages; asked for once, when a plan takes the gate.
    fn name(&self) -> &str;

    /// What is wrong with the gate itself, such as a share above one; a plan with it is refused.
    fn problem(&self) -> Option<String> {
        None
    }

    /// Judges by the runs that have ended, or by whatever else the gate looks at.
    fn judge<'a>(&'a self, evidence: &'a Evidence) -> Judging<'a>;
}

/// The gates that judge by the ends of runs.
#[derive(Clone, Debug)]
#[must_use = "a gate judges nothing until a plan has it"]
pub struct RunGate {
    rule: Rule,
    min_runs: u64,
    window: Duration,
}

#[derive(Clone, Debug)]
enum Rule {
    FailureRate { max: f64 },
    InARow { max: u64 },
    Worse { alpha: f64 },
    Latency { ceiling: Duration, share: f64 },
}

impl RunGate {
    /// Fails if more than this share (0 to 1) of the candidate's runs fail; 5 % is usual.
    ///
    /// It looks at 60 s and needs 20 runs, unless told otherwise.
    pub const fn failure_rate(max: f64) -> Self {
        Self::new(Rule::FailureRate { max }, 20)
    }

    /// Fails if so many runs of the candidate fail one after another; 5 is usual, and 1 at least.
    ///
    /// It passes when a run has ended, unless told to wait for more.
    pub const fn failures_in_a_row(max: u64) -> Self {
        Self::new(Rule::InARow { max: if max == 0 { 1 } else { max } }, 1)
    }

    /// Fails if the candidate fails more often than the version that was active before, over the same
    /// time; once it is promoted, than that version may have failed until then.
    ///
    /// `alpha` is the probability, over the whole rollout and however often it is looked at, that a
    /// candidate fails the gate that is no worse; 0.01 is usual. A candidate that fails in 10 % of
    /// its runs beside others that fail in 5 % is found out within 2,000 of its runs with a
    /// probability of 95 %, as long as at most half of the starts go to it. The gate needs 100 runs
    /// of the candidate to pass, unless told otherwise.
    pub const fn not_worse(alpha: f64) -> Self {
        Self::new(Rule::Worse { alpha }, 100)
    }

    /// Fails if more than this share (0 to 1) of the candidate's runs take longer than `ceiling`.
    ///
    /// It looks at 60 s and needs 20 runs, unless told otherwise.
    pub const fn latency(ceiling: Duration, share: f64) -> Self {
        Self::new(Rule::Latency { ceiling, share }, 20)
    }

    const fn new(rule: Rule, min_runs: u64) -> Self {
        Self { rule, min_runs, window: Duration::from_secs(60) }
    }

    /// Sets how many runs of the candidate it takes to pass or fail: one at least.
    pub const fn min_runs(mut self, runs: u64) -> Self {
        self.min_runs = if runs == 0 { 1 } else { runs };
        self
    }

    /// Sets how far back rates and latencies look.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Judges by the runs that have ended.
    #[must_use]
    pub fn verdict(&self, evidence: &Evidence) -> Verdict {
        match self.rule {
            Rule::FailureRate { max } => {
                self.share(evidence, max, "failed", |end| Some(end.ending()))
            }
            Rule::Latency { ceiling, share } => {
                let ending = |is_late| if is_late { Ending::Failure } else { Ending::Success };
                // A start that was refused took no time, and says nothing of how long runs take.
                let is_late = |end: &RunEnd| (!end.refused).then(|| ending(end.took > ceiling));
                self.share(evidence, share, "took too long", is_late)
            }
            Rule::InARow { max } => match evidence.candidate().failed_in_a_row() {
                failed if failed >= max => Verdict::fail(format!("{failed} runs failed in a row")),
                _ => self.enough(evidence.candidate().ends().ended),
            },
            Rule::Worse { alpha } => self.worse(evidence, alpha),
        }
    }

    fn share(
        &self,
        evidence: &Evidence,
        max: f64,
        what: &str,
        judged: impl Fn(&RunEnd) -> Option<Ending>,
    ) -> Verdict {
        let mut ends = Ends::default();
        let recent = evidence.candidate().within(self.window, evidence.now());
        recent.filter_map(judged).for_each(|ending| ends.count(ending));
        let enough = self.enough(ends.ended);
        match ends.failure_rate() {
            Some(rate) if enough == Verdict::Pass && rate > max => {
                Verdict::fail(format!("{} of {} runs {what}", ends.failed, ends.ended))
            }
            _ => enough,
        }
    }

    fn worse(&self, evidence: &Evidence, alpha: f64) -> Verdict {
        let strength = evidence.comparison().evidence();
        let (candidate, active) = (evidence.candidate().ends(), evidence.active().ends());
        let told = || {
            format!(
                "{} of {} runs failed, beside {} of {} on the active version",
                candidate.failed, candidate.ended, active.failed, active.ended
            )
        };
        if strength * alpha >= 1.0 {
            return Verdict::fail(told());
        }
        // Half way to a failure it is too early to say that all is well.
        if strength * strength * alpha >= 1.0 {
            return Verdict::inconclusive(told());
        }
        self.enough(candidate.ended.min(active.ended))
    }

    fn enough(&self, runs: u64) -> Verdict {
        if runs >= self.min_runs {
            return Verdict::Pass;
        }
        Verdict::inconclusive(format!("{runs} of {} runs have ended", self.min_runs))
    }
}

impl HealthGate for RunGate {
    fn name(&self) -> &str {
        match self.rule {
            Rule::FailureRate { .. } => "failure rate",
            Rule::InARow { .. } => "failures in a row",
            Rule::Worse { .. } => "not worse",
            Rule::Latency { .. } => "latency",
        }
    }

    fn problem(&self) -> Option<String> {
        let (what, share) = match self.rule {
            Rule::FailureRate { max } => ("the share that may fail", max),
            Rule::Latency { share, .. } => ("the share that may take too long", share),
            Rule::Worse { alpha } => ("alpha", alpha),
            Rule::InARow { .. } => return None,
        };
        let is_alpha = matches!(self.rule, Rule::Worse { .. });
        let is_right = (0.0..1.0).contains(&share) && !(is_alpha && share == 0.0);
        (!is_right).then(|| format!("{what} is {share}, and not a share between 0 and 1"))
    }

    fn judge<'a>(&'a self, evidence: &'a Evidence) -> Judging<'a> {
        Box::pin(std::future::ready(self.verdict(evidence)))
    }
}

/// A gate that asks something else than the runs, such as a probe that starts one.
pub(super) struct Probe<F> {
    name: Arc<str>,
    probe: F,
}

impl<F> Probe<F> {
    pub(super) const fn new(name: Arc<str>, probe: F) -> Self {
        Self { name, probe }
    }
}

impl<F, Fut> HealthGate for Probe<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Verdict> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn judge<'a>(&'a self, _: &'a Evidence) -> Judging<'a> {
        Box::pin((self.probe)())
    }
}
