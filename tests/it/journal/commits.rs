//! All or nothing, once, whatever is repeated.

use std::sync::Arc;

use hotgraph::{JournalError, Record, RunId, RunQuery, RunRow, Stream, Write};

use super::subject::{Subject, record, records, row, run};

pub async fn an_empty_commit_is_one(subject: Subject) {
    let epoch = subject.claim().await;
    subject.commit(epoch, vec![]).await;
    assert_eq!(subject.journal.size().await.unwrap().records, 0);
}

pub async fn an_empty_commit_of_another_epoch_is_refused(subject: Subject) {
    let (epoch, found) = subject.claim_anew().await;
    let refused = subject.try_commit(epoch, vec![]).await;
    assert_eq!(refused, Err(JournalError::Fenced { epoch, found }));
}

pub async fn a_commit_writes_everything(subject: Subject) {
    let epoch = subject.claim().await;
    let mut writes = records(run(1), 1..=3);
    writes.extend(records(Stream::Versions, 1..=2));
    writes.extend([Write::Row(row(1, 1)), Write::Row(row(2, 2))]);
    subject.commit(epoch, writes).await;
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
    assert_eq!(subject.numbers(Stream::Versions).await, [1, 2]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1), RunId(2)]);
    for stream in [run(1), Stream::Versions] {
        assert!(subject.records(stream).await.iter().all(|record| record.is_intact(stream)));
    }
}

pub async fn a_commit_may_be_repeated(subject: Subject) {
    let epoch = subject.claim().await;
    let mut writes = records(run(1), 1..=3);
    writes.push(Write::Row(row(1, 1)));
    let writes: Arc<[Write]> = writes.into();
    for _ in 0..3 {
        subject.journal.commit(epoch, writes.clone()).await.unwrap();
        assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
        assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1)]);
    }
}

pub async fn a_commit_may_be_repeated_with_more(subject: Subject) {
    let (past, epoch) = subject.claim_anew().await;
    assert_ne!(past, epoch);
    subject.commit(epoch, records(run(1), 1..=2)).await;
    subject.commit(epoch, records(run(1), 1..=5)).await;
    subject.journal.release(epoch).await.unwrap();
    // Whoever owns the store: a record that is there is there.
    let epoch = subject.claim().await;
    subject.commit(epoch, records(run(1), 4..=6)).await;
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3, 4, 5, 6]);
}

pub async fn another_body_is_a_conflict(subject: Subject) {
    let epoch = subject.claim().await;
    for stream in [Stream::Versions, run(7)] {
        subject.commit(epoch, vec![record(stream, 1, "this")]).await;
        let refused = subject.try_commit(epoch, vec![record(stream, 1, "that")]).await;
        assert_eq!(refused, Err(JournalError::Conflict { stream, seq: 1 }));
        assert_eq!(subject.bodies(stream).await, ["this"]);
    }
}

pub async fn another_checksum_is_a_conflict(subject: Subject) {
    let epoch = subject.claim().await;
    let stream = run(1);
    let known = Record::new(stream, 1, b"this".to_vec());
    let other = Record { check: !known.check, ..known.clone() };
    subject.commit(epoch, vec![Write::Record(stream, known.clone())]).await;
    let refused = subject.try_commit(epoch, vec![Write::Record(stream, other)]).await;
    assert_eq!(refused, Err(JournalError::Conflict { stream, seq: 1 }));
    assert_eq!(subject.records(stream).await, [known]);
}

pub async fn two_records_of_one_number_in_a_commit_are_a_conflict(subject: Subject) {
    let epoch = subject.claim().await;
    let stream = run(1);
    let writes = vec![record(stream, 1, "this"), record(stream, 1, "that")];
    let refused = subject.try_commit(epoch, writes).await;
    assert_eq!(refused, Err(JournalError::Conflict { stream, seq: 1 }));
    assert_eq!(subject.records(stream).await, []);
}

pub async fn the_same_record_twice_in_a_commit_is_one(subject: Subject) {
    let epoch = subject.claim().await;
    subject.commit(epoch, vec![record(run(1), 1, "this"), record(run(1), 1, "this")]).await;
    assert_eq!(subject.bodies(run(1)).await, ["this"]);
}

pub async fn a_commit_with_a_conflict_writes_nothing(subject: Subject) {
    let epoch = subject.claim().await;
    let mut known = records(run(1), 1..=2);
    known.push(Write::Row(row(1, 1)));
    subject.commit(epoch, known).await;
    // Whatever stands before and behind the conflict.
    let mut writes = records(run(1), 3..=4);
    writes.extend([Write::Row(row(2, 2)), Write::Row(RunRow { records: 4, ..row(1, 1) }.sealed())]);
    writes.extend([Write::Truncate(run(1), 2), record(run(1), 2, "other")]);
    writes.extend(records(Stream::Versions, 1..=1));
    let refused = subject.try_commit(epoch, writes).await;
    assert_eq!(refused, Err(JournalError::Conflict { stream: run(1), seq: 2 }));
    assert_eq!(subject.numbers(run(1)).await, [1, 2]);
    assert_eq!(subject.records(Stream::Versions).await, []);
    assert_eq!(subject.rows(RunQuery::default()).await, [row(1, 1)]);
    // And it goes on.
    subject.commit(epoch, records(run(1), 3..=3)).await;
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
}

pub async fn what_is_damaged_is_read_as_it_is(subject: Subject) {
    let epoch = subject.claim().await;
    let stream = run(1);
    let damaged = Record { check: 17, ..Record::new(stream, 1, b"damaged".to_vec()) };
    let damaged_row = RunRow { check: 17, ..row(1, 1) };
    let writes = vec![Write::Record(stream, damaged.clone()), Write::Row(damaged_row.clone())];
    subject.commit(epoch, writes).await;
    assert_eq!(subject.records(stream).await, [damaged]);
    assert_eq!(subject.rows(RunQuery::default()).await, [damaged_row]);
    assert!(!subject.records(stream).await[0].is_intact(stream));
}

pub async fn many_commits_at_once_are_all_written(subject: Subject) {
    const COMMITS: u64 = 200;
    let epoch = subject.claim().await;
    let commit = |id: u64| {
        let subject = subject.clone();
        tokio::spawn(async move {
            let mut writes = records(run(u128::from(id)), 1..=3);
            writes.extend(records(Stream::Versions, id..=id));
            writes.push(Write::Row(row(u128::from(id), id)));
            subject.commit(epoch, writes).await;
        })
    };
    for task in (1..=COMMITS).map(commit).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(subject.numbers(Stream::Versions).await, (1..=COMMITS).collect::<Vec<_>>());
    assert_eq!(subject.rows(RunQuery::default()).await.len(), COMMITS as usize);
    for id in 1..=COMMITS {
        assert_eq!(subject.numbers(run(u128::from(id))).await, [1, 2, 3]);
    }
}
