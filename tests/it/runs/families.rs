//! Runs below runs: what one is told reaches all below it.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use hotgraph::{Context, Document, Handler, NodeSpec, Run, Runtime, ShutdownReport, Value};

use super::control::end_of;

/// A run above several others, and the lowest of them, which waits.
async fn tall_family() -> (Runtime, Run, Run) {
    let wait = |_: (), ctx: Context| async move {
        ctx.sleep(Duration::from_secs(1_000)).await;
        Ok(())
    };
    let runtime = Runtime::builder().handler(Handler::one("wait", wait)).build().await.unwrap();
    let lowest = Document::builder("g0").node(NodeSpec::new("wait"));
    runtime.publish_and_promote(lowest.build()).await.unwrap();
    for level in 1..6 {
        let below = NodeSpec::new("sub").subgraph(format!("g{}", level - 1));
        let graph = Document::builder(format!("g{level}")).node(below);
        runtime.publish_and_promote(graph.build()).await.unwrap();
    }
    let mut events = runtime.events();
    let run = runtime.start("g5", Value::Null).await.unwrap();
    let lowest = loop {
        let event = events.next().await.unwrap().unwrap();
        if let Some(run) = event.run.filter(|_| event.graph.name() == "g0") {
            break runtime.run(run).unwrap();
        }
    };
    (runtime, run, lowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_resume_at_once_leave_no_child_behind() {
    let (runtime, run, lowest) = tall_family().await;
    let (both, mut apart) = (Barrier::new(2), 0);
    thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..10_000 {
                both.wait();
                run.resume();
                both.wait();
            }
        });
        for _ in 0..10_000 {
            both.wait();
            run.pause();
            both.wait();
            apart += u64::from(lowest.status().status != run.status().status);
        }
    });
    assert_eq!(apart, 0, "times they were not told the same");
    run.cancel();
    end_of(&run).await;
    end_of(&lowest).await;
    let report = runtime.shutdown(Duration::from_secs(20)).await;
    assert_eq!(report, ShutdownReport::default(), "those between them end, too");
}
