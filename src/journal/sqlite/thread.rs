//! The thread that the connection lives on, and the channel that leads to it.

use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::config::SqliteConfig;
use super::store::Store;
use crate::journal::error::JournalError;

/// How many requests may wait; more of them wait in their callers.
///
/// The writer has one commit under way at a time, and the others who ask are people and start-up:
/// more than a few would only hold what they want to write in memory twice.
const WAITING: usize = 32;

/// Something to do with the store, its answer included.
type Request = Box<dyn FnOnce(&mut Store) + Send>;

/// A thread that carries out requests on a store, in their order, until it is dropped.
#[derive(Debug)]
pub(super) struct StoreThread {
    /// `None` once it is being dropped.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl StoreThread {
    /// Opens a store on a thread of its own.
    pub(super) async fn start(config: SqliteConfig) -> Result<Self, JournalError> {
        let (requests, receiver) = mpsc::channel(WAITING);
        let (opened, is_open) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("hotgraph-sqlite".to_owned())
            .spawn(move || work(config, opened, receiver))
            .map_err(|error| JournalError::Storage(format!("no thread: {error}")))?;
        let this = Self { requests: Some(requests), thread: Some(thread) };
        is_open.await.unwrap_or(Err(JournalError::Closed))?;
        Ok(this)
    }

    /// Has something done with the store, and waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let request = Box::new(move |store: &mut Store| {
            // Nobody waits: that it was not done is as good.
            if !answer.is_closed() {
                // What nobody takes is dropped, and the lock of an owner is given back by that.
                let _ = answer.send(work(store));
            }
        });
        let requests = self.requests.as_ref().ok_or(JournalError::Closed)?;
        requests.send(request).await.map_err(|_| JournalError::Closed)?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }
}

fn work(
    config: SqliteConfig,
    opened: oneshot::Sender<Result<(), JournalError>>,
    mut requests: mpsc::Receiver<Request>,
) {
    let (mut store, outcome) = match Store::open(config) {
        Ok(store) => (Some(store), Ok(())),
        Err(error) => (None, Err(error)),
    };
    // Whoever gave up opening it has dropped the channel too, which ends the loop below.
    let _ = opened.send(outcome);
    while let (Some(store), Some(request)) = (&mut store, requests.blocking_recv()) {
        request(store);
    }
}

impl Drop for StoreThread {
    /// Waits for the request that is under way: then the file is closed.
    ///
    /// Those that wait behind it have nobody who asks for them any more, and are not carried out.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, whoever had asked was told that the journal is closed.
            let _ = thread.join();
        }
    }
}
