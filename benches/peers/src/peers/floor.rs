//! What no engine can do without: a task per child and a countdown; a boxed future per chained node.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::{Case, Peer, case};
use crate::work::node;

/// `tokio::spawn` and an atomic countdown.
pub struct Floor;

impl Peer for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn cannot(&self) -> &'static str {
        "not an engine: `tokio::spawn` and a countdown for a fanout, a boxed future per chained node"
    }

    fn fanout(&self, children: usize) -> Case {
        case(move || fanout(children))
    }

    fn chain(&self, nodes: usize) -> Case {
        let calls: Arc<[Call]> = (0..nodes).map(|_| call()).collect();
        case(move || {
            let calls = calls.clone();
            async move {
                for call in calls.iter() {
                    call().await;
                }
            }
        })
    }
}

type Call = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

fn call() -> Call {
    Box::new(|| Box::pin(async { node() }))
}

async fn fanout(children: usize) {
    node();
    let left = Arc::new((AtomicUsize::new(children), Notify::new()));
    for _ in 0..children {
        let left = left.clone();
        tokio::spawn(async move {
            node();
            if left.0.fetch_sub(1, Ordering::AcqRel) == 1 {
                left.1.notify_one();
            }
        });
    }
    left.1.notified().await;
    node();
}
