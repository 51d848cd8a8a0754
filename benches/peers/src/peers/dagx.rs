//! operese-dagx: typed tasks in layers; a layer ends before the next one starts.

use std::sync::Arc;

use operese_dagx::{DagRunner, Task, TaskHandle, TaskInput};

use super::{Build, Case, Peer, Remains, Run};
use crate::work::node;

/// Takes at most 8 inputs per task, so mergers form a tree of this width.
const WIDTH: usize = 8;

/// The crate `operese-dagx`.
pub struct Dagx(pub Build);

impl Peer for Dagx {
    fn name(&self) -> &'static str {
        "operese-dagx"
    }

    fn variant(&self) -> &'static str {
        self.0.variant()
    }

    fn cannot(&self) -> &'static str {
        match self.0 {
            Build::Timed => {
                "run a graph twice, fan out over items (one node per child here), join more than 8 inputs \
                 (mergers of 8 form a tree here), run a node before all of the layer before have \
                 ended, retry, time out"
            }
            Build::Before => "as above",
        }
    }

    fn fanout(&self, children: usize) -> Case {
        self.case(move || fanout(children))
    }

    fn chain(&self, nodes: usize) -> Case {
        self.case(move || chain(nodes))
    }
}

impl Dagx {
    fn case(&self, build: impl Fn() -> DagRunner + Copy + Send + Sync + 'static) -> Case {
        let time = self.0;
        Case::Worker(Arc::new(move || -> Run {
            match time {
                Build::Timed => Box::pin(async move {
                    drop(run(build()).await);
                    Box::new(()) as Remains
                }),
                Build::Before => Box::pin(run(build())),
            }
        }))
    }
}

async fn run(dag: DagRunner) -> Remains {
    let spawn = |task| async { tokio::spawn(task).await.expect("panics are caught before") };
    let output = dag.run(spawn).await;
    Box::new(output.unwrap_or_else(|_| panic!("no task fails")))
}

fn fanout(children: usize) -> DagRunner {
    let mut dag = DagRunner::new();
    let root = dag.add_task::<(), _>(Noop);
    let mut level: Vec<_> = (0..children).map(|_| child(&mut dag, &root)).collect();
    while level.len() > 1 {
        level = level.chunks(WIDTH).map(|inputs| join(&mut dag, inputs)).collect();
    }
    child(&mut dag, &level[0]);
    dag
}

fn chain(nodes: usize) -> DagRunner {
    let mut dag = DagRunner::new();
    let mut last = dag.add_task::<(), _>(Noop);
    for _ in 1..nodes {
        last = child(&mut dag, &last);
    }
    dag
}

struct Noop;

impl Task<()> for Noop {
    type Output = ();

    async fn run(self, _: TaskInput<'_, ()>) {
        node();
    }
}

impl Task<((),)> for Noop {
    type Output = ();

    async fn run(self, _: TaskInput<'_, ((),)>) {
        node();
    }
}

struct Join;

type Eight = ((), (), (), (), (), (), (), ());

impl Task<Eight> for Join {
    type Output = ();

    async fn run(self, _: TaskInput<'_, Eight>) {}
}

fn child(dag: &mut DagRunner, parent: &TaskHandle<()>) -> TaskHandle<()> {
    dag.add_task::<((),), _>(Noop).depends_on(parent)
}

/// Joins up to eight; the last one fills the places that are left.
fn join(dag: &mut DagRunner, inputs: &[TaskHandle<()>]) -> TaskHandle<()> {
    let at = |place: usize| &inputs[place.min(inputs.len() - 1)];
    let all = (at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
    dag.add_task::<Eight, _>(Join).depends_on(all)
}
