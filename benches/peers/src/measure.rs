//! Wall time: samples of a case, and medians over repetitions in shuffled order.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::peers::Case;

/// How often each case is measured.
pub const REPETITIONS: usize = 11;

/// A sample holds as many runs as fit into this time, up to [`MOST_RUNS`].
const SAMPLE: Duration = Duration::from_millis(4);

/// More runs at once would measure the memory that graphs made for one run each lie in.
const MOST_RUNS: usize = 200;

/// A sample that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs of a case before the first sample, unless one of them fills a sample.
const WARM_UP: usize = 3;

/// The median of each of `count` cases.
///
/// Every repetition visits all of them in an order of its own, so that a slow moment of the machine
/// does not fall on one case alone.
pub fn medians(count: usize, mut sample: impl FnMut(usize) -> Duration) -> Vec<Duration> {
    let mut samples = vec![Vec::with_capacity(REPETITIONS); count];
    let mut order: Vec<usize> = (0..count).collect();
    for _ in 0..REPETITIONS {
        fastrand::shuffle(&mut order);
        for &case in &order {
            samples[case].push(sample(case));
        }
    }
    samples.into_iter().map(median).collect()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// A case that is warm, and how many of its runs a sample holds.
pub struct Sampled {
    case: Case,
    runs: usize,
}

impl Sampled {
    /// Warms a case up; the last run says how many a sample holds.
    pub fn new(case: Case) -> Self {
        let mut time = Duration::ZERO;
        for _ in 0..WARM_UP {
            time = mean(&case, 1);
            if time > SAMPLE {
                break;
            }
        }
        let runs = usize::try_from(SAMPLE.as_nanos() / time.as_nanos().max(1));
        Self { case, runs: runs.unwrap_or(MOST_RUNS).clamp(1, MOST_RUNS) }
    }

    /// The time of one run, as the mean of several in a row, after one that is not timed.
    pub fn sample(&self) -> Duration {
        if self.runs > 1 {
            once(&self.case);
        }
        mean(&self.case, self.runs)
    }
}

/// Runs a case once.
pub fn once(case: &Case) {
    mean(case, 1);
}

fn mean(case: &Case, runs: usize) -> Duration {
    let sample = async {
        match case {
            Case::Worker(prepare) => {
                let ready = (0..runs).map(|_| prepare()).collect();
                tokio::spawn(drive(ready)).await.expect("no run panics")
            }
            Case::Local(prepare) => drive((0..runs).map(|_| prepare()).collect()).await,
        }
    };
    let ended = Handle::current().block_on(async { timeout(LONGEST, sample).await });
    let time = ended.expect("every run ends");
    time / u32::try_from(runs).expect("a sample holds few runs")
}

async fn drive<R>(mut ready: Vec<impl Future<Output = R> + Unpin>) -> Duration {
    let mut remains = Vec::with_capacity(ready.len());
    let start = Instant::now();
    for run in &mut ready {
        remains.push(run.await);
    }
    start.elapsed()
}
