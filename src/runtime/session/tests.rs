//! What a runtime keeps of sessions.

use std::sync::Arc;

use crate::{Document, Handler, MemoryJournal, NodeSpec, Runtime, SessionError, StateKey, Value};

const SLOT: StateKey<u64> = StateKey::new("tests", "slot", 1);

/// A process that keeps two finished sessions.
async fn process(journal: &Arc<MemoryJournal>) -> Runtime {
    let pass = |input: Value| async move { Ok(input) };
    let builder = Runtime::builder().handler(Handler::one("pass", pass)).keep_ended(2);
    let runtime = builder.journal(journal.clone()).build().await.unwrap();
    let graph = Document::builder("g").node(NodeSpec::new("pass"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    runtime
}

fn known(runtime: &Runtime) -> usize {
    runtime.inner.sessions.known()
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_only_asked_for_are_not_kept() {
    let runtime = process(&Arc::default()).await;
    for n in 0..10 {
        let session = runtime.session(format!("s{n}"));
        let (view, slot) = (session.view().await, session.slot(&SLOT).get().await);
        assert!(matches!(view, Err(SessionError::Unknown { .. })), "{view:?}");
        assert!(slot.is_ok_and(|held| held.is_none()));
    }
    assert_eq!(known(&runtime), 0);
    let events = runtime.session("s").events();
    assert_eq!(known(&runtime), 1, "somebody waits for its events");
    drop(events);
    runtime.session("s").graph("g").next(Value::Null).await.unwrap();
    assert_eq!(known(&runtime), 1, "it has begun");
}

#[tokio::test(start_paused = true)]
async fn finished_sessions_that_are_read_again_are_kept_in_bounds() {
    let journal = Arc::new(MemoryJournal::new());
    let first = process(&journal).await;
    for n in 0..5 {
        let session = first.session(format!("s{n}")).graph("g");
        session.next(Value::Null).await.unwrap();
        session.finish().await.unwrap();
    }
    assert_eq!(known(&first), 2);
    let second = process(&journal).await;
    for n in 0..5 {
        assert!(second.session(format!("s{n}")).view().await.unwrap().is_finished);
    }
    assert_eq!(known(&second), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_begun_since_is_not_forgotten_with_the_one_before_it() {
    let runtime = process(&Arc::default()).await;
    let session = runtime.session("s").graph("g");
    session.next(Value::Null).await.unwrap();
    runtime.inner.sessions.forget("s");
    assert_eq!(known(&runtime), 1);
    session.finish().await.unwrap();
    runtime.inner.sessions.forget("s");
    assert_eq!(known(&runtime), 0);
}
