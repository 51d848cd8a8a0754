//! Runs whose records share a commit: what is wrong with those of one is told to no other.

use std::sync::Arc;
use std::time::Duration;

use hotgraph::{
    Context, Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal,
    NodeSpec, Record, RunId, RunStatus, Runtime, Stream, Value, Write,
};
use parking_lot::Mutex;

use super::before::{Before, Hook};

/// A journal that takes a second for each commit, and has something else where a run goes on.
#[derive(Debug, Default)]
struct Occupied(MemoryJournal, Mutex<Option<RunId>>);

impl Hook for Occupied {
    fn inner(&self) -> &dyn Journal {
        &self.0
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        let occupied = *self.1.lock();
        let conflict = writes.iter().find_map(|write| match write {
            Write::Record(stream @ Stream::Run(run), Record { seq, .. }) => (occupied
                == Some(*run))
            .then_some(JournalError::Conflict { stream: *stream, seq: *seq }),
            _ => None,
        });
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match conflict {
                Some(conflict) => Err(conflict),
                None => self.0.commit(epoch, writes).await,
            }
        })
    }
}

async fn process(journal: Arc<Before<Occupied>>) -> Runtime {
    let slow = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    let builder = Runtime::builder().journal(journal).handler(Handler::one("slow", slow));
    let runtime = builder.build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("slow"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_go_on_record_stops_none_that_it_shares_a_commit_with() {
    let journal = Arc::new(Before(Occupied::default()));
    let runtime = process(journal.clone()).await;
    let start = || async { runtime.start("g", Value::Null).await.unwrap() };
    let runs = tokio::join!(start(), start(), start(), start());
    *journal.1.lock() = Some(runs.1.id());
    let ended = tokio::join!(runs.0, runs.1, runs.2, runs.3);
    let statuses = [ended.0.status, ended.1.status, ended.2.status, ended.3.status];
    let (success, parked) = (RunStatus::Success, RunStatus::Parked);
    assert_eq!(statuses, [success, parked, success, success]);
}
