//! Runs a random graph on the real runtime, with seeded sleeps on a paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use hotgraph::{
    Arity, Context, Document, Emit, Handler, NodeError, Outcome, Rng, Runtime, RuntimeBuilder,
    Schema, Signal, StateView, Value,
};

use super::model::Graph;
use super::script::{Act, act};

/// Publishes, starts and awaits; `interleaving` decides lanes and sleeps.
pub fn run(
    graph: &Arc<Graph>,
    interleaving: u64,
) -> Result<(Arc<Outcome>, Vec<StateView>), String> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    tokio.block_on(async {
        let runtime =
            builder(graph, interleaving).build().await.map_err(|error| error.to_string())?;
        let document = Document::from_json(&graph.document()).map_err(|error| error.to_string())?;
        let published = runtime.publish_and_promote(document).await;
        published.map_err(|error| format!("not published: {error}"))?;
        let run = runtime.start("random", Value::empty_object()).await;
        let run = run.map_err(|error| format!("not started: {error}"))?;
        let outcome = tokio::time::timeout(Duration::from_secs(86_400), run.outcome()).await;
        let states = run.states();
        let outcome = outcome.map_err(|_| format!("a hang; states: {}", listed(&states)))?;
        let _report = runtime.shutdown(Duration::from_secs(60)).await;
        Ok((outcome, states))
    })
}

/// A runtime with the handlers of a graph; `interleaving` decides lanes and sleeps.
pub fn builder(graph: &Arc<Graph>, interleaving: u64) -> RuntimeBuilder {
    let lanes = 1 + usize::try_from(interleaving % 3).unwrap();
    let mut builder = Runtime::builder().seed(interleaving).lanes(lanes);
    // Where nothing ever waits, a run is walked by one lane as far as that goes.
    let waits = (!interleaving.is_multiple_of(4)).then(|| Rng::seeded(interleaving));
    let waits = Arc::new(Mutex::new(waits));
    for (name, arity) in [("one", Arity::One), ("many", Arity::Many)] {
        builder = builder.handler(handler(name, arity, graph, &waits));
    }
    builder
}

fn listed(states: &[StateView]) -> String {
    let states = states.iter().map(|state| format!("{} {}", state.node, state.status));
    states.collect::<Vec<_>>().join(", ")
}

fn handler(
    name: &str,
    arity: Arity,
    graph: &Arc<Graph>,
    waits: &Arc<Mutex<Option<Rng>>>,
) -> Handler {
    let (graph, waits) = (graph.clone(), waits.clone());
    let body = move |input: Value, ctx: Context| {
        let (graph, waits) = (graph.clone(), waits.clone());
        async move { play(&graph, &waits, arity, &input, &ctx).await }
    };
    Handler::dynamic(name, (Schema::any(), Schema::any()), arity, body)
}

async fn play(
    graph: &Graph,
    waits: &Mutex<Option<Rng>>,
    arity: Arity,
    input: &Value,
    ctx: &Context,
) -> Result<Emit<Value>, NodeError> {
    let (wait, streams, has_cursors) = match waits.lock().unwrap().as_mut() {
        Some(waits) => (waits.up_to(40), waits.up_to(1) == 1, waits.up_to(1) == 1),
        None => (0, false, false),
    };
    let cursor = ctx.cursor::<usize>()?;
    // Some bodies finish where they stand, others suspend.
    if wait > 10 {
        ctx.sleep(Duration::from_millis(wait)).await;
    }
    let node = graph.nodes.iter().position(|node| node.name == ctx.node()).unwrap();
    match act(graph, node, &input.to_json(), ctx.attempt()) {
        Act::Fail { permanent: true } => Err(NodeError::permanent("scripted")),
        Act::Fail { permanent: false } => Err(NodeError::new("scripted")),
        Act::Prune => Err(Signal::Prune(Value::from("scripted")).into()),
        Act::Nothing => Ok(Emit::nothing()),
        Act::Outputs(mut outputs) => Ok(match arity {
            Arity::One => Emit::one(outputs.remove(0)),
            // What was drawn with cursors is drawn again behind them, by whatever process.
            Arity::Many if cursor.is_some() || streams && has_cursors => {
                let rest = outputs.split_off(cursor.unwrap_or(0));
                let behind = cursor.unwrap_or(0) + 1;
                let rest = slowly(rest, ctx.clone(), wait).enumerate();
                Emit::resumable(rest.map(move |(index, output)| Ok((output?, behind + index))))
            }
            Arity::Many if outputs.len() == 1 && streams => Emit::one(outputs.remove(0)),
            Arity::Many if streams => Emit::stream(slowly(outputs, ctx.clone(), wait)),
            _ => Emit::each(outputs),
        }),
    }
}

/// Some time passes before each output.
fn slowly(
    outputs: Vec<Value>,
    ctx: Context,
    wait: u64,
) -> impl futures_util::Stream<Item = Result<Value, NodeError>> + Send {
    futures_util::stream::unfold(outputs.into_iter(), move |mut outputs| {
        let ctx = ctx.clone();
        async move {
            let output = outputs.next()?;
            ctx.sleep(Duration::from_millis(wait)).await;
            Some((Ok(output), outputs))
        }
    })
}
