//! Runs one case again and again, for a tool that counts instructions: `.ci/instructions`.
//!
//! `cargo bench --bench count -- noop 3`

#[path = "graphs.rs"]
mod graphs;

use hotgraph::Value;

/// Every case, named as its graph.
const CASES: [&str; 5] = ["noop", "text", "fold", "chain_100", "chain_3"];

/// The case and how often to run it; without them every case runs once.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    match arguments.as_slice() {
        [] => CASES.iter().for_each(|case| repeat(case, 1)),
        [case, times] => repeat(case, times.parse().expect("a number of runs")),
        _ => panic!("expected a case and a number of runs, found {arguments:?}"),
    }
}

fn repeat(case: &str, times: u64) {
    let tokio = graphs::single();
    tokio.block_on(async {
        // Turns are sized by the time that they take: while it stands, every count is exact.
        tokio::time::pause();
        let runtime = graphs::steady_runtime().await;
        for _ in 0..times {
            let inputs = Value::object([("n", 10_000_u64)]);
            match case {
                // A run that has little to do is walked where it is awaited.
                "chain_3" => graphs::run(&runtime, case, inputs).await,
                _ => graphs::start(&runtime, case, inputs).await,
            };
        }
    });
}
