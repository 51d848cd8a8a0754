//! A run of one node from start to end, beside a task that answers.
//!
//! `cargo bench --bench start`

#[path = "graphs.rs"]
mod graphs;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hotgraph::Value;
use tokio::sync::oneshot;

async fn floor() {
    let (done, end) = oneshot::channel();
    tokio::spawn(async move { done.send(()).expect("the receiver waits") });
    end.await.expect("the task answers");
}

fn start(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let mut group = criterion.benchmark_group("start");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.bench_function(BenchmarkId::new("floor", 1), |bencher| {
        bencher.to_async(&tokio).iter(floor);
    });
    group.bench_function(BenchmarkId::new("start", 1), |bencher| {
        bencher.to_async(&tokio).iter(|| graphs::start(&runtime, "one", Value::Null));
    });
    group.bench_function(BenchmarkId::new("run", 1), |bencher| {
        bencher.to_async(&tokio).iter(|| graphs::run(&runtime, "one", Value::Null));
    });
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
