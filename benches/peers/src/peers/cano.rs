//! cano: a state machine whose states run tasks; a split runs many and joins them.

use std::sync::Arc;

use cano::prelude::*;

use super::{Case, Peer};
use crate::work::node;

/// The crate `cano`, with one of its two ways to fan out.
pub struct Cano(pub Fan);

/// What the children are.
pub enum Fan {
    /// Tasks of a split, spawned and joined.
    Split,
    /// Items of a batch, within one task.
    Batch,
}

impl Peer for Cano {
    fn name(&self) -> &'static str {
        "cano"
    }

    fn variant(&self) -> &'static str {
        match self.0 {
            Fan::Split => "split",
            Fan::Batch => "batch",
        }
    }

    fn cannot(&self) -> &'static str {
        match self.0 {
            Fan::Split => {
                "fan out over items (a split is fixed when it is registered), pass values along edges, \
                 be in two states at once, so that a branch has no branches or second step"
            }
            Fan::Batch => {
                "use two cores in one batch, let an item lead to other nodes, pass values along edges, \
                 be in two states at once"
            }
        }
    }

    fn fanout(&self, children: usize) -> Case {
        let workflow = Workflow::bare().register(0, Noop(1));
        let workflow = match self.0 {
            Fan::Split => {
                let tasks = (0..children).map(|_| Noop(2));
                workflow.register_split(1, tasks, JoinConfig::new(JoinStrategy::All, 2))
            }
            Fan::Batch => workflow.register(1, Items(children)),
        };
        prepared(workflow.register(2, Noop(3)).add_exit_state(3))
    }

    fn chain(&self, nodes: usize) -> Case {
        let chain = (0..nodes)
            .fold(Workflow::bare(), |workflow, place| workflow.register(place, Noop(place + 1)));
        prepared(chain.add_exit_state(nodes))
    }
}

/// Does nothing and goes to a state.
struct Noop(usize);

#[task(state = usize)]
impl Noop {
    fn config(&self) -> TaskConfig {
        TaskConfig::minimal()
    }

    async fn run_bare(&self) -> CanoResult<TaskResult<usize>> {
        node();
        Ok(TaskResult::Single(self.0))
    }
}

/// Does nothing for each of many items and goes to the merger.
struct Items(usize);

#[task::batch(state = usize)]
impl Items {
    fn concurrency(&self) -> usize {
        self.0
    }

    async fn load(&self, _: &Resources) -> CanoResult<Vec<()>> {
        Ok(vec![(); self.0])
    }

    async fn process_item(&self, _: &()) -> CanoResult<()> {
        node();
        Ok(())
    }

    async fn finish(&self, _: &Resources, _: Vec<CanoResult<()>>) -> CanoResult<TaskResult<usize>> {
        Ok(TaskResult::Single(2))
    }
}

fn prepared(workflow: Workflow<usize>) -> Case {
    let workflow = Arc::new(workflow);
    super::case(move || {
        let workflow = workflow.clone();
        async move {
            workflow.orchestrate(0, CancellationToken::disabled()).await.expect("no task fails");
        }
    })
}
