//! What a session refuses, with nothing changed.

use hotgraph::{EntryError, Session, SessionError, SlotError, StartError, Value};

use super::{DRAFT, TOTAL, n, runtime, single};

async fn check(session: &Session, steps: u64, refused: SessionError, expected: SessionError) {
    assert_eq!(refused, expected);
    assert_eq!(session.view().await.map_or(0, |view| view.steps), steps);
}

fn start(session: &str, source: StartError) -> SessionError {
    SessionError::Start { session: session.into(), source: Box::new(source) }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_new_needs_a_graph() {
    let runtime = runtime().await;
    let session = runtime.session("s");
    let unknown = SessionError::Unknown { session: "s".into() };
    check(&session, 0, session.next(n(1)).await.unwrap_err(), unknown.clone()).await;
    assert_eq!(session.view().await.unwrap_err(), unknown);
    assert_eq!(session.newest().await.unwrap_err(), unknown);
    assert_eq!(session.finish().await.unwrap_err(), unknown);
    assert_eq!(session.slot(&TOTAL).put(&1).await.unwrap_err(), unknown);
    let session = session.graph("nowhere");
    let nowhere = start("s", StartError::UnknownGraph("nowhere".into()));
    check(&session, 0, session.next(n(1)).await.unwrap_err(), nowhere).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_on_its_graph() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    let (graph, asked) = ("sums".into(), "slow".into());
    let other = SessionError::OtherGraph { session: "s".into(), graph, asked };
    let refused = runtime.session("s").graph("slow").next(n(1)).await.unwrap_err();
    check(&session, 1, refused, other).await;
    assert_eq!(runtime.session("s").next(n(1)).await.unwrap().step, 2);
}

#[tokio::test(start_paused = true)]
async fn an_id_names_one_input() {
    let session = runtime().await.session("s").graph("sums");
    session.next(n(1)).input_id("a").await.unwrap();
    let conflict = SessionError::Conflict { session: "s".into(), input_id: "a".into(), step: 1 };
    let refused = session.next(n(2)).input_id("a").await.unwrap_err();
    check(&session, 1, refused, conflict.clone()).await;
    let refused = session.next(n(1)).input_id("a").entry("twice").await.unwrap_err();
    check(&session, 1, refused, conflict).await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_does_not_fit_is_not_taken() {
    let session = runtime().await.session("s").graph("sums");
    let text = Value::object([("n", "three")]);
    let refused = session.next(text).await.unwrap_err();
    let SessionError::Start { source, .. } = &refused else { panic!("{refused:?}") };
    assert!(matches!(**source, StartError::InvalidInput { .. }), "{source:?}");
    check(&session, 0, refused.clone(), refused).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_has_to_be_there() {
    let session = runtime().await.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    let refused = session.next(n(1)).entry("thrice").await.unwrap_err();
    let source = EntryError::UnknownNode { entry: "thrice".into() };
    check(&session, 1, refused, SessionError::Entry { session: "s".into(), source }).await;
}

#[tokio::test(start_paused = true)]
async fn slots_of_one_input_belong_to_its_handlers() {
    let session = runtime().await.session("s").graph("draft");
    session.next(n(1)).await.unwrap();
    let source = SlotError::OutOfScope { slot: "sums:draft:v1".into() };
    let expected = SessionError::Slot { session: "s".into(), source };
    let slot = session.slot(&DRAFT);
    assert_eq!(slot.get().await.unwrap_err(), expected);
    assert_eq!(slot.put(&1).await.unwrap_err(), expected);
    assert_eq!(slot.clear().await.unwrap_err(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_version_takes_no_input_until_the_session_moves() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    let mut other = single("add");
    other.name = Some("sums".into());
    runtime.publish_and_promote(other).await.unwrap();
    runtime.versions("sums").revoke(1).await.unwrap();
    let (graph, version) = ("sums".into(), 1.into());
    let revoked = start("s", StartError::VersionRevoked { graph, version });
    check(&session, 1, session.next(n(1)).await.unwrap_err(), revoked).await;
    session.newest().await.unwrap();
    assert_eq!(session.next(n(1)).await.unwrap().step, 2);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_is_shut_down_takes_no_input() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    session.next(n(1)).await.unwrap();
    let _ = runtime.shutdown(std::time::Duration::ZERO).await;
    let refused = session.next(n(1)).await.unwrap_err();
    check(&session, 1, refused, start("s", StartError::ShuttingDown)).await;
}
