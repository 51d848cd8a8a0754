//! What is no store is refused, with the reason.

use std::fs;
use std::path::Path;

use hotgraph::{JournalError, SqliteConfig, SqliteJournal};
use rusqlite::Connection;

use super::work::{commit, verify};
use crate::journal::folder::Folder;
use hotgraph::Journal;

async fn refused(path: &Path) -> JournalError {
    SqliteJournal::open(path).await.expect_err("it was opened")
}

fn check(error: JournalError, expected: fn(String) -> JournalError, words: &[&str]) {
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "`{word}` is not in `{said}`");
    }
    let (JournalError::Storage(why) | JournalError::Unusable(why)) = error.clone() else {
        panic!("{error:?}");
    };
    assert_eq!(error, expected(why));
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_named() {
    let folder = Folder::new();
    let missing = folder.path().join("no/such/directory/store.db");
    let words = ["no/such/directory/store.db", "No such file or directory"];
    check(refused(&missing).await, JournalError::Storage, &words);
    check(refused(folder.path()).await, JournalError::Storage, &["directory"]);
    check(refused(Path::new("")).await, JournalError::Storage, &["No such file"]);
    assert!(!missing.parent().unwrap().exists(), "directories are not made");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let store = folder.path().join("store.db");
    drop(SqliteJournal::open(&store).await.unwrap());
    fs::set_permissions(&store, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&store).is_ok() {
        println!("skipped: permissions mean nothing to this user");
        return;
    }
    check(refused(&store).await, JournalError::Storage, &["store.db", "Permission denied"]);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.path().join("notes.txt");
    for text in ["no database".to_owned(), "no database\n".repeat(10_000)] {
        fs::write(&path, &text).unwrap();
        let words = ["notes.txt", "file is not a database"];
        check(refused(&path).await, JournalError::Unusable, &words);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn the_database_of_somebody_else_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    check(refused(&path).await, JournalError::Unusable, &["other.db", "it holds other tables"]);
    assert!(fs::read(&path).unwrap() == before, "it was changed");
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let folder = Folder::new();
    let path = folder.path().join("Speicher größer?.db");
    fs::write(&path, "").unwrap();
    let journal = SqliteJournal::open(&path).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    commit(&journal, epoch, 1).await.unwrap();
    drop(journal);
    let by_url = format!("sqlite://{}", path.with_file_name("url.db").display());
    drop(SqliteJournal::open(by_url.as_str()).await.unwrap());
    assert!(path.with_file_name("url.db").exists());
    assert_eq!(verify(&SqliteJournal::open(&path).await.unwrap()).await, 1);
}

#[tokio::test]
async fn a_name_that_means_something_to_sqlite_is_a_file() {
    let folder = Folder::new();
    for name in [":memory:", "file:store.db?mode=memory"] {
        let path = folder.path().join(name);
        drop(SqliteJournal::open(SqliteConfig::new(&path)).await.unwrap());
        assert!(path.metadata().unwrap().len() > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_new_store_may_be_opened_by_many_at_once() {
    for _ in 0..5 {
        let folder = Folder::new();
        let path = folder.path().join("store.db");
        let open = |_| tokio::spawn(SqliteJournal::open(path.clone()));
        for journal in (0..8).map(open).collect::<Vec<_>>() {
            assert_eq!(verify(&journal.await.unwrap().unwrap()).await, 0);
        }
    }
}
