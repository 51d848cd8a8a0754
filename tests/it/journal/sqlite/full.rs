//! A store without room says so, loses nothing, and goes on when there is room again.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command};

use hotgraph::{Epoch, Journal, JournalError, RunId, SqliteConfig, SqliteJournal};

use super::child;
use super::work::{commit, verify, verify_file};
use crate::journal::folder::Folder;

const COMMITTED: &str = "committed ";
const REFUSED: &str = "refused ";
const ENOUGH: u64 = 400;

/// Commits until it is refused, and gives back the number that was.
async fn fill(journal: &SqliteJournal, epoch: Epoch) -> (u64, JournalError) {
    for number in 1..=ENOUGH {
        if let Err(error) = commit(journal, epoch, number).await {
            return (number, error);
        }
    }
    panic!("{ENOUGH} commits fit");
}

#[tokio::test]
async fn a_store_grows_to_its_bound_and_uses_free_space_again() {
    for kilobytes in [200, 201, 300, 1_000] {
        let folder = Folder::new();
        let store = folder.path().join("store.db");
        let config = SqliteConfig::new(&store).max_bytes(kilobytes << 10);
        let journal = SqliteJournal::open(config).await.unwrap();
        let epoch = journal.claim("a test").await.unwrap();
        let (refused, error) = fill(&journal, epoch).await;
        assert!(matches!(error, JournalError::Full(_)) && error.is_temporary(), "{error:?}");
        assert_eq!(verify(&journal).await, refused - 1, "all that was acknowledged, no more");
        // Again and again, it stays as it is.
        for _ in 0..3 {
            assert_eq!(commit(&journal, epoch, refused).await, Err(error.clone()));
        }
        let runs: Vec<_> = (1..refused).map(|number| RunId(u128::from(number))).collect();
        journal.delete(epoch, runs.into()).await.unwrap();
        commit(&journal, epoch, refused).await.unwrap();
        drop(journal);
        assert!(store.metadata().unwrap().len() <= kilobytes << 10);
    }
}

/// What `work` gives once it succeeds; when it is refused it says so, and waits for a line.
async fn with_patience<T>(work: impl AsyncFn() -> Result<T, JournalError>) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => {
                println!("{REFUSED}{error:?}");
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn child_that_commits_without_room() {
    let Some(store) = child::store() else { return };
    let journal = with_patience(async || SqliteJournal::open(&*store).await).await;
    let epoch = with_patience(async || journal.claim("a child").await).await;
    for number in 1..=ENOUGH {
        with_patience(async || commit(&journal, epoch, number).await).await;
        println!("{COMMITTED}{number}");
    }
}

/// Lifts the limit on the files of a process.
fn give_room(child: &Child) -> bool {
    let arguments = [format!("--pid={}", child.id()), "--fsize=unlimited".to_owned()];
    Command::new("prlimit").args(arguments).status().is_ok_and(|status| status.success())
}

/// Starts a child whose files may not grow beyond so many blocks of 512 bytes; gives back what it
/// was refused with.
fn starve(blocks: u64, store: &Path) -> Vec<String> {
    // A write beyond the limit fails, instead of a signal that ends the process.
    let line = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$@\"");
    let test = concat!(module_path!(), "::child_that_commits_without_room");
    let mut child = child::command(test, store.to_owned(), Some(&line)).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (mut refused, mut committed) = (Vec::new(), 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(error) = child::said(&line, REFUSED) {
            refused.push(error.to_owned());
            // The first times nothing has changed, and it is refused again.
            assert!(refused.len() < 3 || give_room(&child), "the limit cannot be lifted");
            stdin.write_all(b"go on\n").unwrap();
        }
        committed = child::said(&line, COMMITTED).map_or(committed, |said| said.parse().unwrap());
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(committed, ENOUGH, "it did not go on");
    refused
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_store_whose_writes_fail_goes_on_when_they_do_not() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: without `prlimit` the limit cannot be lifted");
        return;
    }
    // From no file at all to one that is refused in the middle of a checkpoint.
    for blocks in [0, 8, 20, 65, 66, 80, 100, 300, 801, 1_500, 2_001, 3_000, 4_000] {
        let folder = Folder::new();
        let store = folder.path().join("store.db");
        let refused = starve(blocks, &store);
        assert!(refused.len() >= 3, "{blocks} blocks: {refused:?}");
        let is_typed = |said: &String| said.starts_with("Storage") || said.starts_with("Full");
        assert!(refused.iter().all(is_typed), "{blocks} blocks: {refused:?}");
        assert_eq!(verify_file(&store).await, ENOUGH, "{blocks} blocks");
    }
}
