//! What it costs to put a run on record, beside the same rows inserted with SQLite alone: a table.
//!
//! `cargo bench --features sqlite --bench durable`

#[path = "../tests/it/durable/before.rs"]
mod before;
#[path = "graphs.rs"]
mod graphs;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use before::{Before, Hook};
use graphs::Number;
use hotgraph::{
    Document, Durability, Emit, Epoch, Handler, Journal, JournalFuture, MemoryJournal, NodeSpec,
    Record, RunId, RunQuery, RunRow, RunStatus, Runtime, RuntimeBuilder, SqliteJournal, Stream,
    Value, Write,
};
use rusqlite::Connection;

/// How many branches the fanout has.
const BRANCHES: u64 = 10_000;

/// How many of them the run has that comes back.
const COME_BACK: u64 = 50_000;

/// How often each figure is taken; the median counts.
const ROUNDS: usize = 15;

/// How many rows the floor inserts in one transaction.
const TOGETHER: usize = 512;

/// Counts the commits of a journal.
#[derive(Debug)]
struct Counting<J> {
    inner: J,
    commits: AtomicU64,
}

impl<J: Journal> Hook for Counting<J> {
    fn inner(&self) -> &dyn Journal {
        &self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.commit(epoch, writes)
    }
}

fn graph() -> Document {
    Document::builder("durable")
        .node(NodeSpec::new("list").input("n", 1).next("work"))
        .node(NodeSpec::new("work").input("n", "${{list.outputs.n}}").next("sum"))
        .node(NodeSpec::new("sum").input("n", "${{work.outputs.n}}").unites("list"))
        .build()
}

fn builder() -> RuntimeBuilder {
    let list = |input: Number| async move { Ok(Emit::each((0..input.n).map(|n| Number { n }))) };
    let add = |sum: &mut Number, one: Number| {
        sum.n += one.n;
        Ok(())
    };
    Runtime::builder()
        .handler(Handler::many("list", list))
        .handler(Handler::one("work", |input: Number| async move { Ok(input) }))
        .handler(Handler::fold("sum", || Number { n: 0 }, add, Ok))
}

async fn runtime(journal: Option<Arc<dyn Journal>>) -> Runtime {
    let builder = builder().keep_ended(1);
    let builder = match journal {
        Some(journal) => builder.journal(journal),
        None => builder,
    };
    let runtime = builder.build().await.expect("it opens");
    runtime.publish_and_promote(graph()).await.expect("it is valid");
    runtime
}

