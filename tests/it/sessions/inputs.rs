//! Inputs of a session: one after another, each once.

use std::sync::Arc;

use hotgraph::{RunStatus, SessionError, StartError, Value};

use super::{Calls, builder, n, number, runtime, sums};

#[tokio::test(start_paused = true)]
async fn a_session_takes_many_inputs_and_counts_them() {
    let session = runtime().await.session("s").graph("sums");
    for step in 1..=5 {
        let ended = session.next(n(step)).await.unwrap();
        assert_eq!((ended.step, number(&ended)), (step, step * (step + 1)));
    }
    let view = session.view().await.unwrap();
    assert_eq!((view.steps, view.is_finished, view.stranded), (5, false, None));
    assert_eq!(view.last.unwrap().step, 5);
    assert_eq!(view.slots["sums:total:v1"].as_i64(), Some(15));
}

#[tokio::test(start_paused = true)]
async fn an_input_of_a_known_id_is_not_carried_out_again() {
    let calls = Calls::default();
    let runtime = builder(&calls).build().await.unwrap();
    runtime.publish_and_promote(sums()).await.unwrap();
    let session = runtime.session("s").graph("sums");
    let first = session.next(n(3)).input_id("a").await.unwrap();
    session.next(n(4)).await.unwrap();
    let known = calls.lock().len();
    let again = session.next(n(3)).input_id("a").await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!((again.input_id.as_deref(), calls.lock().len()), (Some("a"), known));
    assert_eq!(session.next(n(5)).await.unwrap().step, 3);
}

#[tokio::test(start_paused = true)]
async fn an_input_without_an_id_is_carried_out_each_time() {
    let session = runtime().await.session("s").graph("sums");
    let first = session.next(n(3)).await.unwrap();
    let second = session.next(n(3)).await.unwrap();
    assert_eq!((number(&first), number(&second)), (6, 12));
}

#[tokio::test(start_paused = true)]
async fn a_failed_input_leaves_the_slots_as_they_were_and_stays_failed() {
    let session = runtime().await.session("s").graph("sums");
    session.next(n(3)).await.unwrap();
    let failed = session.next(n(13)).input_id("bad").await.unwrap();
    assert_eq!((failed.outcome.status, failed.step), (RunStatus::Failed, 2));
    let again = session.next(n(13)).input_id("bad").await.unwrap();
    assert!(Arc::ptr_eq(&failed, &again));
    let next = session.next(n(4)).input_id("good").await.unwrap();
    assert_eq!((number(&next), next.step), (14, 3), "13 is not in the total");
}

#[tokio::test(start_paused = true)]
async fn sessions_do_not_share_anything() {
    let runtime = runtime().await;
    let (a, b) = (runtime.session("a").graph("sums"), runtime.session("b").graph("sums"));
    a.next(n(3)).input_id("x").await.unwrap();
    let of_b = b.next(n(4)).input_id("x").await.unwrap();
    assert_eq!((number(&of_b), of_b.step), (8, 1));
}

#[tokio::test(start_paused = true)]
async fn a_finished_session_tells_what_it_did_and_takes_nothing_more() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    let first = session.next(n(3)).input_id("a").await.unwrap();
    session.finish().await.unwrap();
    session.finish().await.unwrap();
    let finished = SessionError::Finished { session: "s".into() };
    assert_eq!(session.next(n(3)).input_id("b").await, Err(finished.clone()));
    assert_eq!(runtime.session("s").next(n(3)).await, Err(finished));
    assert_eq!(session.next(n(3)).input_id("a").await, Ok(first));
    assert!(session.view().await.unwrap().is_finished);
}

#[tokio::test(start_paused = true)]
async fn an_input_brings_the_store_of_its_run() {
    let runtime = runtime().await;
    let mut graph = sums();
    graph.name = Some("keyed".into());
    graph.store_config.required_keys = vec!["n".into()];
    graph.nodes[0].inputs.insert("n".into(), "${{store.n}}".into());
    runtime.publish_and_promote(graph).await.unwrap();
    let session = runtime.session("s").graph("keyed");
    let ended = session.next(Value::Null).store("n", 4).input_id("a").await.unwrap();
    assert_eq!(number(&ended), 8);
    let refused = session.next(Value::Null).input_id("b").await.unwrap_err();
    let SessionError::Start { source, .. } = refused else { panic!("{refused:?}") };
    assert!(matches!(*source, StartError::MissingStoreKeys { .. }), "{source:?}");
    let other = session.next(Value::Null).store("n", 5).input_id("a").await;
    assert!(matches!(other, Err(SessionError::Conflict { .. })), "{other:?}");
}
