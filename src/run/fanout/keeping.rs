//! A fanout of a run with a journal: its outputs are kept whole before the first branch starts.

use std::sync::Arc;
use std::task::Context;

use super::drawing::Drawing;
use super::lane::{Lane, Task};
use super::source::{After, Drawn, End, Fanout};
use crate::node::{Each, Emission, NodeError};
use crate::run::durable::{AttemptKey, Entry, KEPT_TOGETHER};
use crate::run::execution::Execution;
use crate::run::walk::Fault;
use crate::value::Value;

/// How many outputs are drawn before the lane looks after other work.
const AT_ONCE: usize = 4 * KEPT_TOGETHER;

/// A fanout whose outputs are being kept, or a resumable one that has none yet.
pub(crate) struct Keeping {
    pub(super) fanout: Fanout,
    pub(super) drawn: Drawn,
}

impl Keeping {
    pub(crate) fn new(execution: Execution, outputs: Emission, max: u64) -> Self {
        Self { fanout: Fanout::new(execution, outputs, max), drawn: Drawn::default() }
    }

    /// The execution, whose outputs nobody wants any more.
    pub(crate) fn give_up(self) -> Box<Execution> {
        Box::new(self.fanout.execution.clone())
    }
}

impl Lane {
    /// Draws outputs until there are no more of them; then the branches may start.
    pub(super) fn keep_on(
        &mut self,
        mut keeping: Box<Keeping>,
        cx: &mut Context<'_>,
        left: &mut u32,
    ) {
        if keeping.fanout.is_resumable() {
            return self.open_resumable(*keeping, cx);
        }
        match keeping.fanout.draw(cx, AT_ONCE, &mut keeping.drawn) {
            After::More => {
                self.tasks.push(Task::Keeping(keeping));
                // So many take a turn of their own.
                *left = 0;
            }
            After::Pending => self.stalled_keeping.push(*keeping),
            After::End(end) => self.kept(*keeping, &end),
            // Nobody else draws from it.
            After::Gone => {}
        }
    }

    fn kept(&mut self, keeping: Keeping, End { drawn, fault }: &End) {
        let Keeping { fanout, drawn: outputs } = keeping;
        let execution = fanout.execution.clone();
        if let (0, Some(fault)) = (*drawn, fault) {
            return self.faulted(Box::new(execution), fault);
        }
        let outputs: Arc<[Value]> = outputs.outputs.into_iter().map(|(_, output)| output).collect();
        self.batch.entries.extend(entries((&execution).into(), &outputs));
        self.step_with(|walker| walker.fanned_out(&execution, *drawn, fault.as_ref()));
        let drawing = Drawing::of(Arc::new(Fanout::of_kept(execution, outputs, 0, fault.clone())));
        self.held.push(Task::Drawing(Box::new(drawing)));
    }
}

/// What is written of kept outputs.
fn entries(of: AttemptKey, outputs: &[Value]) -> impl Iterator<Item = Entry> {
    let parts = outputs.chunks(KEPT_TOGETHER).enumerate();
    parts.map(move |(part, outputs)| Entry::Kept {
        of,
        from: (part * KEPT_TOGETHER) as u64,
        outputs: outputs.to_vec(),
    })
}

impl Fanout {
    /// A fanout whose outputs were kept, from that place on.
    pub(crate) fn of_kept(
        execution: Execution,
        outputs: Arc<[Value]>,
        from: u64,
        fault: Option<Fault>,
    ) -> Self {
        let first = usize::try_from(from).unwrap_or(usize::MAX);
        let each = (first..outputs.len()).map(move |place| Ok(outputs[place].clone()));
        let error = fault.map(|fault| Err(NodeError::of_fault(&fault.error, fault.retryable)));
        let outputs = Emission::Each(Box::new(Each(each.chain(error), |output| output)));
        // Their number was checked when they were kept.
        Self::resumed(execution, outputs, from, u64::MAX)
    }
}
