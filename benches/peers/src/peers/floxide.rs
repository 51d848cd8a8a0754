//! floxide: one queue of work items per run, taken one by one; a split puts many into it.

use async_trait::async_trait;
use floxide::{FloxideError, Node, SharedState, Transition, Workflow, WorkflowCtx, workflow};
use serde::{Deserialize, Serialize};

use super::{Case, Peer};
use crate::work::node;

/// The crate `floxide`.
pub struct Floxide;

impl Peer for Floxide {
    fn name(&self) -> &'static str {
        "floxide"
    }

    fn cannot(&self) -> &'static str {
        "run two nodes of one `run` at once, join (the merger runs for each input and counts), build a \
         graph at run time (a macro does; the chain is one node here that returns to itself)"
    }

    fn fanout(&self, children: usize) -> Case {
        super::case(move || async move {
            let context = WorkflowCtx::new(Counts { children, merged: SharedState::new(0) });
            let workflow = Fanout { root: Root, child: Child, merger: Merger };
            workflow.run(&context, ()).await.expect("no node fails");
        })
    }

    fn chain(&self, nodes: usize) -> Case {
        super::case(move || async move {
            let context = WorkflowCtx::new(());
            let workflow = Chain { link: Link, last: Last };
            workflow.run(&context, nodes).await.expect("no node fails");
        })
    }
}

/// How many children a run has, and how many the merger has seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    children: usize,
    merged: SharedState<usize>,
}

#[derive(Clone, Debug)]
struct Root;

#[async_trait]
impl Node<Counts> for Root {
    type Input = ();
    type Output = ();

    async fn process(&self, counts: &Counts, (): ()) -> Result<Transition<()>, FloxideError> {
        node();
        Ok(Transition::NextAll(vec![(); counts.children]))
    }
}

#[derive(Clone, Debug)]
struct Child;

#[async_trait]
impl Node<Counts> for Child {
    type Input = ();
    type Output = ();

    async fn process(&self, _: &Counts, (): ()) -> Result<Transition<()>, FloxideError> {
        node();
        Ok(Transition::Next(()))
    }
}

#[derive(Clone, Debug)]
struct Merger;

#[async_trait]
impl Node<Counts> for Merger {
    type Input = ();
    type Output = ();

    async fn process(&self, counts: &Counts, (): ()) -> Result<Transition<()>, FloxideError> {
        let mut merged = counts.merged.get().await;
        *merged += 1;
        if *merged < counts.children {
            return Ok(Transition::Hold);
        }
        node();
        Ok(Transition::Next(()))
    }
}

workflow! {
    struct Fanout {
        root: Root,
        child: Child,
        merger: Merger,
    }
    start = root;
    context = Counts;
    edges {
        root => { [child] };
        child => { [merger] };
        merger => {};
    }
}

/// Where a link of the chain leads: it counts down.
#[derive(Clone, Debug)]
enum Next {
    Link(usize),
    Last(()),
}

#[derive(Clone, Debug)]
struct Link;

#[async_trait]
impl Node<()> for Link {
    type Input = usize;
    type Output = Next;

    async fn process(&self, _: &(), left: usize) -> Result<Transition<Next>, FloxideError> {
        node();
        Ok(Transition::Next(if left > 2 { Next::Link(left - 1) } else { Next::Last(()) }))
    }
}

#[derive(Clone, Debug)]
struct Last;

#[async_trait]
impl Node<()> for Last {
    type Input = ();
    type Output = ();

    async fn process(&self, _: &(), (): ()) -> Result<Transition<()>, FloxideError> {
        node();
        Ok(Transition::Next(()))
    }
}

workflow! {
    struct Chain {
        link: Link,
        last: Last,
    }
    start = link;
    context = ();
    edges {
        link => {
            Next::Link(left) => [ link ];
            Next::Last(done) => [ last ];
        };
        last => {};
    }
}
