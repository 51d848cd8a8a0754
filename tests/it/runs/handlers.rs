//! Every kind of handler, and what a handler may say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use hotgraph::{
    Arity, Context, Document, Emit, EventKind, GraphBuilder, Handler, Node, NodeError, NodeSpec,
    RetryPolicy, RunStatus, Signal, StateStatus, Value,
};
use parking_lot::Mutex;

use super::{Number, Numbers, build, joined, runtime, single, start};

/// `source` streams, and `gather` joins whatever came through `pass`.
fn streamed() -> GraphBuilder {
    Document::builder("g")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("source").next("pass"))
        .node(NodeSpec::new("pass").input("n", "${{source.outputs.n}}").next("gather"))
        .node(NodeSpec::new("gather").unites("source").all_done().input("n", "${{pass.outputs.n}}"))
}

struct Adder {
    add: u64,
}

impl Node for Adder {
    type Input = Number;
    type Output = Number;
    const ARITY: Arity = Arity::One;

    async fn run(&self, input: Number, _ctx: Context) -> Result<Emit<Number>, NodeError> {
        Ok(Emit::one(Number { n: input.n + self.add }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_can_be_a_handler() {
    let runtime = build(Handler::node("adder", Adder { add: 4 })).await;
    let run = start(&runtime, single(NodeSpec::new("adder").input("n", 3))).await;
    assert_eq!(run.await.output::<Number>().unwrap().n, 7);
}

#[tokio::test]
async fn blocking_code_has_a_thread_of_its_own() {
    let runtime = build(Handler::blocking("blocks", |input: Number, _| Ok(input))).await;
    let run = start(&runtime, single(NodeSpec::new("blocks").input("n", 3))).await;
    assert_eq!(run.await.output::<Number>().unwrap().n, 3);
}

#[test]
fn blocking_code_that_has_no_thread_when_its_run_is_cancelled_does_not_begin() {
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.worker_threads(1).max_blocking_threads(1).enable_time().build().unwrap();
    tokio.block_on(async {
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let (opened, begun) = (Mutex::new(opened), Arc::new(AtomicU64::new(0)));
        let calls = begun.clone();
        let held = Handler::blocking("held", move |input: Number, _| {
            calls.fetch_add(1, Ordering::SeqCst);
            let _ = opened.lock().recv();
            Ok(input)
        });
        let run = start(&build(held).await, joined("held", |merger| merger)).await;
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        run.cancel();
        assert_eq!(run.await.status, RunStatus::Cancelled);
        drop(gate);
        // What had been waiting for the only thread would have had it before this.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_one_output_that_returns_several_fails() {
    struct Liar;
    impl Node for Liar {
        type Input = ();
        type Output = Number;
        const ARITY: Arity = Arity::One;

        async fn run(&self, (): (), _ctx: Context) -> Result<Emit<Number>, NodeError> {
            Ok(Emit::each([1, 2].map(|n| Number { n })))
        }
    }
    let runtime = build(Handler::node("liar", Liar)).await;
    let outcome = start(&runtime, single(NodeSpec::new("liar"))).await.await;
    assert!(outcome.failures[0].error.contains("returned several"));
    assert_eq!(outcome.failures[0].attempts, 1, "no retry mends it");
}

#[tokio::test(start_paused = true)]
async fn std_errors_become_failures_and_permanent_ones_are_not_retried() {
    let parse = |_: ()| async move {
        let n = "seven".parse()?;
        Ok(Number { n })
    };
    let never = |_: ()| async move { Err::<(), _>(NodeError::permanent("never")) };
    let runtime = runtime()
        .handler(Handler::one("parse", parse))
        .handler(Handler::one("never", never))
        .build()
        .await
        .unwrap();
    let node = NodeSpec::new("parse").retry(RetryPolicy::fixed(2, Duration::from_millis(1)));
    let outcome = start(&runtime, single(node)).await.await;
    assert_eq!(
        (&*outcome.failures[0].error, outcome.failures[0].attempts),
        ("invalid digit found in string", 3)
    );
    let outcome = start(&runtime, single(NodeSpec::new("never"))).await.await;
    assert_eq!(outcome.failures[0].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_keeps_what_it_gave() {
    let broken = |_: ()| async move {
        let items = [Ok(Number { n: 1 }), Ok(Number { n: 2 }), Err(NodeError::new("broke"))];
        Ok(Emit::stream(stream::iter(items)))
    };
    let runtime = build(Handler::many("source", broken)).await;
    let run = start(&runtime, streamed()).await;
    let outcome = run.outcome().await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert_eq!(outcome.output::<Numbers>().unwrap().n, [1, 2]);
    assert_eq!(run.status().of("source", StateStatus::Errored), 1);
    assert_eq!(run.status().of("source", StateStatus::Success), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_at_once_is_a_failed_attempt() {
    let heals = |_: (), ctx: Context| async move {
        let first =
            if ctx.attempt() == 0 { Err(NodeError::new("broke")) } else { Ok(Number { n: 5 }) };
        Ok(Emit::stream(stream::iter([first])))
    };
    let runtime = build(Handler::many("source", heals)).await;
    let graph = streamed().retry(RetryPolicy::fixed(1, Duration::from_millis(1)));
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [5]);
    assert_eq!(run.status().of("source", StateStatus::RetryCreated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_drawn_as_branches_finish() {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let endless = |_: ()| async move {
        Ok(Emit::stream(stream::iter((0..).map(|n| {
            DRAWN.fetch_add(1, Ordering::SeqCst);
            Ok(Number { n })
        }))))
    };
    let runtime = build(Handler::many("source", endless)).await;
    let graph = Document::builder("g")
        .in_flight(10)
        .node(NodeSpec::new("source").next("slow"))
        .node(NodeSpec::new("slow").input("n", "${{source.outputs.n}}"));
    let run = start(&runtime, graph).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(DRAWN.load(Ordering::SeqCst) <= 12, "{DRAWN:?} drawn with 10 in flight");
    run.cancel();
    assert_eq!(run.await.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_ordered_fold_takes_elements_in_fanout_order_and_is_retried() {
    let push = |all: &mut Vec<u64>, one: Number| {
        all.push(one.n);
        Ok(())
    };
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let finish = |n: Vec<u64>| match FINISHED.fetch_add(1, Ordering::SeqCst) {
        0 => Err(NodeError::new("not yet")),
        _ => Ok(Numbers { n }),
    };
    let fold = Handler::fold("fold", Vec::new, push, finish).ordered();
    let runtime = build(fold).await;
    let graph = joined("slow", |merger| {
        merger.handler("fold").retry(RetryPolicy::fixed(1, Duration::from_millis(1)))
    });
    let run = start(&runtime, graph).await;
    assert_eq!(run.outcome().await.output::<Numbers>().unwrap().n, [0, 1, 2, 3]);
    assert_eq!(run.status().of("gather", StateStatus::RetryCreated), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fold_fails_with_its_step_and_is_not_retried() {
    let step = |_: &mut u64, one: Number| match one.n {
        2 => Err(NodeError::new("no twos")),
        _ => Ok(()),
    };
    let runtime = build(Handler::fold("fold", || 0, step, |n| Ok(Number { n }))).await;
    let graph = joined("pass", |merger| merger.handler("fold").retry(RetryPolicy::default()));
    let outcome = start(&runtime, graph).await.await;
    assert_eq!((&*outcome.failures[0].error, outcome.failures[0].attempts), ("no twos", 1));
}

#[tokio::test(start_paused = true)]
async fn a_requeue_counts_no_retry() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let waits = |_: (), ctx: Context| async move {
        assert_eq!(ctx.attempt(), 0);
        match RUNS.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err(Signal::RequeueAfter(Duration::from_secs(10)).into()),
            _ => Ok(()),
        }
    };
    let runtime = build(Handler::one("waits", waits)).await;
    let began = tokio::time::Instant::now();
    let run = start(&runtime, single(NodeSpec::new("waits"))).await;
    assert!(run.outcome().await.is_success());
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(run.status().count(StateStatus::RetryCreated), 0);
}

#[tokio::test(start_paused = true)]
async fn a_merger_sees_every_branchs_outcome() {
    let look = |_: Value, ctx: Context| async move {
        let united = ctx.united().expect("it is a merger");
        let ill: Vec<_> = united.iter().filter(|branch| !branch.is_success()).collect();
        let named = ill.iter().map(|branch| (branch.branch, branch.failures[0].1.as_str()));
        assert_eq!(named.collect::<Vec<_>>(), [(1, "odd"), (3, "odd")]);
        Ok(Emit::one(Value::object([("n", united.len())])))
    };
    let schemas = (hotgraph::Schema::any(), hotgraph::Schema::any());
    let runtime = build(Handler::dynamic("look", schemas, Arity::One, look)).await;
    let graph = joined("odd_fails", |merger| merger.handler("look").all_done());
    let outcome = start(&runtime, graph).await.await;
    assert_eq!(outcome.output::<Number>().unwrap().n, 4);
}

#[tokio::test(start_paused = true)]
async fn a_failing_child_run_is_the_nodes_failure_and_is_retried() {
    let runtime = runtime().build().await.unwrap();
    let child = Document::builder("child")
        .retry(RetryPolicy::none())
        .node(NodeSpec::new("odd_fails").input("n", 1));
    runtime.publish_and_promote(child.build()).await.unwrap();
    let node = NodeSpec::new("sub").subgraph("child").input("n", 1);
    let node = node.retry(RetryPolicy::fixed(2, Duration::from_millis(1)));
    let outcome = start(&runtime, Document::builder("g").node(node)).await.await;
    assert_eq!(outcome.failures[0].attempts, 3);
    assert!(outcome.failures[0].error.contains("node `odd_fails`: odd"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn events_are_numbered_from_the_start_to_the_end() {
    let runtime = runtime().build().await.unwrap();
    let mut events = runtime.events();
    start(&runtime, joined("first_fails", |m| m).retry(RetryPolicy::default())).await.await;
    let mut seen = Vec::new();
    while let Some(event) = events.try_next() {
        seen.push(event.unwrap());
    }
    seen.retain(|event| event.run.is_some());
    assert!(seen.iter().zip(0..).all(|(event, number)| event.sequence == number));
    assert_eq!(seen.first().unwrap().kind, EventKind::RunStarted);
    assert_eq!(seen.last().unwrap().kind, EventKind::RunEnded { status: "SUCCESS" });
}

#[tokio::test(start_paused = true)]
async fn a_sub_graph_is_bound_to_what_there_is() {
    let runtime = runtime().build().await.unwrap();
    let parent = |node: NodeSpec| Document::builder("g").node(node.input("n", 2)).build();
    let sub = || NodeSpec::new("sub").subgraph("child");
    let refused = |error: hotgraph::PublishError, text: &str| {
        assert!(error.to_string().contains(text), "{error}");
    };
    refused(runtime.publish(parent(sub())).await.unwrap_err(), "never published");
    for handler in ["odd_fails", "pass"] {
        let child = Document::builder("child").node(NodeSpec::new(handler).input("n", 1));
        runtime.publish_and_promote(child.build()).await.unwrap();
    }
    refused(runtime.publish(parent(sub().version(7))).await.unwrap_err(), "no version v7");
    refused(runtime.publish(parent(sub().label("canary"))).await.unwrap_err(), "no label `canary`");
    let run = start(
        &runtime,
        Document::builder("g").node(sub().version(1).input("n", 3).retry(RetryPolicy::none())),
    )
    .await;
    assert_eq!(run.await.status, RunStatus::Failed);
    let run =
        start(&runtime, Document::builder("g").node(sub().label("default").input("n", 3))).await;
    assert_eq!(run.await.output::<Number>().unwrap().n, 3);
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Taken {
    a: String,
    b: Option<u64>,
}

/// What `take` was given of this output, by name and field by field.
async fn taken(output: &str) -> Option<Value> {
    let output = Value::from_json(output).unwrap();
    let give = move |_: Value| {
        let output = output.clone();
        async move { Ok(Emit::one(output)) }
    };
    let open = (hotgraph::Schema::any(), hotgraph::Schema::any());
    let builder = runtime()
        .handler(Handler::dynamic("give", open, Arity::One, give))
        .handler(Handler::one("take", |input: Taken| async move { Ok(input) }));
    let runtime = builder.build().await.unwrap();
    let take = NodeSpec::new("take");
    let take = take.input("a", "${{give.outputs.a}}").input("b", "${{give.outputs.b}}");
    let graph = Document::builder("g").node(NodeSpec::new("give").next("take")).node(take);
    let run = start(&runtime, graph.retry(RetryPolicy::none())).await;
    run.outcome().await;
    run.states().into_iter().find(|state| &*state.node == "take").map(|state| state.inputs)
}

#[tokio::test(start_paused = true)]
async fn an_input_is_the_output_itself_only_if_every_field_fits() {
    for (output, input) in [
        (r#"{"a":"x","b":1}"#, Some(r#"{"a":"x","b":1}"#)),
        (r#"{"a":"x","b":null}"#, Some(r#"{"a":"x","b":null}"#)),
        (r#"{"a":7,"b":1}"#, Some(r#"{"a":"7","b":1}"#)),
        (r#"{"a":"x","b":1,"c":2}"#, Some(r#"{"a":"x","b":1}"#)),
        (r#"{"a":"x","c":2}"#, None),
        (r#"{"a":null,"b":1}"#, None),
    ] {
        let found = taken(output).await.map(|input| input.to_json());
        assert_eq!(found.as_deref(), input, "{output}");
    }
}

/// Three numbers that cannot say how many they are.
struct Unsized(u64);

impl Iterator for Unsized {
    type Item = Number;

    fn next(&mut self) -> Option<Number> {
        self.0 += 1;
        (self.0 <= 3).then_some(Number { n: self.0 })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        panic!("nobody knows")
    }
}

#[tokio::test]
async fn a_list_whose_size_hint_panics_is_one_of_unknown_length() {
    let list = |_: ()| async { Ok(Emit::each(Unsized(0))) };
    let runtime = build(Handler::many("unsized", list)).await;
    let pass = NodeSpec::new("pass").input("n", "${{unsized.outputs.n}}");
    let graph = Document::builder("g").node(NodeSpec::new("unsized").next("pass")).node(pass);
    let outcome = start(&runtime, graph).await.await;
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(outcome.outputs.len(), 1);
}
