//! Random commits leave the same behind as in a journal in memory, the simplest one.

use std::sync::Arc;

use fastrand::Rng;
use hotgraph::{MemoryJournal, RunId, RunQuery, RunRow, Stream, Timestamp, Write};

use super::subject::{Claiming, Subject, record, row, run};

const ROUNDS: u64 = 150;

fn stream(rng: &mut Rng) -> Stream {
    match rng.u128(0..5) {
        0 => Stream::Versions,
        4 => Stream::Count,
        id => run(id),
    }
}

/// One write; few numbers and texts, so that repetitions and conflicts are frequent.
fn write(rng: &mut Rng) -> Write {
    match rng.u8(0..10) {
        0..6 => record(stream(rng), rng.u64(1..12), ["a", "a", "a", "b"][rng.usize(0..4)]),
        6..8 => {
            let plain = row(rng.u128(1..4), rng.u64(0..3));
            let ended_at = rng.bool().then_some(Timestamp(7));
            Write::Row(RunRow { ended_at, records: rng.u64(0..5), ..plain }.sealed())
        }
        _ => Write::Truncate(stream(rng), rng.u64(0..8)),
    }
}

pub async fn it_agrees_with_a_journal_in_memory(subject: Subject) {
    let simple = Arc::new(MemoryJournal::new());
    let simple = Subject { journal: simple, claiming: Claiming::TakesOver };
    let (epoch, simple_epoch) = (subject.claim().await, simple.claim().await);
    for seed in 0..ROUNDS {
        let rng = &mut Rng::with_seed(seed);
        let writes: Vec<_> = (0..rng.usize(1..6)).map(|_| write(rng)).collect();
        let outcome = subject.try_commit(epoch, writes.clone()).await;
        let expected = simple.try_commit(simple_epoch, writes.clone()).await;
        assert_eq!(outcome, expected, "commit {seed}: {writes:?}");
        if rng.u8(0..10) == 0 {
            let runs: Arc<[RunId]> = [RunId(rng.u128(1..4))].into();
            let deleted = subject.journal.delete(epoch, runs.clone()).await;
            assert_eq!(deleted, simple.journal.delete(simple_epoch, runs).await, "commit {seed}");
        }
        for stream in [Stream::Versions, Stream::Count, run(1), run(2), run(3)] {
            assert_eq!(subject.records(stream).await, simple.records(stream).await, "{seed}");
        }
        let rows = subject.rows(RunQuery::default()).await;
        assert_eq!(rows, simple.rows(RunQuery::default()).await, "commit {seed}");
    }
}
