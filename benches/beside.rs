//! Starts alone, and beside a thread that changes versions as fast as it can: a table.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hotgraph::{Document, GraphName, Handler, NodeSpec, Runtime, Value};

/// How many calls a sample is made of.
const CALLS: usize = 50_000;

/// How many samples a figure is the median of.
const SAMPLES: usize = 9;

/// Prints how slow starts get beside a thread that changes versions.
pub fn print() {
    let starts = Starts::new();
    println!("| versions | measured | bar |");
    println!("| --- | --- | --- |");
    starts.print_tail("start, resolved and pinned", || starts.refused());
    starts.print_tail("run of one node", || starts.ran());
}

/// What another thread does meanwhile, again and again.
#[derive(Clone, Copy)]
enum Other {
    Nothing,
    /// Publishes a new version and promotes it.
    Publishes,
    /// Promotes one of two versions.
    Promotes,
}

/// Starts on this thread of graphs whose versions another thread may change.
struct Starts {
    /// The registry lives on the other thread, and does nothing while that does nothing.
    registry: tokio::runtime::Runtime,
    own: tokio::runtime::Runtime,
    runtime: Runtime,
    refusing: GraphName,
    running: GraphName,
    /// The number of the latest version that was published.
    latest: AtomicU64,
}

/// A graph whose starts are refused for want of a key, once the version is pinned.
fn refusing(n: u64) -> Document {
    let graph = Document::builder("refusing").store_required("key").store_default("n", n);
    graph.node(NodeSpec::new("noop")).build()
}

fn running(n: u64) -> Document {
    Document::builder("running").store_default("n", n).node(NodeSpec::new("noop")).build()
}

async fn build() -> Runtime {
    let noop = Handler::one("noop", |_: ()| async { Ok(()) });
    let runtime = Runtime::builder().handler(noop).build().await.expect("the handler is valid");
    for graph in [refusing(1), running(1), refusing(2), running(2)] {
        runtime.publish_and_promote(graph).await.expect("the graph is valid");
    }
    runtime
}

impl Starts {
    fn new() -> Self {
        let [registry, own] = [0, 1].map(|_| {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio.expect("tokio starts")
        });
        let runtime = registry.block_on(build());
        let (refusing, running) = ("refusing".into(), "running".into());
        Self { registry, own, runtime, refusing, running, latest: AtomicU64::new(2) }
    }

    /// A start that is refused once its version is pinned.
    fn refused(&self) {
        let start = self.runtime.start(self.refusing.clone(), Value::Null).into_future();
        let refused = start.now_or_never().expect("a refusal waits for nothing");
        black_box(refused.expect_err("it is refused"));
    }

    /// A run that ends before the call does.
    fn ran(&self) {
        let run = self.runtime.start(self.running.clone(), Value::Null).run();
        let outcome = run.now_or_never().expect("nothing in it waits");
        black_box(outcome.expect("it is accepted"));
    }

    /// Does something while another thread is busy with the versions.
    fn beside<T>(&self, other: Other, work: impl FnOnce() -> T) -> T {
        let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let _entered = self.own.enter();
        thread::scope(|threads| {
            threads.spawn(|| {
                self.registry.block_on(async {
                    while !over.load(Ordering::Relaxed) {
                        self.change(other).await;
                        begun.store(true, Ordering::Relaxed);
                    }
                });
            });
            while !begun.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            let done = work();
            over.store(true, Ordering::Relaxed);
            done
        })
    }

    async fn change(&self, other: Other) {
        let n = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
        match other {
            Other::Nothing => thread::sleep(Duration::from_millis(1)),
            Other::Publishes => {
                for graph in [refusing(n), running(n)] {
                    self.runtime.publish_and_promote(graph).await.expect("the graph is valid");
                }
            }
            Other::Promotes => {
                for graph in [&self.refusing, &self.running] {
                    let versions = self.runtime.versions(graph.clone());
                    let list = versions.list();
                    // The second to last is not the active one, unless this has promoted it.
                    let next = list.iter().rev().find(|one| Some(one.number) != versions.active());
                    let next = next.expect("there are several").number;
                    versions.promote(next).await.expect("it is not active");
                }
            }
        }
    }

    fn print_tail(&self, name: &str, call: impl Fn()) {
        let sample = |other| self.beside(other, || percentiles(&call));
        let samples = sampled(|| {
            let all = [Other::Nothing, Other::Publishes, Other::Promotes].map(sample);
            let [[a, b], [c, d], [e, f]] = all;
            [a, b, c, d, e, f]
        });
        let [p50, quiet, _, publishes, _, promotes] = samples;
        println!("| {name}, p99 | {quiet:?} (p50 {p50:?}) | |");
        for (what, p99) in [("publishes and promotes", publishes), ("promotes", promotes)] {
            let times = ratio(p99, quiet);
            println!(
                "| the same while a thread {what} | {p99:?}, {times:.2} times | at most 2 times |"
            );
        }
    }
}

/// The median of each figure over samples.
fn sampled<const N: usize>(sample: impl Fn() -> [Duration; N]) -> [Duration; N] {
    // The first one warms up.
    let samples: Vec<_> = (0..=SAMPLES).map(|_| sample()).skip(1).collect();
    std::array::from_fn(|at| {
        let mut figures: Vec<_> = samples.iter().map(|sample| sample[at]).collect();
        figures.sort_unstable();
        figures[SAMPLES / 2]
    })
}

/// The times that half of the calls and one in a hundred exceed.
fn percentiles(call: impl Fn()) -> [Duration; 2] {
    let time = |_| {
        let began = Instant::now();
        call();
        began.elapsed()
    };
    let mut times: Vec<_> = (0..CALLS).map(time).collect();
    times.sort_unstable();
    [times[CALLS / 2], times[CALLS / 100 * 99]]
}

fn ratio(measured: Duration, floor: Duration) -> f64 {
    measured.as_secs_f64() / floor.as_secs_f64()
}
