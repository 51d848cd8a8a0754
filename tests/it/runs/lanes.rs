//! How many branches of a fanout keep a core busy at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hotgraph::{Handler, NodeError, RunStatus, Value};

use super::{Number, joined, runtime};

const LANES: usize = 4;

/// Blocks its thread until an attempt of it is under way on every lane.
fn meet() -> Handler {
    let here = Arc::new(AtomicUsize::new(0));
    Handler::one("meet", move |input: Number| {
        let here = here.clone();
        async move {
            here.fetch_add(1, Ordering::SeqCst);
            let began = Instant::now();
            while here.load(Ordering::SeqCst) < LANES {
                if began.elapsed() > Duration::from_secs(20) {
                    return Err(NodeError::permanent("nobody else came"));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(input)
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fanout_is_walked_by_every_lane() {
    let runtime = runtime().lanes(LANES).handler(meet()).build().await.unwrap();
    runtime.publish_and_promote(joined("meet", |merger| merger).build()).await.unwrap();
    let inputs = Value::object([("n", 1_000_u64)]);
    let outcome = runtime.start("g", inputs).await.unwrap().await;
    assert_eq!(outcome.status, RunStatus::Success, "{:?}", outcome.failures);
}
