//! What holds when a shutdown has returned.

use std::time::Duration;

use hotgraph::{NodeSpec, Run, Value};

use super::{runtime, single, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_has_told_its_end() {
    for round in 0..2_000 {
        // Also of runs that are forgotten when they end.
        let runtime = runtime().keep_ended(round % 2).build().await.unwrap();
        let mut runs = vec![start(&runtime, single(NodeSpec::new("pass").input("n", 1))).await];
        for _ in 0..3 {
            runs.push(runtime.start("g", Value::Null).await.unwrap());
        }
        let report = runtime.shutdown(Duration::from_secs(60)).await;
        assert!(report.cancelled.is_empty(), "round {round}");
        assert!(runs.iter().all(Run::is_ended), "round {round}");
    }
}
