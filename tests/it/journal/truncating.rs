//! What is taken back is gone, and nothing else is.

use hotgraph::{JournalError, RunId, RunQuery, Stream, Write};

use super::subject::{Subject, record, records, row, run};

/// Two runs of three records with their rows, and three records of the versions.
async fn fill(subject: &Subject) -> hotgraph::Epoch {
    let epoch = subject.claim().await;
    let mut writes = Vec::new();
    for stream in [run(1), run(2), Stream::Versions] {
        writes.extend(records(stream, 1..=3));
    }
    writes.extend([Write::Row(row(1, 1)), Write::Row(row(2, 2))]);
    subject.commit(epoch, writes).await;
    epoch
}

pub async fn records_after_the_number_go(subject: Subject) {
    let epoch = fill(&subject).await;
    for last in [3, 2, 1] {
        subject.commit(epoch, vec![Write::Truncate(run(1), last)]).await;
        assert_eq!(subject.numbers(run(1)).await, (1..=last).collect::<Vec<_>>());
    }
    assert_eq!(subject.numbers(run(2)).await, [1, 2, 3]);
    assert_eq!(subject.numbers(Stream::Versions).await, [1, 2, 3]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1), RunId(2)]);
}

pub async fn truncating_to_nothing_takes_the_row(subject: Subject) {
    let epoch = fill(&subject).await;
    for _ in 0..2 {
        subject.commit(epoch, vec![Write::Truncate(run(1), 0)]).await;
        assert_eq!(subject.records(run(1)).await, []);
        assert_eq!(subject.runs(RunQuery::default()).await, [RunId(2)]);
    }
    assert_eq!(subject.numbers(run(2)).await, [1, 2, 3]);
}

pub async fn truncating_the_versions_takes_no_row(subject: Subject) {
    let epoch = fill(&subject).await;
    subject.commit(epoch, vec![Write::Truncate(Stream::Versions, 1)]).await;
    assert_eq!(subject.numbers(Stream::Versions).await, [1]);
    subject.commit(epoch, vec![Write::Truncate(Stream::Versions, 0)]).await;
    assert_eq!(subject.records(Stream::Versions).await, []);
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1), RunId(2)]);
}

pub async fn truncating_what_is_not_there_changes_nothing(subject: Subject) {
    let epoch = fill(&subject).await;
    for last in [3, 4, i64::MAX as u64, u64::MAX] {
        subject.commit(epoch, vec![Write::Truncate(run(1), last)]).await;
    }
    subject.commit(epoch, vec![Write::Truncate(run(9), 0), Write::Truncate(run(9), 2)]).await;
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1), RunId(2)]);
}

pub async fn a_number_is_free_after_a_truncation(subject: Subject) {
    let epoch = fill(&subject).await;
    let writes = vec![
        Write::Truncate(run(1), 1),
        Write::Truncate(run(2), 0),
        record(run(1), 2, "new"),
        record(run(2), 1, "new"),
        Write::Row(row(2, 5)),
    ];
    // Repeated as it was, it ends in the same state.
    for _ in 0..2 {
        subject.commit(epoch, writes.clone()).await;
        assert_eq!(subject.bodies(run(1)).await, [format!("{} 1", run(1)), "new".to_owned()]);
        assert_eq!(subject.bodies(run(2)).await, ["new"]);
        assert_eq!(subject.rows(RunQuery::default()).await, [row(1, 1), row(2, 5)]);
    }
}

pub async fn writes_are_carried_out_in_their_order(subject: Subject) {
    let epoch = fill(&subject).await;
    let writes = vec![
        record(run(3), 1, "taken back"),
        Write::Row(row(3, 3)),
        Write::Truncate(run(3), 0),
        Write::Row(row(1, 4)),
        Write::Row(row(1, 9)),
        record(run(1), 4, "taken back"),
        Write::Truncate(run(1), 3),
        record(run(1), 4, "kept"),
    ];
    subject.commit(epoch, writes).await;
    assert_eq!(subject.records(run(3)).await, []);
    assert_eq!(subject.rows(RunQuery::default()).await, [row(2, 2), row(1, 9)]);
    assert_eq!(subject.bodies(run(1)).await[3], "kept");
}

pub async fn a_truncation_is_undone_by_a_conflict(subject: Subject) {
    let epoch = fill(&subject).await;
    let writes = vec![Write::Truncate(run(1), 0), record(run(2), 3, "other")];
    let refused = subject.try_commit(epoch, writes).await;
    assert_eq!(refused, Err(JournalError::Conflict { stream: run(2), seq: 3 }));
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1), RunId(2)]);
}
