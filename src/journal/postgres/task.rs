//! The task that the connection belongs to, and the channel that leads to it.

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::store::Store;
use crate::journal::contract::JournalFuture;
use crate::journal::error::JournalError;

/// How many requests may wait; more of them wait in their callers.
///
/// The writer has one commit under way at a time, and the others who ask are people and start-up:
/// more than a few would only hold what they want to write in memory twice.
const WAITING: usize = 32;

/// Something to do with the store, its answer included.
type Request = Box<dyn for<'a> FnOnce(&'a mut Store) -> JournalFuture<'a, ()> + Send>;

/// A task that carries out requests on a store, in their order, until it is dropped.
///
/// A caller that goes away cuts off nothing: half a transaction would cost the connection.
#[derive(Debug)]
pub(super) struct StoreTask {
    requests: mpsc::Sender<Request>,
    _task: AbortOnDropHandle<()>,
}

impl StoreTask {
    pub(super) fn start(store: Store) -> Self {
        let (requests, receiver) = mpsc::channel(WAITING);
        let task = tokio::spawn(work(store, receiver));
        Self { requests, _task: AbortOnDropHandle::new(task) }
    }

    /// Has something done with the store, and waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Store) -> JournalFuture<'a, T> + Send + 'static,
    ) -> Result<T, JournalError> {
        // What is read and not taken is lost, and what was written is there: nobody has to know.
        self.ask_or_undo(work, |_, _| Box::pin(async { Ok(()) })).await
    }

    /// The same, for what must not stay done if nobody takes the answer.
    pub(super) async fn ask_or_undo<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Store) -> JournalFuture<'a, T> + Send + 'static,
        undo: impl for<'a> FnOnce(&'a mut Store, T) -> JournalFuture<'a, ()> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let request: Request = Box::new(move |store| {
            Box::pin(async move {
                // Nobody waits: that it was not done is as good.
                if answer.is_closed() {
                    return Ok(());
                }
                match answer.send(work(store).await) {
                    Err(Ok(untaken)) => undo(store, untaken).await,
                    Err(Err(_)) | Ok(()) => Ok(()),
                }
            })
        });
        self.requests.send(request).await.map_err(|_| JournalError::Closed)?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }
}

async fn work(mut store: Store, mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        // What could not be undone goes with the connection, at the latest when it is dropped.
        let _ = request(&mut store).await;
    }
}
