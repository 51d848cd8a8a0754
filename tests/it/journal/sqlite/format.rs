//! The format of a store is known, or the store is refused.

use std::path::PathBuf;

use hotgraph::{Journal, JournalError, SqliteJournal};
use rusqlite::Connection;

use crate::journal::folder::Folder;
use crate::journal::frozen::{Frozen, check_applied, check_files};

/// Every migration. A line is added and never changed.
const FROZEN: [Frozen; 1] =
    [("0001_journal", "8905b28e6891ab3d616f9d4c06bd5ca20a84251e02f64fec3126bd3ee7b00529")];

#[test]
fn migrations_are_frozen() {
    check_files("src/journal/sqlite/migrations", &FROZEN);
}

#[tokio::test]
async fn a_store_knows_what_was_applied_to_it() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    // The second time nothing is to be done.
    for _ in 0..2 {
        drop(SqliteJournal::open(&path).await.unwrap());
        let store = Connection::open(&path).unwrap();
        let mut applied = store.prepare("SELECT number, name, checksum FROM migrations").unwrap();
        let applied = applied.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let applied: Vec<(i64, String, String)> = applied.unwrap().map(Result::unwrap).collect();
        check_applied(applied, &FROZEN);
    }
}

/// A store that was changed.
async fn changed(change: &str) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    drop(SqliteJournal::open(&path).await.unwrap());
    Connection::open(&path).unwrap().execute_batch(change).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_store_of_a_later_format_is_refused() {
    let known = FROZEN.len() as u64;
    let later = format!("INSERT INTO migrations VALUES ({}, 'later', 'sum')", known + 1);
    let (_folder, path) = changed(&later).await;
    let refused = SqliteJournal::open(path).await.map(drop);
    assert_eq!(refused, Err(JournalError::Format { found: known + 1, known }));
}

async fn check_other(change: &str) {
    let (_folder, path) = changed(change).await;
    match SqliteJournal::open(path).await {
        Err(JournalError::Unusable(why)) => {
            assert!(why.contains("migration 0001_journal is another one"), "{change}: {why}");
        }
        other => panic!("{change}: {other:?}"),
    }
}

#[tokio::test]
async fn a_store_to_which_something_else_was_applied_is_refused() {
    check_other("UPDATE migrations SET checksum = 'sum' WHERE number = 1").await;
    check_other("UPDATE migrations SET number = 2 WHERE number = 1").await;
}

#[tokio::test]
async fn a_store_without_its_tables_is_refused() {
    for change in ["DELETE FROM owner", "DROP TABLE owner", "DROP TABLE records"] {
        let (_folder, path) = changed(change).await;
        let journal = SqliteJournal::open(path).await.unwrap();
        let claimed = journal.claim("a test").await.map(drop);
        let outcomes = [claimed, journal.size().await.map(drop)];
        let is_refused = outcomes.iter().any(|one| matches!(one, Err(JournalError::Unusable(_))));
        assert!(is_refused, "{change}: {outcomes:?}");
    }
}
