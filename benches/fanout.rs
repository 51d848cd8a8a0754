//! A fanout of branches that do nothing, beside a task each and a countdown.
//!
//! `cargo bench --bench fanout`

#[path = "graphs.rs"]
mod graphs;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::Value;
use tokio::sync::oneshot;

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

fn fanout(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let mut group = criterion.benchmark_group("fanout");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_millis(500));
    for branches in [10_u64, 100, 1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(branches));
        group.bench_function(BenchmarkId::new("floor", branches), |bencher| {
            bencher.to_async(&tokio).iter(|| floor(branches));
        });
        for graph in ["noop", "array", "fold", "stream_fold"] {
            group.bench_function(BenchmarkId::new(graph, branches), |bencher| {
                bencher.to_async(&tokio).iter(|| {
                    let inputs = Value::object([("n", branches)]);
                    graphs::start(&runtime, graph, inputs)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