/// One run: how long it took, and which it was.
async fn run(runtime: &Runtime, branches: u64, level: Durability) -> (Duration, RunId) {
    let began = Instant::now();
    let start = runtime.start("durable", Value::object([("n", branches)])).durability(level);
    let outcome = start.run().await.expect("it starts");
    assert_eq!(outcome.status, RunStatus::Success);
    (began.elapsed(), outcome.run)
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

/// The same rows, inserted with SQLite alone.
fn floor(folder: &Path, records: &[Record]) -> Duration {
    let path = folder.join("floor.db");
    // It is there only if an earlier round made it.
    let _ = fs::remove_file(&path);
    let mut connection = Connection::open(&path).expect("it opens");
    let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
        CREATE TABLE records (run BLOB, seq INTEGER, body BLOB, checksum INTEGER,
        PRIMARY KEY (run, seq)) WITHOUT ROWID;";
    connection.execute_batch(pragmas).expect("it takes them");
    let began = Instant::now();
    for records in records.chunks(TOGETHER) {
        let transaction = connection.transaction().expect("it begins");
        {
            let insert = "INSERT INTO records VALUES (?, ?, ?, ?)";
            let mut insert = transaction.prepare_cached(insert).expect("it is valid");
            for Record { seq, body, check, .. } in records {
                let row = ([7_u8; 16].as_slice(), *seq as i64, body, *check as i64);
                insert.execute(row).expect("it is inserted");
            }
        }
        transaction.commit().expect("it is committed");
    }
    began.elapsed()
}

/// How long a runtime takes to come back with a run whose end alone is not on record.
async fn come_back() -> Duration {
    let journal = Arc::new(MemoryJournal::new());
    let first = runtime(Some(journal.clone())).await;
    let (_, run) = run(&first, COME_BACK, Durability::EveryState).await;
    drop(first);
    let rows = journal.runs(&RunQuery::default().run(run)).await.expect("it is read");
    let row = rows.into_iter().next().expect("it is there");
    let epoch = journal.claim("the bench").await.expect("it is free");
    // The last two records are the end and its time.
    let records = row.records - 2;
    let row = RunRow { records, ended_at: None, status: "RUNNING".into(), ..row }.sealed();
    let writes = [Write::Truncate(Stream::Run(run), records), Write::Row(row)];
    journal.commit(epoch, Arc::new(writes)).await.expect("it is written");
    let began = Instant::now();
    let second = builder().journal(journal).build().await;
    let run = second.expect("it opens").run(run).expect("it came back");
    assert_eq!(run.await.status, RunStatus::Success);
    began.elapsed()
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-durable");
    // It is there only if an earlier run was cut off.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the build output can be written to");
    folder
}

fn per(took: Duration, count: u64) -> f64 {
    took.as_secs_f64() * 1e6 / count as f64
}

async fn print() {
    let folder = folder();
    let sqlite = SqliteJournal::open(folder.join("journal.db")).await.expect("it opens");
    let counted = Arc::new(Before(Counting { inner: sqlite, commits: AtomicU64::new(0) }));
    let (plain, on_disk) = (runtime(None).await, runtime(Some(counted.clone())).await);
    let memory = runtime(Some(Arc::new(MemoryJournal::new()))).await;
    let before = counted.commits.load(Ordering::Relaxed);
    let (_, last) = run(&on_disk, BRANCHES, Durability::EveryState).await;
    let commits = counted.commits.load(Ordering::Relaxed) - before;
    let records = counted.read(Stream::Run(last), 0, usize::MAX).await.expect("it is read");
    let bytes: usize = records.iter().map(|record| record.body.len()).sum();
    let cases = [
        ("no journal", &plain, Durability::None),
        ("SQLite, `None`", &on_disk, Durability::None),
        ("memory, `EveryState`", &memory, Durability::EveryState),
        ("SQLite, `OnFanoutAndUnites`", &on_disk, Durability::OnFanoutAndUnites),
        ("SQLite, `EveryState`", &on_disk, Durability::EveryState),
    ];
    let (mut took, mut floors) = ([const { Vec::new() }; 5], Vec::new());
    // In turns, so that what the machine does meanwhile is the same for all of them.
    for _ in 0..ROUNDS {
        for (took, (_, runtime, level)) in took.iter_mut().zip(&cases) {
            took.push(run(runtime, BRANCHES, *level).await.0);
        }
        floors.push(floor(&folder, &records));
    }
    let floor = median(floors);
    let back = come_back().await;
    println!("| {BRANCHES} branches | us a branch | of the floor |");
    println!("| --- | --- | --- |");
    let took = took.map(median);
    let rows = cases.iter().map(|(what, ..)| *what).zip(took);
    for (what, took) in rows.chain([("the same rows, SQLite alone", floor)]) {
        let ratio = took.as_secs_f64() / floor.as_secs_f64();
        println!("| {what} | {:.2} | {ratio:.2} |", per(took, BRANCHES));
    }
    println!("commits a branch: {:.4}", commits as f64 / BRANCHES as f64);
    println!("bytes a state: {:.0}", bytes as f64 / (2 * BRANCHES) as f64);
    let states = 2 * COME_BACK;
    println!("a run of {states} states comes back: {:.2} us a state", per(back, states));
    drop(on_disk);
    fs::remove_dir_all(&folder).expect("it is ours");
}

fn main() {
    // `cargo test` runs benches, too, to see whether they do.
    if std::env::args().any(|argument| argument == "--bench") {
        graphs::tokio().block_on(print());
    }
}
