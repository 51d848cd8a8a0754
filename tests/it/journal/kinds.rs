//! The journals that are checked. Another one is a factory and a test here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hotgraph::MemoryJournal;
#[cfg(feature = "postgres")]
use hotgraph::PostgresJournal;
#[cfg(feature = "sqlite")]
use hotgraph::SqliteJournal;

use super::conformance::check_all;
#[cfg(feature = "sqlite")]
use super::folder::Folder;
#[cfg(feature = "postgres")]
use super::postgres::Server;
use super::subject::{Claiming, Subject};

/// A fresh journal, with whatever has to live as long.
pub type Fresh = BoxFuture<'static, (Subject, Box<dyn Send>)>;

/// Makes a fresh journal.
type Factory = fn() -> Fresh;

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

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_journal_in_postgres_keeps_every_promise() {
    let Some(server) = Server::start().await else { return };
    check_all(|| {
        let store = server.store();
        Box::pin(async {
            let journal = PostgresJournal::connect(store.config()).await.unwrap();
            let subject = Subject { journal: Arc::new(journal), claiming: Claiming::Refuses };
            (subject, Box::new(store) as Box<dyn Send>)
        })
    })
    .await;
}
