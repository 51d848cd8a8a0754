//! Who watches sees all that follows, whenever they begin to.

use std::sync::{Arc, Mutex, OnceLock};

use hotgraph::{Document, EventKind, EventStream, GraphBuilder, Handler, NodeSpec, Runtime, Value};

use super::runtime;

/// Subscribes to all events of its runtime while an attempt is under way.
fn subscribing(of: Arc<OnceLock<Runtime>>, events: Arc<Mutex<Option<EventStream>>>) -> Handler {
    Handler::one("subscribe", move |_: ()| {
        let runtime = of.get().expect("the runtime was given");
        *events.lock().unwrap() = Some(runtime.events());
        async { Ok(()) }
    })
}

/// What who subscribes in the node `subscribe` of a graph hears of its states.
async fn heard_of(graph: GraphBuilder) -> Vec<String> {
    let (of, events) = (Arc::default(), Arc::default());
    let noop = Handler::one("noop", |_: ()| async { Ok(()) });
    let builder =
        runtime().handler(noop).handler(subscribing(Arc::clone(&of), Arc::clone(&events)));
    let runtime = builder.build().await.unwrap();
    assert!(of.set(runtime.clone()).is_ok());
    runtime.publish_and_promote(graph.build()).await.unwrap();
    assert!(runtime.start("g", Value::Null).run().await.unwrap().is_success());

    let mut events = events.lock().unwrap().take().expect("the handler subscribed");
    let mut heard = Vec::new();
    loop {
        match &events.next().await.unwrap().unwrap().kind {
            EventKind::State { node, status, .. } => heard.push(format!("{node} {status}")),
            EventKind::RunEnded { .. } => return heard,
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_subscribes_during_an_attempt_sees_how_it_ends() {
    let noop = |name: &str| NodeSpec::new(name).handler("noop");
    let graph = || Document::builder("g").node(noop("before").next("subscribe"));
    let subscribe = || NodeSpec::new("subscribe");

    let leaf = graph().node(subscribe());
    assert_eq!(heard_of(leaf).await, ["subscribe SUCCESS"]);
    let after = ["subscribe SUCCESS", "after CREATED", "after QUEUED", "after SUCCESS"];
    let chain = graph().node(subscribe().next("after")).node(noop("after"));
    assert_eq!(heard_of(chain).await, after);
    let joined = graph().node(subscribe().next("after")).node(noop("after").unites("before"));
    assert_eq!(heard_of(joined).await, after);
}
