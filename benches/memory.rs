//! Peak resident memory by case, above what a runtime with its graphs takes.
//!
//! `cargo bench --bench memory`
//!
//! The system tells the peak of a whole process, so each case has a process of its own.

#[path = "graphs.rs"]
mod graphs;

use std::process::Command;

use hotgraph::{Runtime, StateStatus, Value};

/// A case: its name, what it does, and how many elements that has.
const CASES: [(&str, &str, u64); 5] = [
    ("stream_fold", "a fold of 10,000,000 branches from a stream", 10_000_000),
    ("stream_wait", "the same of 1,000,000 branches that wait for 1 ms", 1_000_000),
    ("array", "an array of 1,000,000 branches", 1_000_000),
    ("payload", "a text of 64 MiB through 10 nodes and 1,000 branches", 1),
    ("park", "10,000 runs, each of a node that waits in a timer", 10_000),
];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|one| one != "--bench");
    if let Some(case) = arguments.next() {
        return measure(&case);
    }
    println!("| case | peak above the start | for each |");
    println!("| --- | --- | --- |");
    for (case, what, elements) in CASES {
        match in_a_process(case) {
            Some(kib) => {
                println!("| {what} | {} MiB | {} bytes |", kib / 1024, kib * 1024 / elements);
            }
            None => println!("| {what} | unknown: the system does not tell | |"),
        }
    }
}

/// How many kibibytes a process of this case says that its peak grew by.
fn in_a_process(case: &str) -> Option<u64> {
    let this = std::env::current_exe().expect("the system tells this binary's path");
    let output = Command::new(this).arg(case).output().expect("this binary starts again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn measure(case: &str) {
    let (.., elements) = CASES.into_iter().find(|one| one.0 == case).expect("a case by its name");
    let tokio = graphs::tokio();
    let before = tokio.block_on(async {
        let runtime = graphs::runtime().await;
        graphs::start(&runtime, "stream_fold", Value::object([("n", 1_000_u64)])).await;
        let before = peak_kib();
        match case {
            "park" => park(&runtime, elements).await,
            "payload" => {
                let text = Value::String("x".repeat(64 << 20).into());
                forget_peak();
                drop(
                    graphs::start(&runtime, "wide_payload", Value::object([("text", text)])).await,
                );
            }
            _ => {
                let inputs = Value::object([("n", elements)]);
                drop(graphs::start(&runtime, case, inputs).await);
            }
        }
        before
    });
    if let Some((before, after)) = before.zip(peak_kib()) {
        println!("{}", after - before);
    }
}

/// Starts runs that never end, and waits until each has come to its node that waits.
async fn park(runtime: &Runtime, runs: u64) {
    let mut parked = Vec::new();
    for _ in 0..runs {
        parked.push(runtime.start("park", Value::Null).await.expect("the graph is there"));
    }
    for run in parked {
        while run.status().of("park", StateStatus::Queued) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Takes what is resident as the peak so far: making a text takes as much again as the text.
fn forget_peak() {
    // A system without this file tells no peak either.
    std::fs::write("/proc/self/clear_refs", "5").ok();
}

/// The peak of resident memory in kibibytes, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
