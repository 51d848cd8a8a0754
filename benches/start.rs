//! A run of one node from start to end, beside a task that answers; and one that is refused once its
//! version is found and pinned, beside a look into a map behind a lock.
//!
//! `cargo bench --bench start`

#[path = "graphs.rs"]
mod graphs;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::{Runtime, Value};
use parking_lot::RwLock;
use tokio::sync::oneshot;

async fn floor() {
    let (done, end) = oneshot::channel();
    tokio::spawn(async move { done.send(()).expect("the receiver waits") });
    end.await.expect("the task answers");
}

/// The version is found and pinned, then what is no object is refused, then the pin is let go.
async fn refused(runtime: &Runtime) {
    assert!(runtime.start("one", Value::from(0_u64)).await.is_err());
}

fn start(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let mut group = criterion.benchmark_group("start");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("floor", 1), |bencher| {
        bencher.to_async(&tokio).iter(floor);
    });
    group.bench_function(BenchmarkId::new("start", 1), |bencher| {
        bencher.to_async(&tokio).iter(|| graphs::start(&runtime, "one", Value::Null));
    });
    group.bench_function(BenchmarkId::new("run", 1), |bencher| {
        bencher.to_async(&tokio).iter(|| graphs::run(&runtime, "one", Value::Null));
    });
    let versions = RwLock::new(HashMap::from([("one", Arc::new(1_u64))]));
    group.bench_function(BenchmarkId::new("refused_floor", 1), |bencher| {
        bencher.iter(|| versions.read().get(black_box("one")).cloned());
    });
    group.bench_function(BenchmarkId::new("refused", 1), |bencher| {
        bencher.to_async(&tokio).iter(|| refused(&runtime));
    });
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
