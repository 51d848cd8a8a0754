//! A text that ten nodes hand on, as a typed field and as a value, beside ten clones of an `Arc<str>`.
//!
//! `cargo bench --bench payload`

#[path = "graphs.rs"]
mod graphs;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::Value;

/// How many nodes the graphs have.
const NODES: u64 = 10;

fn floor(text: &Arc<str>) {
    for _ in 0..NODES {
        drop(black_box(text.clone()));
    }
}

fn payload(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let mut group = criterion.benchmark_group("payload");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.sample_size(20).throughput(Throughput::Elements(NODES));
    for bytes in [1_024, 65_536, 1_048_576] {
        let text: Arc<str> = "x".repeat(bytes).into();
        group.bench_function(BenchmarkId::new("floor", bytes), |bencher| {
            bencher.iter(|| floor(&text));
        });
        let inputs = Value::object([("text", Value::String(text.clone().into()))]);
        for graph in ["typed", "dynamic"] {
            group.bench_function(BenchmarkId::new(graph, bytes), |bencher| {
                bencher.to_async(&tokio).iter(|| graphs::run(&runtime, graph, inputs.clone()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, payload);
criterion_main!(benches);
