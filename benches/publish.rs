//! Publishing a graph again, beside parsing its document.
//!
//! `cargo bench --bench publish`

#[path = "graphs.rs"]
mod graphs;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotgraph::Document;

fn publish(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let runtime = tokio.block_on(graphs::runtime());
    let mut group = criterion.benchmark_group("publish");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for nodes in [3_u64, 100] {
        let document = graphs::chain(nodes).build();
        let text = document.to_json();
        group.throughput(Throughput::Elements(nodes));
        group.bench_function(BenchmarkId::new("floor", nodes), |bencher| {
            bencher.iter(|| Document::from_json(black_box(&text)).expect("it is a document"));
        });
        group.bench_function(BenchmarkId::new("publish", nodes), |bencher| {
            bencher
                .to_async(&tokio)
                .iter(|| async { runtime.publish(&document).await.expect("the graph is valid") });
        });
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
