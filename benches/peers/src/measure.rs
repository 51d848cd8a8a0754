//! What runs cost: samples of a case, and medians over repetitions in shuffled order.

use std::ops::Div;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::peers::Case;
use crate::work;

/// A sample holds as many runs as fit into this time, up to [`MOST_RUNS`].
const SAMPLE: Duration = Duration::from_millis(4);

/// More runs at once would measure the memory that graphs made for one run each lie in.
const MOST_RUNS: usize = 200;

/// A sample that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs of a case that say how long one takes, unless one of them fills a sample.
const WARM_UP: usize = 3;

/// What a run costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    /// Processor time, as a rule of the whole process, its other threads included.
    pub cpu: Duration,
}

impl Div<usize> for Cost {
    type Output = Self;

    fn div(self, runs: usize) -> Self {
        let runs = u32::try_from(runs).expect("a sample holds few runs");
        Self { wall: self.wall / runs, cpu: self.cpu / runs }
    }
}

/// The wall clock and the processor's, started together.
pub struct Watch {
    clock: ClockId,
    start: Instant,
    cpu: Duration,
}

impl Watch {
    /// Counts the processor time of all threads.
    pub fn start() -> Self {
        Self::of(ClockId::ProcessCPUTime)
    }

    /// Counts the processor time of the calling thread only.
    pub fn of_this_thread() -> Self {
        Self::of(ClockId::ThreadCPUTime)
    }

    fn of(clock: ClockId) -> Self {
        let cpu = cpu_time(clock);
        Self { clock, start: Instant::now(), cpu }
    }

    pub fn stop(&self) -> Cost {
        let wall = self.start.elapsed();
        Cost { wall, cpu: cpu_time(self.clock) - self.cpu }
    }
}

fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).expect("nobody has used negative time")
}

/// `repetitions` samples of each of `count` cases.
///
/// Every repetition visits all of them in an order of its own, so that a slow moment of the machine
/// does not fall on one case alone.
pub fn samples<T>(
    repetitions: usize,
    count: usize,
    mut sample: impl FnMut(usize) -> T,
) -> Vec<Vec<T>> {
    let mut samples: Vec<_> = (0..count).map(|_| Vec::with_capacity(repetitions)).collect();
    let mut order: Vec<usize> = (0..count).collect();
    for _ in 0..repetitions {
        fastrand::shuffle(&mut order);
        for &case in &order {
            samples[case].push(sample(case));
        }
    }
    samples
}

/// The sample in the middle.
pub fn median<T: Ord + Copy>(samples: impl IntoIterator<Item = T>) -> T {
    let mut samples: Vec<T> = samples.into_iter().collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

impl Cost {
    /// The medians of wall and processor time, each by itself.
    pub fn median(samples: &[Self]) -> Self {
        let wall = median(samples.iter().map(|cost| cost.wall));
        Self { wall, cpu: median(samples.iter().map(|cost| cost.cpu)) }
    }
}

/// A case that is warm, and how many of its runs a sample holds.
pub struct Sampled {
    case: Case,
    runs: usize,
}

impl Sampled {
    /// Warms a case up after a run that shows that it does the whole work: so many nodes.
    pub fn checked(name: &str, case: Case, nodes: usize) -> Self {
        work::count();
        once(&case);
        assert_eq!(work::counted(), nodes, "{name} runs every node once");
        Self::new(case)
    }

    /// Warms a case up; the last run says how many a sample holds.
    pub fn new(case: Case) -> Self {
        let mut time = Duration::ZERO;
        for _ in 0..WARM_UP {
            time = mean(&case, 1).wall;
            if time > SAMPLE {
                break;
            }
        }
        let runs = usize::try_from(SAMPLE.as_nanos() / time.as_nanos().max(1));
        Self { case, runs: runs.unwrap_or(MOST_RUNS).clamp(1, MOST_RUNS) }
    }

    /// The cost of one run, as the mean of several in a row.
    pub fn sample(&self) -> Cost {
        mean(&self.case, self.runs)
    }
}

/// Runs a case once.
pub fn once(case: &Case) {
    mean(case, 1);
}

fn mean(case: &Case, runs: usize) -> Cost {
    let sample = async {
        match case {
            Case::Worker(prepare) => {
                let prepare = prepare.clone();
                let sample = async move { drive_warm(|| prepare(), runs).await };
                tokio::spawn(sample).await.expect("no run panics")
            }
            Case::Local(prepare) => drive_warm(prepare, runs).await,
        }
    };
    let ended = Handle::current().block_on(async { timeout(LONGEST, sample).await });
    ended.expect("every run ends") / runs
}

/// Drives runs as those of a service that starts them all the time: after half as many again, if they
/// are short.
///
/// A sample follows one of another case, which left caches and branch predictors to itself. By its
/// end hotgraph forgets a run for each that it starts: it keeps 256.
async fn drive_warm<F: Future + Unpin>(prepare: impl Fn() -> F, runs: usize) -> Cost {
    let before = if runs == 1 { 0 } else { runs + runs / 2 };
    for _ in 0..before {
        prepare().await;
    }
    drive((0..runs).map(|_| prepare()).collect()).await
}

/// Drives runs to their ends, one after another.
pub async fn drive<R>(mut ready: Vec<impl Future<Output = R> + Unpin>) -> Cost {
    let mut remains = Vec::with_capacity(ready.len());
    let watch = Watch::start();
    for run in &mut ready {
        remains.push(run.await);
    }
    watch.stop()
}
