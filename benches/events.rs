//! A run of branches that do nothing, with and without a subscriber, beside a tokio broadcast of as
//! many events.
//!
//! `cargo bench --bench events`

#[path = "graphs.rs"]
mod graphs;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::{EventKind, EventStream, Lagged, Runtime, Value};
use tokio::sync::broadcast;

const BRANCHES: u64 = 1_000;

/// The capacity of the floor's ring; that of the library's is the same.
const CAPACITY: usize = 4_096;

async fn unwatched(runtime: &Runtime) {
    graphs::start(runtime, "noop", Value::object([("n", BRANCHES)])).await;
}

/// Says how many events there were, lost ones included.
async fn watched(runtime: &Runtime) -> u64 {
    let events = runtime.events();
    tokio::join!(unwatched(runtime), read(events)).1
}

/// Reads up to the end of a run.
async fn read(mut events: EventStream) -> u64 {
    let mut seen = 0;
    while let Some(next) = events.next().await {
        match next {
            Ok(event) => {
                seen += 1;
                if matches!(event.kind, EventKind::RunEnded { .. }) {
                    break;
                }
            }
            Err(Lagged(lost)) => seen += lost,
        }
    }
    seen
}

/// As many events of nothing, from one task to another.
async fn floor(count: u64) -> u64 {
    let (sender, mut receiver) = broadcast::channel(CAPACITY);
    tokio::spawn(async move {
        for number in 0..count {
            sender.send(Arc::new(number)).expect("the receiver waits");
        }
    });
    let mut seen = 0;
    loop {
        match receiver.recv().await {
            Ok(_) => seen += 1,
            Err(broadcast::error::RecvError::Lagged(lost)) => seen += lost,
            Err(broadcast::error::RecvError::Closed) => return seen,
        }
    }
}

fn events(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let count = tokio.block_on(watched(&runtime));
    let mut group = criterion.benchmark_group("events");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(BRANCHES));
    group.bench_function(BenchmarkId::new("floor", BRANCHES), |bencher| {
        bencher.to_async(&tokio).iter(|| floor(count));
    });
    group.bench_function(BenchmarkId::new("unwatched", BRANCHES), |bencher| {
        bencher.to_async(&tokio).iter(|| unwatched(&runtime));
    });
    group.bench_function(BenchmarkId::new("watched", BRANCHES), |bencher| {
        bencher.to_async(&tokio).iter(|| watched(&runtime));
    });
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
