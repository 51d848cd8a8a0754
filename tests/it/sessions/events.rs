//! The events of a session: one stream over all its inputs.

use std::sync::Arc;

use hotgraph::{Event, EventKind, EventStream, MemoryJournal};

use super::{Calls, builder, n, runtime, sums};

/// What has come until now, but for states.
fn told(events: &mut EventStream) -> Vec<Arc<Event>> {
    let mut told = Vec::new();
    while let Some(event) = events.try_next() {
        let event = event.unwrap();
        if !matches!(event.kind, EventKind::State { .. }) {
            told.push(event);
        }
    }
    told
}

fn line(event: &Event) -> String {
    match &event.kind {
        EventKind::InputEnded { step, input_id, status, .. } => {
            format!("input {step} {} {status}", input_id.as_deref().unwrap_or("-"))
        }
        EventKind::SessionFinished { steps, .. } => format!("finished after {steps}"),
        EventKind::RunEnded { status } => format!("run {status}"),
        EventKind::RunStarted => "run".to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_input_ends_with_its_event_and_the_stream_ends_with_the_session() {
    let runtime = runtime().await;
    let session = runtime.session("s").graph("sums");
    let (mut events, mut all) = (session.events(), runtime.events());
    let first = session.next(n(1)).input_id("a").await.unwrap();
    session.next(n(13)).await.unwrap();
    session.next(n(1)).input_id("a").await.unwrap();
    session.finish().await.unwrap();
    let events_of_session = told(&mut events);
    let lines: Vec<_> = events_of_session.iter().map(|event| line(event)).collect();
    let expected = [
        "run",
        "run SUCCESS",
        "input 1 a SUCCESS",
        "run",
        "run FAILED",
        "input 2 - FAILED",
        "finished after 2",
    ];
    assert_eq!(lines, expected);
    assert_eq!(events_of_session[2].run, Some(first.outcome.run));
    assert_eq!(told(&mut all), events_of_session, "those of the runtime have them, too");
    assert!(events.next().await.is_none());
    assert!(session.events().next().await.is_none(), "nothing more can come");
}

#[tokio::test(start_paused = true)]
async fn the_event_comes_before_the_answer() {
    let session = runtime().await.session("s").graph("sums");
    let mut events = session.events();
    for step in 1..=3 {
        session.next(n(step)).await.unwrap();
        let last = told(&mut events).pop().unwrap();
        assert_eq!(line(&last), format!("input {step} - SUCCESS"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_one_line_of_json() {
    let session = runtime().await.session("s").graph("sums");
    let mut events = session.events();
    session.next(n(1)).input_id("a").await.unwrap();
    let ended = told(&mut events).pop().unwrap();
    let json = serde_json::to_value(&*ended).unwrap();
    assert_eq!(json["kind"], "input_ended");
    assert_eq!((&json["session"], &json["step"]), (&"s".into(), &1.into()));
    assert_eq!((&json["input_id"], &json["status"]), (&"a".into(), &"SUCCESS".into()));
}

#[tokio::test(start_paused = true)]
async fn an_input_that_a_restart_goes_on_with_is_told_of() {
    let journal = Arc::new(MemoryJournal::new());
    let build = || builder(&Calls::default()).journal(journal.clone()).build();
    let first = build().await.unwrap();
    first.publish_and_promote(super::single("slow")).await.unwrap();
    first.publish_and_promote(sums()).await.unwrap();
    let input = first.session("s").graph("slow").next(n(60)).input_id("a").into_future();
    let input = tokio::spawn(input);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let second = build().await.unwrap();
    let mut events = second.session("s").events();
    let last = loop {
        let event = events.next().await.unwrap().unwrap();
        if matches!(event.kind, EventKind::InputEnded { .. }) {
            break event;
        }
    };
    assert_eq!(line(&last), "input 1 a SUCCESS");
    drop((first, input));
}
