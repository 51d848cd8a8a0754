//! Deleting, counting, and giving space back.

use hotgraph::{JournalSize, Record, RunId, RunQuery, RunRow, Stream, Timestamp, Write};

use super::subject::{Subject, records, row, run};

/// Runs of two records each, with their rows, and two records of the versions.
async fn fill(subject: &Subject, runs: u128) -> hotgraph::Epoch {
    let epoch = subject.claim().await;
    let mut writes = records(Stream::Versions, 1..=2);
    for id in 1..=runs {
        writes.extend(records(run(id), 1..=2));
        writes.push(Write::Row(row(id, id as u64)));
    }
    subject.commit(epoch, writes).await;
    epoch
}

pub async fn a_deleted_run_is_gone(subject: Subject) {
    let epoch = fill(&subject, 4).await;
    let deleted = subject.journal.delete(epoch, [RunId(1), RunId(3)].into()).await;
    assert_eq!(deleted, Ok(2));
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(2), RunId(4)]);
    for (id, left) in [(1, 0), (2, 2), (3, 0), (4, 2)] {
        assert_eq!(subject.records(run(id)).await.len(), left, "run {id}");
    }
    assert_eq!(subject.numbers(Stream::Versions).await, [1, 2]);
    // Its identity is free again.
    subject.commit(epoch, vec![Write::Row(row(1, 9))]).await;
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(2), RunId(4), RunId(1)]);
}

pub async fn deleting_counts_the_runs_that_were_there(subject: Subject) {
    let epoch = fill(&subject, 2).await;
    // One of them twice, and one that nobody knows.
    let runs = [RunId(1), RunId(1), RunId(8)];
    assert_eq!(subject.journal.delete(epoch, runs.into()).await, Ok(1));
    assert_eq!(subject.journal.delete(epoch, runs.into()).await, Ok(0));
    assert_eq!(subject.journal.delete(epoch, [].into()).await, Ok(0));
    // Records without a row are deleted too, and are no run.
    subject.commit(epoch, records(run(5), 1..=2)).await;
    assert_eq!(subject.journal.delete(epoch, [RunId(5)].into()).await, Ok(0));
    assert_eq!(subject.records(run(5)).await, []);
}

async fn size(subject: &Subject) -> (u64, u64, u64) {
    let JournalSize { runs, unfinished, records, .. } = subject.journal.size().await.unwrap();
    (runs, unfinished, records)
}

pub async fn sizes_are_counted(subject: Subject) {
    assert_eq!(size(&subject).await, (0, 0, 0));
    let epoch = fill(&subject, 3).await;
    assert_eq!(size(&subject).await, (3, 3, 8));
    let ended = RunRow { ended_at: Some(Timestamp(9)), ..row(2, 2) }.sealed();
    subject.commit(epoch, vec![Write::Row(ended)]).await;
    assert_eq!(size(&subject).await, (3, 2, 8));
    subject.commit(epoch, vec![Write::Truncate(run(3), 0)]).await;
    assert_eq!(size(&subject).await, (2, 1, 6));
    subject.journal.delete(epoch, [RunId(2)].into()).await.unwrap();
    assert_eq!(size(&subject).await, (1, 1, 4));
    let before = subject.journal.size().await.unwrap().bytes;
    let large = Record::new(run(1), 3, vec![7; 100_000]);
    subject.commit(epoch, vec![Write::Record(run(1), large)]).await;
    assert!(subject.journal.size().await.unwrap().bytes >= before + 100_000);
}

pub async fn a_vacuum_keeps_everything(subject: Subject) {
    let epoch = fill(&subject, 10).await;
    let large = Record::new(run(1), 3, vec![7; 3_000_000]);
    subject.commit(epoch, vec![Write::Record(run(1), large)]).await;
    subject.journal.delete(epoch, [RunId(1)].into()).await.unwrap();
    let rows = subject.rows(RunQuery::default()).await;
    subject.journal.vacuum(epoch).await.unwrap();
    assert!(
        subject.journal.size().await.unwrap().bytes < 1_000_000,
        "the space was not given back"
    );
    assert_eq!(subject.rows(RunQuery::default()).await, rows);
    assert_eq!(subject.numbers(Stream::Versions).await, [1, 2]);
    for id in 2..=10 {
        assert_eq!(subject.numbers(run(id)).await, [1, 2]);
    }
    subject.commit(epoch, records(run(2), 3..=3)).await;
    assert_eq!(subject.numbers(run(2)).await, [1, 2, 3]);
}
