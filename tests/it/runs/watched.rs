//! Who watches sees all that follows, whenever they begin to.

use std::sync::{Arc, Mutex, OnceLock};

use hotgraph::{Document, EventKind, EventStream, Handler, NodeSpec, Runtime, Value};

use super::runtime;

/// Subscribes to all events of its runtime while an attempt is under way.
fn subscribing(of: Arc<OnceLock<Runtime>>, events: Arc<Mutex<Option<EventStream>>>) -> Handler {
    Handler::one("subscribe", move |_: ()| {
        let runtime = of.get().expect("the runtime was given");
        *events.lock().unwrap() = Some(runtime.events());
        async { Ok(()) }
    })
}

#[tokio::test]
async fn who_subscribes_during_an_attempt_sees_how_it_ends() {
    let (of, events) = (Arc::default(), Arc::default());
    let noop = Handler::one("noop", |_: ()| async { Ok(()) });
    let builder =
        runtime().handler(noop).handler(subscribing(Arc::clone(&of), Arc::clone(&events)));
    let runtime = builder.build().await.unwrap();
    assert!(of.set(runtime.clone()).is_ok());
    let graph = Document::builder("g")
        .node(NodeSpec::new("before").handler("noop").next("subscribe"))
        .node(NodeSpec::new("subscribe").next("after"))
        .node(NodeSpec::new("after").handler("noop"));
    runtime.publish_and_promote(graph.build()).await.unwrap();
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());

    let mut events = events.lock().unwrap().take().expect("the handler subscribed");
    let mut seen = Vec::new();
    loop {
        match &events.next().await.unwrap().unwrap().kind {
            EventKind::State { node, status, .. } => seen.push(format!("{node} {status}")),
            EventKind::RunEnded { .. } => break,
            _ => {}
        }
    }
    let expected =
        ["subscribe SUCCESS", "after CREATED", "after QUEUED", "after SUCCESS"].map(str::to_owned);
    assert_eq!(seen, expected);
}
