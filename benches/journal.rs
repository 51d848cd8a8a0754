//! Group commits through the journal in SQLite, beside the same rows inserted with SQLite alone.
//!
//! `cargo bench --features sqlite --bench journal`; with `--features postgres` too, and a server in
//! `HOTGRAPH_TEST_POSTGRES_URL`, also through the one in PostgreSQL.

#[path = "graphs.rs"]
mod graphs;
#[path = "stage.rs"]
mod stage;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use hotgraph::{
    GraphName, Journal, Record, RunId, RunRow, SqliteJournal, Stream, Timestamp, VersionNumber,
    Write,
};
use rusqlite::Connection;
use stage::Stage;

/// How many records share a commit.
const RECORDS: [u64; 3] = [1, 32, 512];

/// What a completed state with a small output takes.
const BODY: usize = 128;

const RUN: RunId = RunId(7);

/// The next records of one run, and its row.
fn writes(next: &Cell<u64>, records: u64) -> (Vec<Record>, RunRow) {
    let first = next.get();
    next.set(first + records);
    let record = |seq| Record::new(Stream::Run(RUN), seq, vec![seq as u8; BODY]);
    let row = RunRow {
        run: RUN,
        graph: GraphName::from("graph"),
        version: VersionNumber(1),
        key: None,
        status: "RUNNING".into(),
        started_at: Timestamp(1),
        ended_at: None,
        records: first + records - 1,
        check: 0,
    };
    ((first..first + records).map(record).collect(), row.sealed())
}

fn commit(criterion: &mut Criterion) {
    let tokio = graphs::tokio();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-journal");
    // It is there only if an earlier run was cut off.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the build output can be written to");
    let mut stage = Stage::new(criterion, "commit", &tokio);
    for records in RECORDS {
        let floor = Floor::open(&tokio, folder.join(format!("floor-{records}.db")));
        stage.measure("floor", "floor", records, async || floor.commit(records));

        let path = folder.join(format!("sqlite-{records}.db"));
        let journal = tokio.block_on(SqliteJournal::open(path)).expect("it is a new store");
        measure(&mut stage, &tokio, "sqlite", records, journal);
        #[cfg(feature = "postgres")]
        if let Some(journal) = postgres(&tokio) {
            measure(&mut stage, &tokio, "postgres", records, journal);
        }
    }
    stage.finish();
    // What is left is removed by the next run.
    let _ = fs::remove_dir_all(&folder);
}

/// Measures commits of so many records through a journal.
fn measure(
    stage: &mut Stage<'_>,
    tokio: &tokio::runtime::Runtime,
    name: &'static str,
    records: u64,
    journal: impl Journal,
) {
    let epoch = tokio.block_on(journal.claim("a bench")).expect("nobody else knows it");
    let next = Cell::new(1);
    stage.measure(name, "floor", records, async || {
        let (records, row) = writes(&next, records);
        let records = records.into_iter().map(|one| Write::Record(Stream::Run(RUN), one));
        let writes: Arc<[Write]> = records.chain([Write::Row(row)]).collect();
        journal.commit(epoch, writes).await.expect("there is room");
    });
}

/// A new store on the server that the environment names, which is not the one of the floor: what it
/// takes is what its disk and the way to it take.
#[cfg(feature = "postgres")]
fn postgres(tokio: &tokio::runtime::Runtime) -> Option<hotgraph::PostgresJournal> {
    static MADE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let url = std::env::var("HOTGRAPH_TEST_POSTGRES_URL").ok()?;
    // Relaxed: all that counts is that no two get the same number.
    let number = MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let schema = format!("hotgraph_bench_{}_{number}", std::process::id());
    let config = hotgraph::PostgresConfig::new(url).schema(schema);
    let journal = tokio.block_on(hotgraph::PostgresJournal::connect(config));
    Some(journal.expect("the server that is named is there"))
}

/// The tables of a journal, written to without one.
struct Floor {
    db: RefCell<Connection>,
    next: Cell<u64>,
}

impl Floor {
    fn open(tokio: &tokio::runtime::Runtime, path: PathBuf) -> Self {
        let journal = tokio.block_on(SqliteJournal::open(&path)).expect("it is a new store");
        drop(journal);
        let db = Connection::open(path).expect("it was just made");
        db.execute_batch("PRAGMA synchronous = FULL").expect("it is a setting");
        db.execute(
            "INSERT INTO runs VALUES (?1, 'default', 'graph', 1, NULL, 'RUNNING', 1, NULL, 0, 0)",
            [RUN.0.to_be_bytes()],
        )
        .expect("there is no run yet");
        Self { db: RefCell::new(db), next: Cell::new(1) }
    }

    fn commit(&self, records: u64) {
        self.insert(records).expect("there is room");
    }

    fn insert(&self, records: u64) -> rusqlite::Result<()> {
        let (records, row) = writes(&self.next, records);
        let mut db = self.db.borrow_mut();
        let transaction = db.transaction()?;
        let mut insert =
            transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4)")?;
        for Record { seq, body, check } in records {
            let (seq, check) = (seq.cast_signed(), check.cast_signed());
            insert.execute((RUN.0.to_be_bytes(), seq, check, body))?;
        }
        drop(insert);
        let sql = "UPDATE runs SET records = ?2, checksum = ?3 WHERE run = ?1";
        let (records, check) = (row.records.cast_signed(), row.check.cast_signed());
        let run = RUN.0.to_be_bytes();
        transaction.prepare_cached(sql)?.execute((run, records, check))?;
        transaction.commit()
    }
}

criterion_group!(benches, commit);
criterion_main!(benches);
