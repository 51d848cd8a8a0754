//! What a group has gathered for its merger: arrays in fanout order, or a fold in progress.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::graph::{Multiplicity, Plan};
use crate::id::NodeIndex;
use crate::node::Call;
use crate::run::batch::{Element, ElementValue};
use crate::run::execution::Folded;
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
    /// Where states were that were retried by hand: what they gave counts no longer.
    gone: BTreeSet<(NodeIndex, u64)>,
    /// Why a fold cannot finish, from the first element in fanout order that it could not take.
    unmade: Option<(Path, Arc<str>)>,
}

/// The input of one step of a fold, or why it could not be made.
type StepInput = Result<Value, Arc<str>>;

#[derive(Default)]
enum Steps {
    /// The merger is no fold, or its group is not known to be open.
    #[default]
    Early,
    /// Elements that came before the group was opened, or that are kept.
    Kept(Vec<(Path, StepInput)>),
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
            for (path, input) in self.left(plan.unites(merger).driver, early) {
                self.fold(path, input);
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
                ElementValue::Step(input) => self.take(element.path, input),
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

    fn take(&mut self, path: Path, input: StepInput) {
        match &mut self.steps {
            Steps::Folding(_) => self.fold(path, input),
            Steps::Kept(kept) => kept.push((path, input)),
            Steps::Early => self.steps = Steps::Kept(vec![(path, input)]),
        }
    }

    fn fold(&mut self, path: Path, input: StepInput) {
        match input {
            Ok(input) => self.step(input),
            Err(error) => self.cannot(path, error),
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

    /// States that gave outputs are retried by hand: their own no longer count, but a fold cannot give
    /// back what it took.
    pub(crate) fn taken_back<'a>(
        &mut self,
        plan: &Plan,
        merger: NodeIndex,
        node: NodeIndex,
        places: impl Iterator<Item = &'a Path>,
    ) {
        // Looked for when the merger fires, and not among all that is there for each state.
        let mut first: Option<&Path> = None;
        for place in places {
            self.gone.insert((node, place.hash()));
            if first.is_none_or(|first| place.fanout_order(first).is_lt()) {
                first = Some(place);
            }
        }
        if let (Some(first), Some(driver)) = (first, plan.unites(merger).driver)
            && matches!(self.steps, Steps::Folding(_))
            && plan.leads(node, driver)
        {
            self.cannot(first.clone(), TAKEN_BACK.into());
        }
    }

    /// What a node gave, without what counts no longer.
    fn left<T>(&self, node: Option<NodeIndex>, mut given: Vec<(Path, T)>) -> Vec<(Path, T)> {
        if let Some(node) = node.filter(|_| !self.gone.is_empty()) {
            given.retain(|(path, _)| !self.gone.contains(&(node, path.hash())));
        }
        given
    }

    /// What the merger reads of the region's nodes.
    pub(crate) fn collected(
        &mut self,
        reads: &[(NodeIndex, Multiplicity)],
    ) -> Vec<(NodeIndex, Collected)> {
        let mut collect = |&(node, multiplicity): &(NodeIndex, Multiplicity)| {
            let outputs = std::mem::take(self.outputs_of(node));
            let outputs = in_order(self.left(Some(node), outputs));
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

    /// Why the fold cannot finish, if it cannot.
    pub(crate) fn take_unmade(&mut self) -> Option<Arc<str>> {
        self.unmade.take().map(|(_, error)| error)
    }

    /// The kept elements in fanout order, or why the first of them that is missing could not be made.
    pub(crate) fn take_kept(&mut self, driver: Option<NodeIndex>) -> Result<Vec<Value>, Arc<str>> {
        match std::mem::take(&mut self.steps) {
            Steps::Kept(kept) => in_order(self.left(driver, kept)).into_iter().collect(),
            Steps::Early | Steps::Folding(_) => Ok(Vec::new()),
        }
    }
}

/// Sorts by place; of two at one place (a manual retry) the later one counts.
fn in_order<T>(mut values: Vec<(Path, T)>) -> Vec<T> {
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
