//! An output that leads straight on: its state succeeds, and the state's execution becomes that of the
//! next node where it lies, or ends.

use super::branch::child_input;
use super::{ENDED, Success, Walker};
use crate::graph::{Onward, PlanNode};
use crate::id::NodeIndex;
use crate::run::execution::Execution;
use crate::run::status::StateStatus;
use crate::value::Value;

/// What an output made of the execution that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Led {
    /// The next node's.
    On,
    /// Nothing more: its branch has ended, or the run may not have the child's state. Its box is free.
    Out,
    /// Nothing yet: it does not lead straight on, and was not taken.
    Not,
}

impl Walker<'_> {
    /// Takes the only output of an execution that had status `was`, if it leads straight on; else
    /// nothing has changed, and the output stays where it is.
    #[inline(always)]
    pub(crate) fn returned_straight(
        &mut self,
        own: &mut Execution,
        was: StateStatus,
        output: &mut Value,
    ) -> Led {
        self.straight(own, &Success { was: Some(was), drawn: None }, output)
    }

    /// The same of any output.
    ///
    /// The state's item ends, or passes to its only child.
    #[inline(always)]
    pub(super) fn straight(
        &mut self,
        own: &mut Execution,
        success: &Success<'_>,
        output: &mut Value,
    ) -> Led {
        let ground = self.ground;
        let node = ground.plan.node(own.node);
        match node.onward {
            Onward::Various => Led::Not,
            Onward::Node(next) => {
                let Ok(input) = child_input(&ground.plan, next, &self.view(own, output)) else {
                    return Led::Not;
                };
                self.goes_on((own, node), success, std::mem::take(output), (next, input))
            }
            Onward::Merger(_) | Onward::Nowhere => {
                self.goes_out((own, node), success, std::mem::take(output));
                Led::Out
            }
        }
    }

    /// The state is one that succeeded, for the run and for the groups that read its output.
    #[inline(always)]
    fn counted(
        &mut self,
        (own, node): (&Execution, &PlanNode),
        success: &Success<'_>,
        output: &Value,
    ) {
        self.moved(own, success.was, StateStatus::Success);
        if node.collected {
            self.collect(own, output);
        }
    }

    /// The execution becomes that of the next node, whose input is there: most of it stays as it is.
    #[inline(always)]
    fn goes_on(
        &mut self,
        (own, node): (&mut Execution, &PlanNode),
        success: &Success<'_>,
        output: Value,
        (next, input): (NodeIndex, Value),
    ) -> Led {
        self.counted((own, node), success, &output);
        if node.is_result {
            self.result(own.node, own.path.clone(), output.clone());
        }
        let Some(state) = self.next_state(Some(own.state)) else {
            self.batch.count(own.tokens(), ENDED);
            self.childless(own);
            self.succeeded(own, success.drawn, output);
            return Led::Out;
        };
        debug_assert!(self.ground.is_inside_all(own.tokens(), next));
        let read_below = node.kept.then(|| (own.node, output.clone()));
        self.succeeded(own, success.drawn, output);
        own.pass_on_to(next, state, input);
        if let Some((from, output)) = read_below {
            own.scope = std::mem::take(&mut own.scope).with_output(from, output);
        }
        self.moved(own, None, StateStatus::Created);
        Led::On
    }

    /// The branch ends, in a merger or in a leaf.
    #[inline(always)]
    fn goes_out(
        &mut self,
        (own, node): (&mut Execution, &PlanNode),
        success: &Success<'_>,
        output: Value,
    ) {
        self.counted((own, node), success, &output);
        match node.onward {
            Onward::Merger(merger) => self.end_in(own, merger),
            _ => self.batch.count(own.tokens(), ENDED),
        }
        let result = node.is_result.then(|| output.clone());
        self.succeeded(own, success.drawn, output);
        if let Some(output) = result {
            // Nobody but its record needs the path any more.
            let path = std::mem::take(&mut own.path);
            self.result(own.node, path, output);
        }
    }

    /// A state whose only edge leads into a merger: its item ends where that is told.
    #[inline(always)]
    fn end_in(&mut self, own: &Execution, merger: NodeIndex) {
        self.batch.run.tally.add(ENDED);
        for token in own.tokens().iter() {
            let delta = self.batch.group(token.group);
            delta.tally.add(ENDED);
            delta.arrived += i64::from(token.merger == merger);
        }
    }
}
