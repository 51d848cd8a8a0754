//! cano: a state machine whose states run tasks; a split runs many and joins them.

use std::sync::Arc;

use cano::prelude::*;

use super::{Case, Peer};
use crate::work::node;

/// The crate `cano`.
pub struct Cano;

impl Peer for Cano {
    fn name(&self) -> &'static str {
        "cano"
    }

    fn cannot(&self) -> &'static str {
        "emit nodes at run time (a split is fixed when it is registered), pass values along edges, \
         fan out inside a fanout, more than one place at a time"
    }

    fn fanout(&self, children: usize) -> Case {
        let split = (0..children).map(|_| Noop(2));
        prepared(
            Workflow::bare()
                .register(0, Noop(1))
                .register_split(1, split, JoinConfig::new(JoinStrategy::All, 2))
                .register(2, Noop(3))
                .add_exit_state(3),
        )
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

fn prepared(workflow: Workflow<usize>) -> Case {
    let workflow = Arc::new(workflow);
    super::case(move || {
        let workflow = workflow.clone();
        async move {
            workflow.orchestrate(0, CancellationToken::disabled()).await.expect("no task fails");
        }
    })
}
