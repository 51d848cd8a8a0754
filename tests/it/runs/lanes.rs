//! Who walks: a wide fanout keeps every lane busy, a small run needs none.

use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;
use std::time::Duration;

use hotgraph::{Document, Handler, NodeError, NodeSpec, RunStatus, Value};

use super::{Number, joined, runtime};

const LANES: usize = 4;

/// Blocks its thread until an attempt of it is under way on every lane.
fn meet() -> Handler {
    let here = Arc::new((Mutex::new(0), Condvar::new()));
    Handler::one("meet", move |input: Number| {
        let here = here.clone();
        async move {
            let (count, came) = &*here;
            let mut count = count.lock().unwrap();
            *count += 1;
            came.notify_all();
            // The limit is for a test that fails.
            let most = Duration::from_secs(20);
            let waited = came.wait_timeout_while(count, most, |count| *count < LANES).unwrap();
            match waited.1.timed_out() {
                true => Err(NodeError::permanent("not every lane came")),
                false => Ok(input),
            }
        }
    })
}

/// Of any width, as a turn may end with the last attempt before the merger.
#[tokio::test(start_paused = true)]
async fn a_walk_joins_its_last_group_itself() {
    let quick = Handler::one("quick", |input: Number| async move { Ok(input) });
    let runtime = runtime().lanes(2).handler(quick).build().await.unwrap();
    for width in 1..=64 {
        let work = |at| format!("work{at}");
        let list = NodeSpec::new("list").handler("quick").input("n", width);
        let list = (0..width).fold(list, |list, at| list.next(&work(at)));
        let branch = |at| {
            NodeSpec::new(work(at))
                .handler("quick")
                .input("n", "${{list.outputs.n}}")
                .next("gather")
        };
        let gather = NodeSpec::new("gather").handler("quick").unites("list").input("n", 1);
        let graph =
            (0..width).map(branch).fold(Document::builder("g").node(list), |g, n| g.node(n));
        runtime.publish_and_promote(graph.node(gather).build()).await.unwrap();
        let mut run = Box::pin(runtime.start("g", Value::Null).run());
        let Poll::Ready(outcome) = futures_util::poll!(&mut run) else {
            panic!("a walk of {width} branches was left to a crew")
        };
        assert_eq!(outcome.unwrap().status, RunStatus::Success);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fanout_is_walked_by_every_lane() {
    let runtime = runtime().lanes(LANES).handler(meet()).build().await.unwrap();
    runtime.publish_and_promote(joined("meet", |merger| merger).build()).await.unwrap();
    let inputs = Value::object([("n", 2_000_u64)]);
    let outcome = runtime.start("g", inputs).await.unwrap().await;
    assert_eq!(outcome.status, RunStatus::Success, "{:?}", outcome.failures);
}
