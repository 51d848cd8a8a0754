//! What a group has gathered for its merger: arrays in fanout order, or a fold in progress.

use std::fmt;
use std::sync::Arc;

use crate::graph::{Multiplicity, Plan};
use crate::id::NodeIndex;
use crate::node::Call;
use crate::run::batch::{Element, ElementValue};
use crate::run::execution::{Execution, Folded};
use crate::run::order::sort_by_path;
use crate::run::panics::GuardedFold;
use crate::run::path::Path;
use crate::run::scope::Collected;
use crate::value::Value;

/// Why a fold cannot begin anew with what it had taken.
const TAKEN_BACK: &str =
    "a state that the fold had taken was retried by hand; `Handler::ordered` keeps the elements";

/// What a group has gathered.
#[derive(Default)]
pub(crate) struct Collector {
    /// By node, of the few that the merger reads.
    outputs: Vec<(NodeIndex, Vec<(Path, Value)>)>,
    steps: Steps,
    /// Why the merger's input cannot be made, from the first such element in fanout order.
    unmade: Option<(Path, Arc<str>)>,
}

#[derive(Default)]
enum Steps {
    /// The merger is no fold, or its group is not known to be open.
    #[default]
    Early,
    /// Elements that came before the group was opened, or that are kept.
    Kept(Vec<(Path, Value)>),
    /// A fold that takes them as they come.
    Folding(Folded),
}

impl Collector {
    /// Says which merger the group belongs to; elements may have come before.
    pub(crate) fn start(&mut self, plan: &Plan, merger: NodeIndex) {
        if let Call::Fold(fold) = plan.node(merger).handler.call() {
            let early = match std::mem::take(&mut self.steps) {
                Steps::Kept(early) => early,
                Steps::Early | Steps::Folding(_) => Vec::new(),
            };
            self.steps = Steps::Folding(GuardedFold::begin(&**fold));
            for (_, value) in early {
                self.step(value);
            }
        }
    }

    /// Adds elements in the order of their arrival.
    pub(crate) fn extend(&mut self, elements: Vec<Element>) {
        for element in elements {
            match element.value {
                ElementValue::Output(output) => {
                    self.outputs_of(element.node).push((element.path, output));
                }
                ElementValue::Step(Ok(input)) => self.take(element.path, input),
                ElementValue::Step(Err(error)) => self.cannot(element.path, error),
            }
        }
    }

    fn outputs_of(&mut self, node: NodeIndex) -> &mut Vec<(Path, Value)> {
        let place = self.outputs.iter().position(|(other, _)| *other == node);
        let place = place.unwrap_or_else(|| {
            self.outputs.push((node, Vec::new()));
            self.outputs.len() - 1
        });
        &mut self.outputs[place].1
    }

    fn take(&mut self, path: Path, input: Value) {
        match &mut self.steps {
            Steps::Folding(_) => self.step(input),
            Steps::Kept(kept) => kept.push((path, input)),
            Steps::Early => self.steps = Steps::Kept(vec![(path, input)]),
        }
    }

    fn cannot(&mut self, path: Path, error: Arc<str>) {
        if self.unmade.as_ref().is_none_or(|(first, _)| path.fanout_order(first).is_lt()) {
            self.unmade = Some((path, error));
        }
    }

    /// Runs one step of the fold; a fold that failed takes no more elements.
    fn step(&mut self, input: Value) {
        if let Steps::Folding(Ok(state)) = &mut self.steps
            && let Err(error) = state.step(input)
        {
            self.steps = Steps::Folding(Err(error));
        }
    }

    /// A state that had succeeded is retried by hand: a fold cannot give back what it took of it.
    pub(crate) fn taken_back(&mut self, plan: &Plan, merger: NodeIndex, execution: &Execution) {
        let is_fold = matches!(plan.node(merger).handler.call(), Call::Fold(_));
        let driver = plan.unites(merger).driver.filter(|_| is_fold);
        if driver.is_some_and(|driver| plan.leads(execution.node, driver)) {
            self.cannot(execution.path.clone(), TAKEN_BACK.into());
        }
    }

    /// Why the merger's input cannot be made, if it cannot.
    pub(crate) fn unmade(&self) -> Option<&Arc<str>> {
        self.unmade.as_ref().map(|(_, error)| error)
    }

    /// What the merger reads of the region's nodes.
    pub(crate) fn collected(
        &mut self,
        reads: &[(NodeIndex, Multiplicity)],
    ) -> Vec<(NodeIndex, Collected)> {
        let mut collect = |&(node, multiplicity): &(NodeIndex, Multiplicity)| {
            let outputs = in_order(std::mem::take(self.outputs_of(node)));
            let collected = match multiplicity {
                Multiplicity::AtMostOne => Collected::One(outputs.last().cloned()),
                Multiplicity::Many => Collected::Many(outputs.into()),
            };
            (node, collected)
        };
        reads.iter().map(&mut collect).collect()
    }

    /// The fold, if the merger is one.
    pub(crate) fn folded(&mut self) -> Option<Folded> {
        match std::mem::take(&mut self.steps) {
            Steps::Folding(folded) => Some(folded),
            Steps::Kept(_) | Steps::Early => None,
        }
    }

    /// The kept elements in fanout order.
    pub(crate) fn kept(&mut self) -> Vec<Value> {
        match std::mem::take(&mut self.steps) {
            Steps::Kept(kept) => in_order(kept),
            Steps::Early | Steps::Folding(_) => Vec::new(),
        }
    }
}

/// Sorts by place; of two at one place (a manual retry) the later one counts.
fn in_order(mut values: Vec<(Path, Value)>) -> Vec<Value> {
    values.reverse();
    sort_by_path(&mut values, |(path, _)| path);
    values.dedup_by(|next, kept| next.0.fanout_order(&kept.0).is_eq());
    values.into_iter().map(|(_, value)| value).collect()
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("outputs", &self.outputs.len()).finish_non_exhaustive()
    }
}
