//! The same definition is one version, however it is written; any change in meaning is another.

use hotgraph::{
    Arity, Context, Document, Emit, Graph, Handler, NodeSpec, RetryPolicy, Rng, Runtime, Schema,
    Value,
};

fn handler(version: &str) -> Handler {
    let nothing = |_: Value, _: Context| async { Ok(Emit::nothing()) };
    let open = (Schema::any(), Schema::any());
    Handler::dynamic("h", open, Arity::Many, nothing).version(version)
}

fn nodes() -> Vec<NodeSpec> {
    let node = |name: &str| NodeSpec::new(name).handler("h");
    vec![
        node("a").input("x", 1).input("y", "${{store.k}}").next("b").next("c"),
        node("b").input("x", "${{a.outputs.x}}").next_when("d", "${{b.outputs.x}} > 1"),
        node("c").timeout(std::time::Duration::from_secs(1)).next("d"),
        node("d").unites("a").all_done().input("x", "${{b.outputs.x}}"),
    ]
}

fn document(nodes: Vec<NodeSpec>) -> Document {
    let mut graph = Document::builder("g").store_default("k", "v").secret("s", "one");
    for node in nodes {
        graph = graph.node(node);
    }
    graph.build()
}

async fn published(runtime: &Runtime, document: Document) -> (u64, bool) {
    let published = runtime.publish(document).await.unwrap();
    (published.version.0, published.created)
}

#[tokio::test]
async fn the_order_of_nodes_is_not_part_of_a_definition() {
    let runtime = Runtime::builder().handler(handler("1")).build().await.unwrap();
    assert_eq!(published(&runtime, document(nodes())).await, (1, true));
    let mut rng = Rng::seeded(5);
    for _ in 0..100 {
        let mut shuffled = nodes();
        for last in (1..shuffled.len()).rev() {
            let other = usize::try_from(rng.up_to(last as u64)).unwrap();
            shuffled.swap(last, other);
        }
        let written = document(shuffled).to_json();
        let read = Document::from_json(&written).unwrap();
        assert_eq!(published(&runtime, read).await, (1, false), "{written}");
    }
}

#[tokio::test]
async fn any_change_in_meaning_is_another_version() {
    let runtime = Runtime::builder().handler(handler("1")).build().await.unwrap();
    let changed = |change: &dyn Fn(&mut Document)| {
        let mut document = document(nodes());
        change(&mut document);
        document
    };
    let changes: [&dyn Fn(&mut Document); 9] = [
        &|_| {},
        &|d| drop(d.nodes[0].inputs.insert("x".into(), Value::from(2))),
        &|d| d.nodes[0].next_nodes.reverse(),
        &|d| d.nodes[1].next_nodes[0].when = None,
        &|d| d.nodes[2].timeout = None,
        &|d| d.nodes[3].unites.as_mut().unwrap().tolerate = true,
        &|d| d.retry_policy = RetryPolicy::none().into(),
        &|d| d.store_config.default_values.0[0].1 = Value::from("w"),
        &|d| d.result = Some("c".into()),
    ];
    for (place, change) in changes.iter().enumerate() {
        let expected = (place as u64 + 1, true);
        assert_eq!(published(&runtime, changed(change)).await, expected, "change {place}");
    }
    // The value of a secret is operational: the definition is the one it was.
    let secret = changed(&|d| drop(d.secrets.0.insert("s".into(), "two".into())));
    assert_eq!(published(&runtime, secret).await, (1, false));
    runtime.register(handler("2")).unwrap();
    assert_eq!(published(&runtime, document(nodes())).await, (10, true), "another handler");
}

#[tokio::test]
async fn a_bound_handler_never_equals_another() {
    let runtime = Runtime::builder().build().await.unwrap();
    let graph = || {
        let graph = Graph::from(Document::builder("g").node(NodeSpec::new("a")).build());
        graph.bind("a", handler("1"))
    };
    for number in 1..4 {
        let published = runtime.publish(graph()).await.unwrap();
        assert_eq!((published.version.0, published.created), (number, true));
    }
}
