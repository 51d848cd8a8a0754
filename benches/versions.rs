//! Commands on a graph with 200 versions that runs are pinned to, beside a round trip to a task; and
//! starts beside a thread that publishes and promotes.
//!
//! `cargo bench --bench versions`

#[path = "beside.rs"]
mod beside;
#[path = "graphs.rs"]
mod graphs;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::{Document, NodeSpec, Run, Runtime, Value};
use tokio::sync::{mpsc, oneshot};

const VERSIONS: u64 = 200;

/// Runs that do not start for a year, one on each version.
async fn versions(runtime: &Runtime) -> Vec<Run> {
    let year = Duration::from_secs(365 * 24 * 3_600);
    let mut runs = Vec::new();
    for n in 0..VERSIONS {
        let graph = Document::builder("many").node(NodeSpec::new("pass").input("n", n)).build();
        runtime.publish_and_promote(graph).await.expect("the graph is valid");
        runs.push(runtime.start("many", Value::Null).delay(year).await.expect("it starts"));
    }
    runs
}

type Asked = oneshot::Sender<()>;

/// A task that answers, as the registry's actor does.
fn answering() -> mpsc::UnboundedSender<Asked> {
    let (ask, mut asked) = mpsc::unbounded_channel::<Asked>();
    tokio::spawn(async move {
        while let Some(answer) = asked.recv().await {
            answer.send(()).expect("whoever asked waits");
        }
    });
    ask
}

async fn round_trip(ask: &mpsc::UnboundedSender<Asked>) {
    let (answer, answered) = oneshot::channel();
    ask.send(answer).expect("the task lives");
    answered.await.expect("the task answers");
}

fn commands(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let runs = tokio.block_on(versions(&runtime));
    let ask = tokio.block_on(async { answering() });
    let mut group = criterion.benchmark_group("versions");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("floor", VERSIONS), |bencher| {
        bencher.to_async(&tokio).iter(|| round_trip(&ask));
    });
    let handle = runtime.versions("many");
    let mut next = 0;
    group.bench_function(BenchmarkId::new("promote", VERSIONS), |bencher| {
        bencher.to_async(&tokio).iter(|| {
            next = next % (VERSIONS - 1) + 1;
            let promote = handle.promote(next);
            // The same version twice is refused, which takes as long.
            async { black_box(promote.await.is_ok()) }
        });
    });
    group.bench_function(BenchmarkId::new("explain", VERSIONS), |bencher| {
        bencher.iter(|| handle.explain(None).expect("the graph is there"));
    });
    group.finish();
    drop(runs);
}

/// The table, unless something else is asked for by its name.
fn starts(_: &mut Criterion) {
    if std::env::args().skip(1).all(|argument| argument == "--bench" || argument == "starts") {
        beside::print();
    }
}

criterion_group!(benches, commands, starts);
criterion_main!(benches);
