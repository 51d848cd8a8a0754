//! Runs one case again and again, for a tool that counts instructions: `.ci/instructions`.
//!
//! `cargo bench --bench count -- noop 3`

#[path = "graphs.rs"]
mod graphs;

use hotgraph::Value;

/// Every case: what it is called, its graph, and how wide a fanout it is.
const CASES: [(&str, &str, u64); 6] = [
    ("noop", "noop", 10_000),
    ("text", "text", 10_000),
    ("fold", "fold", 10_000),
    ("chain_100", "chain_100", 0),
    ("narrow", "noop", 10),
    ("chain_3", "chain_3", 0),
];

/// The case and how often to run it; without them every case runs once.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    match arguments.as_slice() {
        [] => CASES.iter().for_each(|(case, ..)| repeat(case, 1)),
        [case, times] => repeat(case, times.parse().expect("a number of runs")),
        _ => panic!("expected a case and a number of runs, found {arguments:?}"),
    }
}

fn repeat(case: &str, times: u64) {
    let (_, graph, width) = CASES.into_iter().find(|one| one.0 == case).expect("a case");
    let tokio = graphs::single();
    tokio.block_on(async {
        let runtime = graphs::steady_runtime().await;
        for _ in 0..times {
            let inputs = Value::object([("n", width)]);
            // A run that has little to do is walked where it is awaited.
            match width < 100 {
                true => graphs::run(&runtime, graph, inputs).await,
                false => graphs::start(&runtime, graph, inputs).await,
            };
        }
    });
}
