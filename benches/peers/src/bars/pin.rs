//! What a start does first, resolve and pin, alone and while another thread publishes.
//!
//! Nobody can call that by itself. A start that lacks a key of its store is refused right after it,
//! and one for which there is no place right before it. The difference is resolve and pin, and a
//! little more: giving back the pin and the place, and looking for the key. To name the key takes
//! two allocations; the floor makes the same error beside its own.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hotgraph::{Document, GraphName, NodeSpec, Runtime, StartError, Value};

use super::line::{self, Line};
use super::{MANY, Row, repetitions};
use crate::measure::{self, Cost, Watch};
use crate::peers::hotgraph::noop;

pub(super) const ROWS: &[Row] = &[Row { name: "start-pin", measure: pin }];

/// How many calls a sample is made of.
const CALLS: usize = 100_000;

/// The most that a start may take, p99.9, above what reading the clock twice takes.
const TAIL: Duration = Duration::from_nanos(500);

/// What calls take.
#[derive(Clone, Copy)]
struct Calls {
    mean: Cost,
    /// The time that one call in a thousand exceeds.
    tail: Duration,
}

/// What a sample shows: starts that are refused before and after, and nothing but reading the clock.
#[derive(Clone, Copy)]
struct Seen {
    before: Calls,
    after: Calls,
    timer: Calls,
}

fn pin() -> Vec<Line> {
    let starts = Starts::new();
    let samples = measure::samples(repetitions(MANY), 2, |case| match case {
        0 => starts.sample(|_, calls| calls()),
        _ => starts.sample(|published, calls| starts.beside_a_publisher(published, calls)),
    });
    let [quiet, beside] = [0, 1].map(|case| Medians::of(&samples[case]));
    let tail = beside.tail_after.saturating_sub(beside.timer);
    let above = beside.tail_after.saturating_sub(beside.tail_before);
    let ratio = |beside: Duration, quiet: Duration| beside.as_secs_f64() / quiet.as_secs_f64();
    let (wall, cpu) = (ratio(beside.wall, quiet.wall), ratio(beside.cpu, quiet.cpu));
    let one = |time| line::each(time, 1);
    let line = Line::new("start: resolve + pin")
        .nanoseconds("CPU", quiet.cpu, 1, 150.0)
        .note(format!("above a start refused before it ({})", one(quiet.before)))
        .check(
            format!("beside a publisher {wall:.2} times the quiet mean ({})", one(quiet.wall)),
            "beside a publisher at most 1.2 times the quiet mean",
            wall <= 1.2,
        )
        .note(format!("CPU {cpu:.2} times"))
        .check(
            format!("p99.9 {} above the timer's ({})", one(tail), one(beside.timer)),
            "p99.9 at most 500 ns above the timer's",
            tail <= TAIL,
        )
        .note(format!(
            "{} above that of a start refused before it ({})",
            one(above),
            one(beside.tail_before)
        ));
    vec![line]
}

/// The medians of samples; the costs are those of resolve and pin alone.
struct Medians {
    before: Duration,
    wall: Duration,
    cpu: Duration,
    tail_before: Duration,
    tail_after: Duration,
    timer: Duration,
}

impl Medians {
    fn of(samples: &[Seen]) -> Self {
        let median = |part: fn(&Seen) -> Duration| measure::median(samples.iter().map(part));
        Self {
            before: median(|seen| seen.before.mean.wall),
            wall: median(|seen| seen.after.mean.wall.saturating_sub(seen.before.mean.wall)),
            cpu: median(|seen| seen.after.mean.cpu.saturating_sub(seen.before.mean.cpu)),
            tail_before: median(|seen| seen.before.tail),
            tail_after: median(|seen| seen.after.tail),
            timer: median(|seen| seen.timer.tail),
        }
    }
}

/// Starts that are refused on the calling thread.
struct Starts {
    /// The registry lives on the publisher's thread, and does nothing while nobody publishes.
    tokio: tokio::runtime::Runtime,
    graph: GraphName,
    versions: [Document; 2],
    open: Runtime,
    full: Runtime,
}

impl Starts {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let tokio = tokio.expect("tokio starts");
        let versions = [1, 2].map(|n| {
            let graph = Document::builder("graph").store_required("key");
            graph.store_default("n", n).node(NodeSpec::new("noop")).build()
        });
        let runtime = |runs: usize| {
            tokio.block_on(async {
                let builder = Runtime::builder().handler(noop()).max_runs(runs);
                let runtime = builder.build().await.expect("the handlers are valid");
                runtime.publish_and_promote(&versions[0]).await.expect("the graph is valid");
                runtime
            })
        };
        let (open, full) = (runtime(100_000), runtime(0));
        Self { graph: "graph".into(), versions, open, full, tokio }
    }

    /// Does something while a thread promotes one version and the other as fast as it can, on the
    /// runtime that is measured: what it writes of it is cold for starts, whatever refuses them.
    fn beside_a_publisher<T>(&self, published: &Runtime, work: impl FnOnce() -> T) -> T {
        let ends = AtomicBool::new(false);
        let has_published = AtomicBool::new(false);
        thread::scope(|threads| {
            threads.spawn(|| {
                self.tokio.block_on(async {
                    for version in self.versions.iter().cycle() {
                        if ends.load(Ordering::Relaxed) {
                            break;
                        }
                        let done = published.publish_and_promote(version).await;
                        done.expect("the graph is valid");
                        has_published.store(true, Ordering::Relaxed);
                    }
                });
            });
            while !has_published.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            let done = work();
            ends.store(true, Ordering::Relaxed);
            done
        })
    }

    fn sample(&self, around: impl Fn(&Runtime, &dyn Fn() -> Calls) -> Calls) -> Seen {
        let before = || (self.refused(&self.full), self.missing_key());
        let after = || self.refused(&self.open);
        assert!(matches!(before(), (StartError::Overloaded { .. }, _)));
        assert_eq!(after().to_string(), self.missing_key().to_string());
        Seen {
            before: around(&self.full, &|| calls(before)),
            after: around(&self.open, &|| calls(after)),
            timer: around(&self.open, &|| calls(|| StartError::ShuttingDown)),
        }
    }

    /// The refusal of a start that lacks its key.
    fn missing_key(&self) -> StartError {
        StartError::MissingStoreKeys { graph: self.graph.clone(), keys: vec!["key".to_owned()] }
    }

    fn refused(&self, runtime: &Runtime) -> StartError {
        let start = runtime.start(self.graph.clone(), Value::Null).into_future();
        let refused = start.now_or_never().expect("a refusal waits for nothing");
        refused.expect_err("the start is refused")
    }
}

fn calls<T>(call: impl Fn() -> T) -> Calls {
    Calls { mean: mean(&call), tail: tail(&call) }
}

/// The mean cost of a call; the processor time is that of this thread.
fn mean<T>(call: impl Fn() -> T) -> Cost {
    let watch = Watch::of_this_thread();
    for _ in 0..CALLS {
        black_box(call());
    }
    watch.stop() / CALLS
}

/// The time that one call in a thousand exceeds.
fn tail<T>(call: impl Fn() -> T) -> Duration {
    let time = |_| {
        let start = Instant::now();
        black_box(call());
        start.elapsed()
    };
    let mut times: Vec<_> = (0..CALLS).map(time).collect();
    times.sort_unstable();
    times[CALLS - CALLS / 1_000]
}
