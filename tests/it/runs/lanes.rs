//! A wide fanout keeps every lane busy.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hotgraph::{Handler, NodeError, RunStatus, Value};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fanout_is_walked_by_every_lane() {
    let runtime = runtime().lanes(LANES).handler(meet()).build().await.unwrap();
    runtime.publish_and_promote(joined("meet", |merger| merger).build()).await.unwrap();
    let inputs = Value::object([("n", 1_000_u64)]);
    let outcome = runtime.start("g", inputs).await.unwrap().await;
    assert_eq!(outcome.status, RunStatus::Success, "{:?}", outcome.failures);
}
