//! A store has one owner, whoever it is and however it ends.

use hotgraph::{Epoch, Journal, JournalError, SqliteJournal};
use rusqlite::Connection;

use super::work::{commit, verify};
use crate::journal::folder::Folder;
use crate::journal::owners;

async fn open(folder: &Folder) -> SqliteJournal {
    SqliteJournal::open(folder.path().join("store.db")).await.unwrap()
}

#[tokio::test]
async fn a_second_owner_waits_until_the_first_one_goes() {
    let folder = Folder::new();
    owners::a_second_owner_waits_until_the_first_one_goes(async || open(&folder).await).await;
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

#[tokio::test]
async fn a_claim_that_was_given_up_holds_nothing() {
    let folder = Folder::new();
    owners::a_claim_that_was_given_up_holds_nothing(async || open(&folder).await).await;
}

#[tokio::test]
async fn a_commit_that_was_given_up_is_written_or_not() {
    let folder = Folder::new();
    owners::a_commit_that_was_given_up_is_written_or_not(async || open(&folder).await).await;
}

#[tokio::test]
async fn more_requests_than_fit_the_channel_are_all_answered() {
    let folder = Folder::new();
    owners::more_requests_than_fit_the_channel_are_all_answered(open(&folder).await).await;
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
