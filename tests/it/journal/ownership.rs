//! One owner at a time, and nothing is written by an earlier one.

use hotgraph::{Epoch, JournalError, RunId, RunQuery, Stream, Write};

use super::subject::{ALL, Claiming, Subject, record, records, row, run};

pub async fn epochs_grow(subject: Subject) {
    let first = subject.claim().await;
    assert!(first > Epoch(0), "nobody owns a store at epoch 0");
    subject.journal.release(first).await.unwrap();
    assert_eq!(subject.claim().await, Epoch(first.0 + 1));
}

pub async fn an_owned_store_is_claimed_as_said(subject: Subject) {
    let first = subject.journal.claim("the first").await.unwrap();
    let second = subject.journal.claim("the second").await;
    let expected = match subject.claiming {
        Claiming::TakesOver => Ok(Epoch(first.0 + 1)),
        Claiming::Refuses => Err(JournalError::Owned { owner: "the first".to_owned() }),
    };
    assert_eq!(second, expected);
    let latest = second.unwrap_or(first);
    subject.commit(latest, records(Stream::Versions, 1..=1)).await;
}

pub async fn a_released_store_can_be_claimed(subject: Subject) {
    for round in 1..=3 {
        let epoch = subject.claim().await;
        subject.commit(epoch, records(run(1), round..=round)).await;
        subject.journal.release(epoch).await.unwrap();
    }
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
}

pub async fn releasing_an_old_epoch_changes_nothing(subject: Subject) {
    let (past, epoch) = subject.claim_anew().await;
    subject.journal.release(past).await.unwrap();
    subject.commit(epoch, records(run(1), 1..=1)).await;
    if subject.claiming == Claiming::Refuses {
        let claimed = subject.journal.claim("another").await;
        assert!(matches!(claimed, Err(JournalError::Owned { .. })), "{claimed:?}");
    }
}

/// Every epoch but the latest: the one before, none at all, and one that is still to come.
async fn others(subject: &Subject) -> (Epoch, Vec<Epoch>) {
    let (past, epoch) = subject.claim_anew().await;
    (epoch, vec![past, Epoch(0), Epoch(epoch.0 + 1), Epoch(u64::MAX)])
}

pub async fn another_epoch_writes_nothing(subject: Subject) {
    let (found, others) = others(&subject).await;
    for epoch in others {
        let writes = vec![record(run(1), 1, "late"), Write::Row(row(1, 1))];
        let expected = Err(JournalError::Fenced { epoch, found });
        assert_eq!(subject.try_commit(epoch, writes).await, expected);
    }
    assert_eq!(subject.records(run(1)).await, []);
    assert_eq!(subject.rows(RunQuery::default()).await, []);
}

pub async fn another_epoch_truncates_nothing(subject: Subject) {
    let (found, others) = others(&subject).await;
    subject.commit(found, records(run(1), 1..=3)).await;
    for epoch in others {
        let writes = vec![Write::Truncate(run(1), 0)];
        let expected = Err(JournalError::Fenced { epoch, found });
        assert_eq!(subject.try_commit(epoch, writes).await, expected);
    }
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3]);
}

pub async fn another_epoch_deletes_nothing(subject: Subject) {
    let (found, others) = others(&subject).await;
    subject.commit(found, vec![record(run(1), 1, "kept"), Write::Row(row(1, 1))]).await;
    for epoch in others {
        let deleted = subject.journal.delete(epoch, [RunId(1)].into()).await;
        assert_eq!(deleted, Err(JournalError::Fenced { epoch, found }));
    }
    assert_eq!(subject.numbers(run(1)).await, [1]);
    assert_eq!(subject.runs(RunQuery::default()).await, [RunId(1)]);
}

pub async fn another_epoch_vacuums_nothing(subject: Subject) {
    let (found, others) = others(&subject).await;
    for epoch in others {
        let vacuumed = subject.journal.vacuum(epoch).await;
        assert_eq!(vacuumed, Err(JournalError::Fenced { epoch, found }));
    }
    subject.journal.vacuum(found).await.unwrap();
}

/// Reading needs no epoch: also who never claimed the store reads it.
pub async fn another_epoch_reads(subject: Subject) {
    assert_eq!(subject.records(run(1)).await, []);
    let epoch = subject.claim().await;
    subject.commit(epoch, records(run(1), 1..=2)).await;
    subject.journal.release(epoch).await.unwrap();
    assert_eq!(subject.journal.read(run(1), 0, ALL).await.unwrap().len(), 2);
}
