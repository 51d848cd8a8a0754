//! orka: pipelines of steps over a shared context; a step may run another pipeline many times.

use std::sync::Arc;

use orka::{ContextData, FanOut, FanOutPolicy, OrkaError, Pipeline, PipelineControl};

use super::{Case, Peer};
use crate::work::node;

/// The crate `orka`.
pub struct Orka;

impl Peer for Orka {
    fn name(&self) -> &'static str {
        "orka"
    }

    fn cannot(&self) -> &'static str {
        "run two steps of one pipeline at once (it is a list; a step runs another pipeline for each \
         item), use two cores in one run without a spawner, retry"
    }

    fn fanout(&self, children: usize) -> Case {
        let child = Arc::new(chain(1));
        let mut pipeline: Pipeline<(), OrkaError> = Pipeline::new(["root", "merger"]);
        pipeline.on_root("root", move |_| {
            let child = child.clone();
            async move {
                node();
                let fan = FanOut::new(child).policy(FanOutPolicy::RequireAll);
                fan.run((0..children).map(|_| ())).await.into_control()
            }
        });
        pipeline.on_root("merger", noop);
        prepared(pipeline)
    }

    fn chain(&self, nodes: usize) -> Case {
        prepared(chain(nodes))
    }
}

async fn noop(_: ContextData<()>) -> Result<PipelineControl, OrkaError> {
    node();
    Ok(PipelineControl::Continue)
}

fn chain(nodes: usize) -> Pipeline<(), OrkaError> {
    let names: Vec<_> = (0..nodes).map(|place| place.to_string()).collect();
    let mut pipeline = Pipeline::new(&names);
    for name in &names {
        pipeline.on_root(name, noop);
    }
    pipeline
}

fn prepared(pipeline: Pipeline<(), OrkaError>) -> Case {
    pipeline.validate().expect("every step has a handler");
    let pipeline = Arc::new(pipeline);
    super::case(move || {
        let pipeline = pipeline.clone();
        async move {
            pipeline.run(ContextData::new(())).await.expect("no step fails");
        }
    })
}
