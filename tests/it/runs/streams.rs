//! Streams that have nothing to give for a while.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hotgraph::{Document, Emit, GraphBuilder, Handler, NodeSpec, Runtime, StateStatus, Value};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::Number;
use super::control::end_of;

/// More than the reports that may be under way.
const OUTPUTS: u64 = 64;

/// Gives what comes from elsewhere.
fn feed(outputs: UnboundedReceiver<Number>) -> Handler {
    let outputs = Mutex::new(Some(outputs));
    Handler::many("feed", move |_: ()| {
        let outputs = outputs.lock().unwrap().take().unwrap();
        let outputs = stream::unfold(outputs, async |mut outputs| {
            let output = outputs.recv().await?;
            Some((Ok(output), outputs))
        });
        async move { Ok(Emit::stream(outputs.boxed())) }
    })
}

/// Takes longer for each element than a lane takes for its branch: reports wait for it.
fn slow_fold() -> Handler {
    let step = |sum: &mut u64, one: Number| {
        std::thread::sleep(Duration::from_millis(5));
        *sum += one.n;
        Ok(())
    };
    Handler::fold("fold", || 0, step, |n| Ok(Number { n }))
}

fn fed() -> GraphBuilder {
    Document::builder("g")
        .node(NodeSpec::new("feed").next("work"))
        .node(NodeSpec::new("work").input("n", "${{feed.outputs.n}}").next("fold"))
        .node(NodeSpec::new("fold").unites("feed").input("n", "${{work.outputs.n}}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_output_is_drawn_that_comes_while_its_lane_waits_to_report() {
    let (give, outputs) = unbounded_channel();
    let walked = Arc::new(Semaphore::new(0));
    let tells = walked.clone();
    let work = Handler::one("work", move |input: Number| {
        tells.add_permits(1);
        async move { Ok(input) }
    });
    let handlers = [feed(outputs), work, slow_fold()];
    let builder = handlers.into_iter().fold(Runtime::builder().lanes(1), |b, h| b.handler(h));
    let runtime = builder.build().await.unwrap();
    runtime.publish_and_promote(fed().build()).await.unwrap();
    let run = runtime.start("g", Value::Null).await.unwrap();
    for output in 0..OUTPUTS {
        give.send(Number { n: 1 }).unwrap();
        let seen = timeout(Duration::from_secs(20), walked.acquire()).await;
        seen.unwrap_or_else(|_| panic!("output {output} is not drawn")).unwrap().forget();
        // By then the lane waits: for the next output, or to report this one.
        sleep(Duration::from_millis(1)).await;
    }
    drop(give);
    assert_eq!(end_of(&run).await.output::<Number>().unwrap().n, OUTPUTS);
    assert_eq!(run.status().of("work", StateStatus::Success), OUTPUTS);
}
