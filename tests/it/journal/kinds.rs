//! The journals that are checked. Another one is a factory and a test here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hotgraph::MemoryJournal;

use super::conformance::check_all;
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

#[tokio::test]
async fn a_journal_in_memory_keeps_every_promise() {
    check_all(MEMORY).await;
}
