//! A store whose file is taken away while it is open, and put back.

use std::fs;
use std::path::Path;

use hotgraph::{Epoch, Journal, JournalError, SqliteJournal};

use super::work::{commit, verify, verify_file};
use crate::journal::folder::Folder;

/// Takes the file away, in some way or other; the store is in `other.db` then.
fn take_away(store: &Path, other: &Path, way: usize) {
    fs::rename(store, other).unwrap();
    match way {
        0 => {}
        1 => fs::write(store, "").unwrap(),
        _ => drop(fs::copy(other, store).unwrap()),
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_that_goes_to_a_file_which_nobody_finds_again() {
    for way in 0..3 {
        let folder = Folder::new();
        let (store, other) = (folder.path().join("store.db"), folder.path().join("other.db"));
        let journal = SqliteJournal::open(&*store).await.unwrap();
        let epoch = journal.claim("a test").await.unwrap();
        commit(&journal, epoch, 1).await.unwrap();
        take_away(&store, &other, way);
        for _ in 0..2 {
            let refused = commit(&journal, epoch, 2).await;
            assert!(matches!(refused, Err(JournalError::Storage(_))), "way {way}: {refused:?}");
        }
        fs::rename(&other, &store).unwrap();
        commit(&journal, epoch, 2).await.unwrap();
        assert_eq!(verify(&journal).await, 2, "way {way}");
        drop(journal);
        assert_eq!(verify_file(&store).await, 2, "way {way}");
    }
}

/// A store whose file and folder were removed, of which the folder is there again.
async fn removed() -> (Folder, SqliteJournal, Epoch) {
    let folder = Folder::new();
    let journal = SqliteJournal::open(&*folder.path().join("store.db")).await.unwrap();
    let epoch = journal.claim("the first").await.unwrap();
    commit(&journal, epoch, 1).await.unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    (folder, journal, epoch)
}

#[tokio::test]
async fn whoever_makes_a_new_store_in_the_place_of_one_that_was_removed_is_its_only_owner() {
    let (folder, first, of_first) = removed().await;
    let store = folder.path().join("store.db");
    let second = SqliteJournal::open(&*store).await.unwrap();
    let of_second = second.claim("the second").await.unwrap();
    commit(&second, of_second, 1).await.unwrap();
    let refused = commit(&first, of_first, 2).await;
    assert!(matches!(refused, Err(JournalError::Storage(_))), "{refused:?}");
    drop(first);
    commit(&second, of_second, 2).await.unwrap();
    drop(second);
    assert_eq!(verify_file(&store).await, 2);
}

/// The number of a file that nobody has open is the next file's.
#[tokio::test]
async fn a_store_is_told_from_the_next_one_that_has_the_number_of_its_file() {
    for round in 0..20 {
        let (folder, first, of_first) = removed().await;
        let store = folder.path().join("store.db");
        let refused = commit(&first, of_first, 2).await;
        assert!(matches!(refused, Err(JournalError::Storage(_))), "{round}: {refused:?}");
        let second = SqliteJournal::open(&*store).await.unwrap();
        let of_second = second.claim("the second").await.unwrap();
        commit(&second, of_second, 1).await.unwrap();
        let refused = commit(&first, of_first, 2).await;
        assert!(matches!(refused, Err(JournalError::Storage(_))), "{round}: {refused:?}");
    }
}
