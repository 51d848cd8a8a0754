//! The commits of a number, and the check of a store in a file.

use std::path::Path;

use hotgraph::{Journal, SqliteJournal};

pub use crate::journal::work::{commit, verify};

/// Opens a store that nobody owns, and checks it; gives back the number of its last commit.
pub async fn verify_file(path: &Path) -> u64 {
    let journal = SqliteJournal::open(path).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    let last = verify(&journal).await;
    // It takes what comes next.
    journal.commit(epoch, [].into()).await.unwrap();
    last
}
