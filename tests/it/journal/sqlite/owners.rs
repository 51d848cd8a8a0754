//! A store has one owner, whoever it is and however it ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hotgraph::{Epoch, Journal, JournalError, SqliteJournal};
use rusqlite::Connection;

use super::work::{commit, verify};
use crate::journal::folder::Folder;

async fn open(folder: &Folder) -> SqliteJournal {
    SqliteJournal::open(folder.path().join("store.db")).await.unwrap()
}

#[tokio::test]
async fn a_second_owner_waits_until_the_first_one_goes() {
    let folder = Folder::new();
    let (first, second) = (open(&folder).await, open(&folder).await);
    let old = first.claim("the first").await.unwrap();
    let refused = second.claim("the second").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the first".to_owned() }));
    commit(&first, old, 1).await.unwrap();
    first.release(old).await.unwrap();

    let new = second.claim("the second").await.unwrap();
    let fenced = Err(JournalError::Fenced { epoch: old, found: new });
    assert_eq!(commit(&first, old, 2).await, fenced);
    assert_eq!(first.vacuum(old).await, fenced);
    commit(&second, new, 2).await.unwrap();
    let refused = first.claim("the first").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the second".to_owned() }));
    // Who does not own it reads what the owner wrote.
    assert_eq!(verify(&first).await, 2);

    drop(second);
    assert_eq!(first.claim("the first").await, Ok(Epoch(new.0 + 1)));
}

#[tokio::test]
async fn everything_is_there_when_it_is_opened_again() {
    let folder = Folder::new();
    for number in 1..=20 {
        let journal = open(&folder).await;
        let epoch = journal.claim("a test").await.unwrap();
        assert_eq!(epoch, Epoch(number));
        commit(&journal, epoch, number).await.unwrap();
        // Dropped without a release: the lock goes with it.
        drop(journal);
        assert_eq!(verify(&open(&folder).await).await, number);
    }
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(left.len(), 2, "the store and the lock: {left:?}");
}

/// Polls a future once, and drops it.
fn give_up<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_claim_that_was_given_up_holds_nothing() {
    let folder = Folder::new();
    let journal = open(&folder).await;
    for _ in 0..200 {
        if let Poll::Ready(epoch) = give_up(journal.claim("nobody")) {
            // The answer was faster.
            journal.release(epoch.unwrap()).await.unwrap();
        }
        let epoch = journal.claim("a test").await.unwrap();
        journal.release(epoch).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_was_given_up_is_written_or_not() {
    let folder = Folder::new();
    for number in 1..=50 {
        let journal = open(&folder).await;
        let epoch = journal.claim("a test").await.unwrap();
        // Whether it was ready at once does not matter either.
        let _ = give_up(commit(&journal, epoch, number));
        if number % 2 == 0 {
            // Dropped with the request under way; the next one finds whatever it left.
            drop(journal);
            let journal = open(&folder).await;
            let epoch = journal.claim("a test").await.unwrap();
            commit(&journal, epoch, number).await.unwrap();
            assert_eq!(verify(&journal).await, number);
        } else {
            commit(&journal, epoch, number).await.unwrap();
            assert_eq!(verify(&journal).await, number);
        }
    }
}

#[tokio::test]
async fn more_requests_than_fit_the_channel_are_all_answered() {
    let folder = Folder::new();
    let journal = Arc::new(open(&folder).await);
    let epoch = journal.claim("a test").await.unwrap();
    commit(&*journal, epoch, 1).await.unwrap();
    let ask = |_| {
        tokio::spawn({
            let journal = journal.clone();
            async move { journal.size().await.unwrap().runs }
        })
    };
    for answer in (0..1_000).map(ask).collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_store_that_somebody_else_writes_to_cannot_be_reached() {
    let folder = Folder::new();
    let journal = open(&folder).await;
    let epoch = journal.claim("a test").await.unwrap();
    let other = Connection::open(folder.path().join("store.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = commit(&journal, epoch, 1).await;
    assert!(matches!(refused, Err(JournalError::Unavailable(_))), "{refused:?}");
    // Reading needs no lock.
    assert_eq!(verify(&journal).await, 0);
    other.execute_batch("ROLLBACK").unwrap();
    commit(&journal, epoch, 1).await.unwrap();
    assert_eq!(verify(&journal).await, 1);
}
