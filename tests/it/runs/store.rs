//! What a run is given besides its inputs: the store, who sees what is written there, and secrets.

use hotgraph::{
    Arity, Context, Document, Emit, GraphBuilder, Handler, NodeSpec, Outcome, PublishError,
    Runtime, Schema, StartError, Value,
};

use super::{Number, build, runtime, single, start};

/// A runtime with `echo`, which returns its input.
async fn echoing() -> Runtime {
    let open = (Schema::any(), Schema::any());
    let echo = |input: Value| async move { Ok(Emit::one(input)) };
    build(Handler::dynamic("echo", open, Arity::One, echo)).await
}

/// A node that returns what the store holds as it is created.
fn echo(key: &str) -> GraphBuilder {
    Document::builder("g").node(NodeSpec::new("echo").input("n", format!("${{{{store.{key}}}}}")))
}

fn returned(outcome: &Outcome, node: &str) -> Value {
    outcome.outputs[node].get("n").cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_start_without_required_keys_is_refused_and_names_them() {
    let runtime = echoing().await;
    let graph = echo("b").store_required("b").store_required("a").store_default("c", 1);
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let missing = |keys: &[&str]| StartError::MissingStoreKeys {
        graph: "g".into(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    let refused = runtime.start("g", Value::Null).await.unwrap_err();
    assert_eq!(refused, missing(&["b", "a"]));
    let refused = runtime.start("g", Value::Null).store("b", 1).await.unwrap_err();
    assert_eq!(refused, missing(&["a"]));
    assert_eq!(runtime.live_runs(), 0, "a refusal changes nothing");
    let run = runtime.start("g", Value::Null).store("b", 1).store("a", 2).await.unwrap();
    assert_eq!(returned(&*run.await, "echo"), Value::from(1));
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_default_is_not_missing_and_a_start_overrides_it() {
    let runtime = echoing().await;
    let graph = echo("k").store_required("k").store_default("k", 1);
    let run = start(&runtime, graph).await;
    assert_eq!(returned(&*run.await, "echo"), Value::from(1));
    let run = runtime.start("g", Value::Null).store("k", 2).await.unwrap();
    assert_eq!(returned(&*run.await, "echo"), Value::from(2));
    let run = runtime.start("g", Value::Null).await.unwrap();
    assert_eq!(returned(&*run.await, "echo"), Value::from(1), "each run has its own store");
}

#[tokio::test(start_paused = true)]
async fn a_default_is_that_of_the_runs_version() {
    let runtime = echoing().await;
    let graph = |default: u64| {
        let node = NodeSpec::new("slow").input("n", 1).next("echo");
        let echo = NodeSpec::new("echo").input("n", "${{store.k}}");
        Document::builder("g").node(node).node(echo).store_default("k", default)
    };
    let run = start(&runtime, graph(1)).await;
    runtime.publish_and_promote(graph(2).build()).await.unwrap();
    assert_eq!(returned(&*run.await, "echo"), Value::from(1));
}

#[tokio::test(start_paused = true)]
async fn text_in_the_store_is_data() {
    let runtime = echoing().await;
    let graph = echo("k").store_required("k").store_default("other", 1);
    runtime.publish_and_promote(graph.build()).await.unwrap();
    let text = "${{store.other}} ${{";
    let run = runtime.start("g", Value::Null).store("k", text).await.unwrap();
    assert_eq!(returned(&*run.await, "echo"), Value::from(text));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_declared_is_refused_at_publish() {
    let runtime = echoing().await;
    let refused = runtime.publish(echo("k").store_default("other", 1).build()).await.unwrap_err();
    let PublishError::Invalid { problems, .. } = &refused else { panic!("{refused}") };
    assert!(problems.to_string().contains("`k` is not declared"), "{problems}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_by_states_created_after_it() {
    let writes = |input: Number, ctx: Context| async move {
        let before = ctx.store().put("k", input.n);
        assert_eq!(before, Some(Value::from(1)));
        Ok(input)
    };
    let runtime = runtime().handler(Handler::one("writes", writes)).build().await.unwrap();
    let reads = |name| NodeSpec::new(name).handler("pass").input("n", "${{store.k}}");
    let graph = Document::builder("g")
        .store_default("k", 1)
        .node(NodeSpec::new("pass").input("n", 0).next("writes").next("beside"))
        .node(NodeSpec::new("writes").input("n", 7).next("after"))
        .node(reads("beside"))
        .node(reads("after"));
    let outcome = start(&runtime, graph).await.await;
    assert_eq!(returned(&outcome, "after"), Value::from(7));
    assert_eq!(returned(&outcome, "beside"), Value::from(1), "it was created before the write");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_that_of_the_latest_publish_and_shows_nowhere() {
    let told = |_: (), ctx: Context| async move {
        let text = ctx.secret("token").unwrap_or_default().to_owned();
        Ok(Number { n: text.len() as u64 })
    };
    let builder = runtime().handler(Handler::one("told", told).secrets(["token"]));
    let runtime = builder.build().await.unwrap();
    let mut events = runtime.events();
    for (secret, length) in [("hush", 4), ("hushhush", 8)] {
        let graph = single(NodeSpec::new("told")).secret("token", secret);
        let run = start(&runtime, graph).await;
        assert_eq!(run.version().0, 1);
        let outcome = run.outcome().await;
        assert_eq!(outcome.output::<Number>().unwrap().n, length);
        let shown = format!("{run:?} {outcome:?} {:?} {:?}", run.states(), run.status());
        assert!(!shown.contains("hush"), "{shown}");
    }
    while let Some(event) = events.try_next() {
        assert!(!format!("{event:?}").contains("hush"));
    }
}
