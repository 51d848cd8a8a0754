//! A session that cannot be read when its process begins.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotgraph::{
    BuildError, Document, Epoch, Handler, Journal, JournalError, JournalFuture, MemoryJournal,
    NodeSpec, Record, RunQuery, Runtime, Stream, Value, Write,
};

use crate::durable::before::{Before, Hook};

/// A journal that does not take the end of an input of a session, or does not read sessions.
#[derive(Debug)]
struct Unsaid {
    inner: Arc<MemoryJournal>,
    holds_end: AtomicBool,
    is_blind: AtomicBool,
    /// What it says of a session instead of reading it.
    says: JournalError,
}

impl Hook for Unsaid {
    fn inner(&self) -> &dyn Journal {
        &*self.inner
    }

    fn commit(&self, epoch: Epoch, writes: Arc<[Write]>) -> JournalFuture<'_, ()> {
        let is_end =
            |write: &Write| matches!(write, Write::Row(row) if &*row.status == "SESSION_OPEN");
        match self.holds_end.load(Ordering::SeqCst) && writes.iter().any(is_end) {
            true => Box::pin(std::future::pending()),
            false => self.inner.commit(epoch, writes),
        }
    }

    fn read(&self, stream: Stream, after: u64, limit: usize) -> JournalFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let rows = self.inner.runs(&RunQuery::default().unfinished()).await?;
            let is_session = rows.iter().any(|row| Stream::Run(row.run) == stream);
            match self.is_blind.load(Ordering::SeqCst) && is_session {
                true => Err(self.says.clone()),
                false => self.inner.read(stream, after, limit).await,
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_does_not_begin_without_knowing_which_runs_its_sessions_wait_for() {
    let away = [JournalError::Unavailable, JournalError::Storage, JournalError::Full];
    for says in away.map(|away| away("no answer".into())) {
        check(says).await;
    }
}

async fn check(says: JournalError) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let handler = move || {
        let counted = counted.clone();
        Handler::one("work", move |_: ()| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
    };
    let inner = Arc::new(MemoryJournal::new());
    let process = |holds_end, is_blind| {
        let (holds_end, is_blind) = (AtomicBool::new(holds_end), AtomicBool::new(is_blind));
        let (inner, says) = (inner.clone(), says.clone());
        Arc::new(Before(Unsaid { inner, holds_end, is_blind, says }))
    };
    let builder = |journal| Runtime::builder().journal(journal).handler(handler());
    let first = builder(process(true, false)).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("work"));
    first.publish_and_promote(graph.build()).await.unwrap();
    let session = first.session("s").graph("g");
    let given = session.next(Value::Null).input_id("1");
    let cut_off = tokio::time::timeout(Duration::from_secs(60), given.into_future()).await;
    assert!(cut_off.is_err());
    drop((session, first));

    let journal = process(false, true);
    let refused = builder(journal.clone()).build().await.unwrap_err();
    let BuildError::Journal(refused) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, says);
    journal.is_blind.store(false, Ordering::SeqCst);
    let second = builder(journal).build().await.unwrap();
    let ended = second.session("s").graph("g").next(Value::Null).input_id("1").await;
    assert_eq!((ended.is_ok(), calls.load(Ordering::SeqCst)), (true, 1));
}
