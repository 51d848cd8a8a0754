//! Fanouts beside their floors: of branches that do nothing, that have a field, that are joined, that
//! work or wait, and of fanouts inside fanouts. Ends with a table.
//!
//! `cargo bench --bench fanout`; of one case, `cargo bench --bench fanout -- 'floor|noop'`

#[path = "graphs.rs"]
mod graphs;
#[path = "stage.rs"]
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::Criterion;
use futures_util::future::BoxFuture;
use hotgraph::{Runtime, Value};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use stage::Stage;

fn main() {
    let tokio = graphs::tokio();
    // The outcome of a run of a million branches without a merger is a million outputs: a thousand
    // such runs are too many to be kept.
    let runtime = tokio.block_on(graphs::publish(Runtime::builder().keep_ended(4)));
    let mut criterion = Criterion::default().configure_from_args();
    let mut stage = Stage::new(&mut criterion, "fanout", &tokio);
    fields(&mut stage, &runtime);
    work(&mut stage, &runtime);
    nested(&mut stage, &runtime);
    stage.finish();
    criterion.final_summary();
}

/// Branches that do nothing; that take a text and give it on; that take and give a number which an
/// array or a fold takes. Beside a task for each branch that does nothing.
fn fields(stage: &mut Stage, runtime: &Runtime) {
    for branches in [10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        stage.measure("floor", "floor", branches, || floor(branches));
        for graph in ["noop", "text", "array", "fold", "stream_fold"] {
            stage.measure(graph, "floor", branches, || list(runtime, graph, branches));
        }
    }
}

/// Branches that keep a core busy for 10 microseconds, that sleep for a millisecond, or that are
/// left to the threads for what blocks. Beside a `JoinSet` of the same.
fn work(stage: &mut Stage, runtime: &Runtime) {
    let cpu: Branch = || Box::pin(async { graphs::spin() });
    let sleep: Branch = || Box::pin(tokio::time::sleep(Duration::from_millis(1)));
    let blocking: Branch =
        || Box::pin(async { tokio::task::spawn_blocking(|| ()).await.expect("it does not panic") });
    let cases = [
        ("cpu", "cpu_floor", cpu),
        ("sleep", "sleep_floor", sleep),
        ("blocking", "blocking_floor", blocking),
    ];
    for (graph, floor, branch) in cases {
        for branches in [10, 1_000, 10_000, 100_000] {
            stage.measure(floor, floor, branches, || tasks(branches, branch));
            stage.measure(graph, floor, branches, || list(runtime, graph, branches));
        }
    }
}

/// Three levels, each joined by a fold. Beside as many levels of `JoinSet`s.
fn nested(stage: &mut Stage, runtime: &Runtime) {
    let cases = [(10, "nested_10"), (30, "nested_30"), (100, "nested_100")];
    for (width, graph) in cases {
        let branches = width * width * width;
        stage.measure("nested_floor", "nested_floor", branches, || nested_tasks(width));
        stage.measure("nested", "nested_floor", branches, || {
            graphs::start(runtime, graph, Value::Null)
        });
    }
}

/// A run of a graph whose source makes so many branches.
async fn list(runtime: &Runtime, graph: &str, branches: u64) {
    graphs::start(runtime, graph, Value::object([("n", branches)])).await;
}

/// `tokio::spawn` per branch; the last one to count down tells.
async fn floor(branches: u64) {
    let (done, end) = oneshot::channel();
    let left = Arc::new((AtomicU64::new(branches), parking_lot::Mutex::new(Some(done))));
    for _ in 0..branches {
        let left = left.clone();
        tokio::spawn(async move {
            if left.0.fetch_sub(1, Ordering::AcqRel) == 1
                && let Some(done) = left.1.lock().take()
            {
                done.send(()).expect("the receiver waits");
            }
        });
    }
    end.await.expect("the last branch tells");
}

/// What a floor does in a branch.
type Branch = fn() -> BoxFuture<'static, ()>;

/// A task per branch in a `JoinSet`.
async fn tasks(branches: u64, branch: Branch) {
    let mut tasks = JoinSet::new();
    for _ in 0..branches {
        tasks.spawn(branch());
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no branch panics");
    }
}

/// Three levels of tasks, one for each element of each level.
async fn nested_tasks(width: u64) {
    let mut outer = JoinSet::new();
    for _ in 0..width {
        outer.spawn(async move {
            let mut middle = JoinSet::new();
            for _ in 0..width {
                middle.spawn(tasks(width, || Box::pin(async {})));
            }
            middle.join_all().await;
        });
    }
    outer.join_all().await;
}
