//! A process that is killed while it commits leaves everything behind that it acknowledged.

use std::io::{BufRead, BufReader};
use std::path::Path;

use fastrand::Rng;
use hotgraph::{Journal, SqliteJournal};

use super::work::{commit, verify_file};
use super::{child, is_soak};
use crate::journal::folder::Folder;

/// What a child says before the number of a commit that was acknowledged.
const COMMITTED: &str = "committed ";

#[tokio::test]
async fn child_that_commits_until_it_is_killed() {
    let Some(store) = child::store() else { return };
    let journal = SqliteJournal::open(store).await.unwrap();
    // The one before was killed, and holds nothing up.
    let epoch = journal.claim("a child").await.unwrap();
    let last = journal.size().await.unwrap().runs;
    for number in last + 1.. {
        commit(&journal, epoch, number).await.unwrap();
        println!("{COMMITTED}{number}");
    }
}

/// Starts a child, kills it after so many commits, and gives back the last one that it announced.
fn kill_after(commits: usize, store: &Path) -> u64 {
    let test = concat!(module_path!(), "::child_that_commits_until_it_is_killed");
    let mut child = child::command(test, store.to_owned(), None).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut numbers = lines.filter_map(|line| child::said(&line, COMMITTED)?.parse().ok());
    let reached = numbers.by_ref().take(commits).last();
    child.kill().unwrap();
    // What it had said before the signal counts too.
    let last = numbers.last().or(reached).unwrap();
    child.wait().unwrap();
    last
}

/// Kills one process after the other over one store.
async fn check_kills(kills: u64, rng: &mut Rng) {
    let folder = Folder::new();
    let store = folder.path().join("store.db");
    let mut unannounced = 0;
    for kill in 0..kills {
        let announced = kill_after(rng.usize(1..40), &store);
        // Reading all of it at every kill would take most of the time.
        let kept = match kill % 10 {
            9 => verify_file(&store).await,
            _ => SqliteJournal::open(&*store).await.unwrap().size().await.unwrap().runs,
        };
        let allowed = announced..=announced + 1;
        assert!(allowed.contains(&kept), "kill {kill}: {announced} announced, {kept} kept");
        unannounced += kept - announced;
    }
    let commits = verify_file(&store).await;
    println!("{kills} kills, {commits} commits, {unannounced} of them kept and not announced");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let stores = if is_soak() { 20 } else { 1 };
    for seed in 0..stores {
        check_kills(50, &mut Rng::with_seed(seed)).await;
    }
}
