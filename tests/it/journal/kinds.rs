//! The journals that are checked. Another one is a factory and a test here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hotgraph::MemoryJournal;
#[cfg(feature = "sqlite")]
use hotgraph::SqliteJournal;

use super::conformance::check_all;
#[cfg(feature = "sqlite")]
use super::folder::Folder;
use super::subject::{Claiming, Subject};

/// Makes a fresh journal, with whatever has to live as long.
pub type Factory = fn() -> BoxFuture<'static, (Subject, Box<dyn Send>)>;

/// Claiming it takes it from an owner that lives: both are in one process, which is how a test
/// restarts a runtime without ending it.
const MEMORY: Factory = || {
    let journal = Arc::new(MemoryJournal::new());
    let subject = Subject { journal, claiming: Claiming::TakesOver };
    Box::pin(async { (subject, Box::new(()) as Box<dyn Send>) })
};

/// Claiming it is refused as long as the owner lives: there may be another process behind it.
#[cfg(feature = "sqlite")]
const SQLITE: Factory = || {
    Box::pin(async {
        let folder = Folder::new();
        let journal = SqliteJournal::open(folder.path().join("store.db")).await.unwrap();
        let subject = Subject { journal: Arc::new(journal), claiming: Claiming::Refuses };
        (subject, Box::new(folder) as Box<dyn Send>)
    })
};

#[tokio::test]
async fn a_journal_in_memory_keeps_every_promise() {
    check_all(MEMORY).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_journal_in_sqlite_keeps_every_promise() {
    check_all(SQLITE).await;
}
