//! Nodes in a row, beside direct calls of boxed futures.
//!
//! `cargo bench --bench chain`

#[path = "graphs.rs"]
mod graphs;

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::Value;

type Call = dyn Fn(u64) -> Pin<Box<dyn Future<Output = u64> + Send>> + Send + Sync;

async fn floor(call: &Call, length: u64) {
    let mut number = 0;
    for _ in 0..length {
        number = call(black_box(number)).await;
    }
    black_box(number);
}

fn chain(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let call: Box<Call> = Box::new(|number| Box::pin(async move { number + 1 }));
    let mut group = criterion.benchmark_group("chain");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for length in [3_u64, 100] {
        group.throughput(Throughput::Elements(length));
        group.bench_function(BenchmarkId::new("floor", length), |bencher| {
            bencher.to_async(&tokio).iter(|| floor(&*call, length));
        });
        let name = format!("chain_{length}");
        group.bench_function(BenchmarkId::new("start", length), |bencher| {
            bencher.to_async(&tokio).iter(|| graphs::start(&runtime, &name, Value::Null));
        });
        group.bench_function(BenchmarkId::new("run", length), |bencher| {
            bencher.to_async(&tokio).iter(|| graphs::run(&runtime, &name, Value::Null));
        });
    }
    group.finish();
}

criterion_group!(benches, chain);
criterion_main!(benches);
