//! Wall time of cases: repetitions of all of them in shuffled order, and the median of each.

use std::time::{Duration, Instant};

use crate::peers::Case;

/// How often each case is measured.
pub const REPETITIONS: usize = 9;

/// A sample holds as many runs as fit into this time, up to [`MOST_RUNS`].
const SAMPLE: Duration = Duration::from_millis(4);

/// More runs at once would measure the memory that graphs made for one run each lie in.
const MOST_RUNS: usize = 200;

/// Runs of a case before the first sample, unless one of them fills a sample.
///
/// The last of them says how many runs a sample holds.
const WARM_UP: usize = 3;

/// The median wall time of a run of each case, in the order given.
///
/// Every repetition visits all cases in an order of its own, so that a slow moment of the machine
/// does not fall on one of them. The runs of a sample follow one another.
pub async fn medians(cases: &[Case]) -> Vec<Duration> {
    let mut runs = Vec::with_capacity(cases.len());
    for case in cases {
        runs.push(runs_in_a_sample(case).await);
    }
    let mut samples = vec![Vec::with_capacity(REPETITIONS); cases.len()];
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for _ in 0..REPETITIONS {
        fastrand::shuffle(&mut order);
        for &place in &order {
            samples[place].push(sample(&cases[place], runs[place]).await);
        }
    }
    samples.into_iter().map(median).collect()
}

/// Runs a case once, untimed.
pub async fn once(case: &Case) {
    sample(case, 1).await;
}

async fn runs_in_a_sample(case: &Case) -> usize {
    let mut time = Duration::ZERO;
    for _ in 0..WARM_UP {
        time = sample(case, 1).await;
        if time >= SAMPLE {
            return 1;
        }
    }
    let fit = SAMPLE.as_nanos() / time.as_nanos().max(1);
    usize::try_from(fit).unwrap_or(MOST_RUNS).clamp(1, MOST_RUNS)
}

/// The time of one run, as the mean of several in a row.
async fn sample(case: &Case, runs: usize) -> Duration {
    let time = match case {
        Case::Worker(prepare) => {
            let ready = (0..runs).map(|_| prepare()).collect();
            tokio::spawn(drive(ready)).await.expect("no run panics")
        }
        Case::Local(prepare) => drive((0..runs).map(|_| prepare()).collect()).await,
    };
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

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}
