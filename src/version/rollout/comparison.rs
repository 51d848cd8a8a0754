//! Whether a candidate fails more often than the active version: a test that may be looked at always.
//!
//! It is a bet. The ends of runs come in blocks that hold some of both versions, and each block
//! gives the difference `d` of the shares that failed. Whoever stakes the part `b` of a capital on
//! the candidate being worse has it multiplied by `1 + b * d`. While the candidate is no worse, the
//! capital is not expected to grow, so by Ville's inequality it ever exceeds `1 / alpha` with a
//! probability of at most `alpha`, however often it is looked at (Ramdas, Gruenwald, Vovk and Shafer,
//! "Game-theoretic statistics and safe anytime-valid inference", 2023).

/// The parts of the capital that are staked: the capital starts evenly spread over them.
///
/// Small stakes grow best on small differences, large ones on large differences.
const STAKES: [f64; 6] = [0.1, 0.25, 0.4, 0.55, 0.75, 0.95];

/// How a run ended that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    Failure,
}

/// Runs that ended, and how many of them as a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// All that ended as `SUCCESS`, `FAILED` or `TIMED_OUT`.
    pub ended: u64,
    /// Those that did not end as `SUCCESS`.
    pub failed: u64,
}

impl Ending {
    const fn failures(self) -> u64 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
        }
    }
}

impl Ends {
    /// Counts one more.
    pub(crate) const fn count(&mut self, ending: Ending) {
        self.ended += 1;
        self.failed += ending.failures();
    }

    /// The share that failed, 0 to 1; `None` as long as nothing has ended.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 runs the share is as good")]
    pub fn failure_rate(&self) -> Option<f64> {
        (self.ended > 0).then(|| self.failed as f64 / self.ended as f64)
    }

    /// A bound that the true share that fails is above with a probability of 0.1 %: the upper end of
    /// Wilson's score interval, 1 as long as nothing has ended.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    pub fn failure_rate_at_most(&self) -> f64 {
        const Z: f64 = 3.09;
        let Some(rate) = self.failure_rate() else { return 1.0 };
        let ended = self.ended as f64;
        let spread = rate.mul_add(1.0 - rate, Z * Z / (4.0 * ended)) / ended;
        let middle = rate + Z * Z / (2.0 * ended);
        ((middle + Z * spread.sqrt()) / (1.0 + Z * Z / ended)).min(1.0)
    }
}

/// The evidence so far that a candidate fails more often than the active version.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The block that is open.
    candidate: Ends,
    active: Ends,
    /// The failure rate of the active version, once it gets no more runs.
    baseline: Option<f64>,
    /// The logarithm of what each stake has made of its share of the capital.
    capital: [f64; STAKES.len()],
}

impl Default for Comparison {
    fn default() -> Self {
        let (candidate, active) = (Ends::default(), Ends::default());
        Self { candidate, active, baseline: None, capital: [0.0; STAKES.len()] }
    }
}

impl Comparison {
    /// A run of the candidate ended.
    pub(crate) fn candidate(&mut self, ending: Ending) {
        if let Some(baseline) = self.baseline {
            return self.bet(if ending == Ending::Failure { 1.0 } else { 0.0 } - baseline);
        }
        self.candidate.count(ending);
        self.close_block();
    }

    /// The active version, which ended so many runs, gets no more of them: from now on the candidate
    /// is compared with what it may have failed at most.
    pub(crate) fn close_active(&mut self, active: Ends) {
        // Without a run it may have failed always, and nothing is worse.
        self.baseline = Some(active.failure_rate_at_most());
    }

    /// A run of the active version ended.
    pub(crate) fn active(&mut self, ending: Ending) {
        self.active.count(ending);
        self.close_block();
    }

    fn close_block(&mut self) {
        let rates = self.candidate.failure_rate().zip(self.active.failure_rate());
        let Some((candidate, active)) = rates else { return };
        self.bet(candidate - active);
        (self.candidate, self.active) = (Ends::default(), Ends::default());
    }

    fn bet(&mut self, difference: f64) {
        for (capital, stake) in self.capital.iter_mut().zip(STAKES) {
            *capital += (stake * difference).ln_1p();
        }
    }

    /// How strong the evidence is that the candidate is worse: 1 at first, and above `1 / alpha` ever
    /// with a probability of at most `alpha` while it is no worse.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        let stakes = self.capital.len() as f64;
        self.capital.iter().map(|capital| capital.exp()).sum::<f64>() / stakes
    }
}
