//! apalis-workflow: a worker takes every step as a task from a queue; here the one in memory.

use std::sync::Arc;

use apalis_core::backend::TaskSink;
use apalis_core::task::task_fn::task_fn;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_workflow::in_memory::InMemoryWorkflow;
use apalis_workflow::{GraphFlow, SteppedFlow, WorkflowSink};
use tokio::sync::{Mutex, Notify};

use super::{Case, Peer};
use crate::work::node;

/// The crate `apalis-workflow`.
pub struct Apalis;

impl Peer for Apalis {
    fn name(&self) -> &'static str {
        "apalis-workflow"
    }

    fn cannot(&self) -> &'static str {
        "let an item go on before all of its step are done, drop results (the store in memory keeps \
         those of every run)"
    }

    fn fanout(&self, children: usize) -> Case {
        let end = Arc::new(Notify::new());
        let ended = end.clone();
        let flow = SteppedFlow::new("fanout")
            .and_then(async |children: usize| {
                node();
                vec![0_u8; children]
            })
            .filter_map(async |child: u8| {
                node();
                Some(child)
            })
            .and_then(move |_: Vec<u8>| {
                node();
                ended.notify_one();
                async {}
            });
        let queue = InMemoryWorkflow::create();
        let worker = WorkerBuilder::new("fanout").backend(queue.clone()).build(flow);
        prepared(worker.run(), end, move || {
            let mut queue = queue.clone();
            async move { queue.push(children).await.expect("the queue is open") }
        })
    }

    fn chain(&self, nodes: usize) -> Case {
        let end = Arc::new(Notify::new());
        let ended = end.clone();
        let flow = GraphFlow::new("chain");
        let first = flow.add_node("0", task_fn(noop));
        let mut last = flow.add_node("1", task_fn(noop)).depends_on(&first);
        for place in 2..nodes - 1 {
            last = flow.add_node(&place.to_string(), task_fn(noop)).depends_on(&last);
        }
        let notify = task_fn(move |_: u8| {
            node();
            ended.notify_one();
            async { 0_u8 }
        });
        flow.add_node("last", notify).depends_on(&last);
        let queue = InMemoryWorkflow::create();
        let worker = WorkerBuilder::new("chain").backend(queue.clone()).build(flow);
        prepared(worker.run(), end, move || {
            let mut queue = queue.clone();
            async move { queue.push_start(0_u8).await.expect("the queue is open") }
        })
    }
}

async fn noop(value: u8) -> u8 {
    node();
    value
}

/// Drives a worker that outlives its runs.
///
/// It shares a task with whoever starts a run: a handle of the shared queue that finds it locked keeps
/// what it was to send, so that a run started on another thread may never begin.
fn prepared<S: Future<Output = ()> + Send + 'static>(
    worker: impl Future + Send + 'static,
    end: Arc<Notify>,
    start: impl Fn() -> S + Send + Sync + 'static,
) -> Case {
    let worker = Arc::new(Mutex::new(Box::pin(worker)));
    super::case(move || {
        let (worker, end, start) = (worker.clone(), end.clone(), start());
        async move {
            let mut worker = worker.lock().await;
            let run = async {
                start.await;
                end.notified().await;
            };
            tokio::select! {
                _ = &mut *worker => panic!("the worker has no end"),
                () = run => {}
            }
        }
    })
}
