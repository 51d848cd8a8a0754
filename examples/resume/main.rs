//! Analyses a source tree with a journal, dies when half of it is done, and goes on where it was.
//!
//! `cargo run --release --features sqlite --example resume [-- DIRECTORY]`

#[path = "../hot_swap/files.rs"]
#[expect(dead_code, reason = "the other example counts more")]
mod files;
mod work;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Run, Runtime, SqliteJournal, StateStatus, Value};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let root = files::open(&directory)?;
    match std::env::var_os("HOTGRAPH_EXAMPLE_STORE") {
        Some(store) => begin_and_die(&root, Path::new(&store)).await,
        None => {
            let store = std::env::temp_dir().join(format!("resume-{}", std::process::id()));
            std::fs::create_dir_all(&store)?;
            let mut first = Command::new(std::env::current_exe()?);
            let died = first.arg(&root).env("HOTGRAPH_EXAMPLE_STORE", &store).status()?;
            println!("the first process ended: {died}");
            let result = go_on(&store, files::count(&root)).await;
            std::fs::remove_dir_all(&store)?;
            result
        }
    }
}

async fn begin_and_die(root: &Path, store: &Path) -> Result<(), Failure> {
    let runtime = open(store).await?;
    runtime.publish_and_promote(work::graph("measure_file")).await?;
    let inputs = Value::object([("root", root.to_string_lossy().as_ref())]);
    let run = runtime.start(work::NAME, inputs).idempotency_key("the analysis").await?;
    half_done(&run, files::count(root)).await;
    runtime.publish_and_promote(work::graph("measure_file_again")).await?;
    // SIGKILL: nothing is written or tidied up any more.
    Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status()?;
    std::future::pending().await
}

async fn go_on(store: &Path, total: u64) -> Result<(), Failure> {
    let runtime = open(store).await?;
    // The same key again gives the run that it started.
    let run = runtime.start(work::NAME, Value::Null).idempotency_key("the analysis").await?;
    let skipped = run.status().of("list", StateStatus::Success);
    println!("{} went on with {skipped} of {total} files drawn from its list", run.version());
    let outcome = run.await;
    let measured = work::measured();
    println!("{} ended as {}: {}", outcome.version, outcome.status, outcome.output::<Value>()?);
    println!("{} of {total} files were on record, {measured} were measured now", total - measured);
    let active = runtime.versions(work::NAME).active();
    println!("new runs start on {}", active.map_or_else(String::new, |v| v.to_string()));
    let _ = runtime.shutdown(Duration::from_secs(5)).await;
    if measured < total { Ok(()) } else { Err("files on record were measured again".into()) }
}

async fn open(store: &Path) -> Result<Runtime, Failure> {
    let journal = Arc::new(SqliteJournal::open(store.join("journal.db")).await?);
    Ok(work::runtime().journal(journal).build().await?)
}

async fn half_done(run: &Run, total: u64) {
    while run.status().of("measure", StateStatus::Success) * 2 < total && !run.is_ended() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
