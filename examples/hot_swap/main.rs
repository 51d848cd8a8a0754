//! Analyses a source tree, and publishes new versions of the analysis while it runs.
//!
//! `cargo run --release --example hot_swap [-- DIRECTORY]`

mod check;
mod files;
mod graphs;
mod handlers;
mod progress;

use std::path::PathBuf;
use std::process::ExitCode;

use hotgraph::{Outcome, RollbackTarget, Run, RunStatus, Runtime, StateStatus, Value};
use progress::Bars;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    match analyse(&directory).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn analyse(directory: &std::path::Path) -> Result<(), Failure> {
    let root = files::open(directory)?;
    let total = files::count(&root);
    println!("{} files in {}", total, root.display());
    let runtime = handlers::runtime().await?;
    let bars = Bars::new(total);

    let v1 = runtime.publish_and_promote(graphs::version_1()).await?.version;
    let run1 = start(&runtime, &root).await?;
    let bar1 = bars.follow("run 1", &run1);
    half_done(&run1, total).await;

    let v2 = runtime.publish_and_promote(graphs::version_2()).await?.version;
    let run2 = start(&runtime, &root).await?;
    let bar2 = bars.follow("run 2", &run2);
    bars.note(&format!("published {v2} while run 1 was on {v1}; run 2 started at once on {v2}"));
    let (outcome1, outcome2) = tokio::join!(run1.outcome(), run2.outcome());
    bar1.await?;
    bar2.await?;

    let v3 = runtime.publish_and_promote(graphs::version_3()).await?.version;
    let run3 = start(&runtime, &root).await?;
    let outcome3 = run3.outcome().await;
    let mut report = vec![("run 1", outcome1), ("run 2", outcome2), ("run 3", outcome3.clone())];
    if outcome3.status == RunStatus::Failed {
        let previous = RollbackTarget::Previous;
        let back = runtime.versions(graphs::NAME).rollback(previous).await?.version;
        println!("{v3} failed on {} files: rolled back to {back}", outcome3.failures.len());
        report.push(("run 4", start(&runtime, &root).await?.outcome().await));
    } else {
        println!("{v3} found no file to fail on: nothing to roll back");
    }
    for (name, outcome) in &report {
        println!("\n{name} used {} and ended as {}", outcome.version, outcome.status);
        print_table(outcome);
    }
    check::against_a_plain_count(&root, &report)?;
    println!("\nall totals agree with a plain sequential count");
    let left = runtime.shutdown(std::time::Duration::from_secs(5)).await;
    if left.cancelled.is_empty() { Ok(()) } else { Err("runs were left".into()) }
}

async fn start(runtime: &Runtime, root: &std::path::Path) -> Result<Run, hotgraph::StartError> {
    let inputs = Value::object([("root", root.to_string_lossy().as_ref())]);
    runtime.start(graphs::NAME, inputs).await
}

/// Waits until half of the files are measured, or the run has ended.
async fn half_done(run: &Run, total: u64) {
    let mut events = run.events();
    let done = || run.status().of("measure", StateStatus::Success) * 2 >= total;
    while !done() {
        tokio::select! {
            _ = run.outcome() => return,
            // A lagging subscriber looks at the counts again, which is all it wants.
            _ = events.next() => {}
        }
    }
}

fn print_table(outcome: &Outcome) {
    let Ok(table) = outcome.output::<handlers::Table>() else {
        for failure in outcome.failures.iter().take(3) {
            println!("  {}: {}", failure.node, failure.error);
        }
        return;
    };
    let todos = table.languages.values().any(|sums| sums.todos.is_some());
    print!("  {:<14}{:>8}{:>12}{:>12}{:>9}", "language", "files", "lines", "words", "longest");
    println!("{}", if todos { "    todos" } else { "" });
    for (language, sums) in &table.languages {
        print!("  {language:<14}{:>8}{:>12}{:>12}", sums.files, sums.lines, sums.words);
        print!("{:>9}", sums.longest);
        println!("{}", sums.todos.map_or_else(String::new, |todos| format!("{todos:>9}")));
    }
}
