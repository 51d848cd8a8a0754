//! The records of states that succeeded or wait, as a lane made them: each says only what those before
//! it do not.
//!
//! Most runs end without anybody reading a record, and most states come after one another at one
//! place of their run. What they share is written down once; who reads a record has it made. A state
//! of a handler without fields takes 32 bytes, of which nothing is to be dropped.
//!
//! Invariants:
//! 1. A child follows its parent and nothing else.
//! 2. A scope is told by its address: that of the last state is held by a mark, by a whole execution
//!    or by the scope of its child, so that no other can be there.
//! 3. After a state has succeeded or is forgotten, its batch has no other change of it.
//! 4. Nothing goes on from a state that waits: what it leads to is told anew.

use super::batch::{Record, StateEnd};
use super::execution::Execution;
use super::scope::Scope;
use super::status::StateStatus;
use crate::id::{NodeIndex, StateId};
use crate::value::{Fields, Value};

/// States that succeeded or wait, in the order in which one lane made them.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    marks: Marks,
    last: Option<Standing>,
    /// The fanout of the last output, and its place among the whole executions.
    fanout: Option<(StateId, usize)>,
    /// The last state that began anew, by the place of its execution.
    begun: Option<u32>,
}

/// The place of an execution below another output of a fanout than a whole one.
#[derive(Clone, Copy, Debug)]
struct Beside {
    whole: u32,
    index: u64,
    /// By how much the number of its state is higher than that of its parent's.
    above: u32,
    state: StateId,
}

/// What a trail says of its states.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    list: Vec<Mark>,
    /// Inputs and outputs in the order of the marks that tell of them.
    values: Vec<Value>,
    scopes: Vec<Scope>,
    /// Executions that no other state tells of, and those whose outputs follow.
    whole: Vec<Execution>,
    /// How many changes of states there are.
    changes: usize,
}

/// What a trail tells of one state.
#[derive(Debug)]
pub(crate) enum Change {
    /// It ended.
    Ended(Record),
    /// It waits, if no record says how it ended.
    Waits(Record),
    /// There is no record of it any more.
    Forgotten(StateId),
}

/// What one state adds to those before it.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// Everything.
    Whole { execution: usize, output: Told },
    /// An output of a fanout.
    Output { fanout: usize, state: StateId, index: u64, output: Told },
    /// The first attempt of a node, at the place of the state before, which is its parent.
    Child { node: NodeIndex, state: StateId, input: Told, output: Told },
    /// The first attempt of a node, below another output of a fanout than a whole execution.
    Sibling {
        whole: u32,
        index: u64,
        above: u32,
        node: NodeIndex,
        state: StateId,
        input: Told,
        output: Told,
    },
    /// It is forgotten.
    Forgotten { state: StateId },
    /// What the next child can read, if that is not what the state before could.
    Scope,
}

/// How a value is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// It is the object without fields.
    Empty,
    /// It is the next of the values.
    Listed,
    /// There is none: the state waits, with this status.
    Waits(StateStatus),
}

/// What tells whether a state comes right after another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    state: StateId,
    place: u64,
    scope: usize,
}

impl Standing {
    #[inline]
    pub(crate) fn of(execution: &Execution) -> Self {
        let (place, scope) = (execution.path.hash(), execution.scope.address());
        Self { state: execution.state, place, scope }
    }
}

impl Trail {
    /// An empty one with as much room, or what `room` makes of it.
    pub(crate) fn alike(&self, room: impl Fn(usize) -> usize) -> Self {
        let Marks { list, values, .. } = &self.marks;
        let list = Vec::with_capacity(room(list.len()));
        let values = Vec::with_capacity(room(values.len()));
        Self { marks: Marks { list, values, ..Marks::default() }, ..Self::default() }
    }

    /// Makes room for so many more states.
    pub(crate) fn reserve(&mut self, states: usize) {
        self.marks.list.reserve(states);
    }

    /// How many changes of states there are.
    pub(crate) const fn len(&self) -> usize {
        self.marks.changes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.marks.changes == 0
    }

    /// Adds a state that succeeded; its input goes there, if another state tells of the rest.
    #[inline(always)]
    pub(crate) fn succeeded(&mut self, execution: &mut Execution, output: Value) {
        if !self.go_on_to(execution) {
            return self.begin(execution, output);
        }
        let (state, node) = (execution.state, execution.node);
        let input = self.marks.tell(std::mem::take(&mut execution.input));
        let output = self.marks.tell(output);
        self.marks.add(Mark::Child { node, state, input, output });
    }

    /// Adds a state that does not follow the one before it.
    fn begin(&mut self, execution: &mut Execution, output: Value) {
        let mark = match self.place_beside(execution) {
            Some(place) => {
                let input = self.marks.tell(std::mem::take(&mut execution.input));
                place.mark(execution.node, input, self.marks.tell(output))
            }
            None => {
                let output = self.marks.tell(output);
                self.whole(execution.clone(), output)
            }
        };
        self.last = Some(Standing::of(execution));
        self.marks.add(mark);
    }

    /// Keeps an execution whole, for those that may lie beside it.
    fn whole(&mut self, execution: Execution, output: Told) -> Mark {
        let execution = self.marks.keep(execution);
        self.begun = u32::try_from(execution).ok();
        Mark::Whole { execution, output }
    }

    /// Where an execution lies beside the last one that began anew: its branches were drawn one after
    /// the other, and each waited.
    fn place_beside(&self, execution: &Execution) -> Option<Beside> {
        let whole = self.begun?;
        let other = &self.marks.whole[whole as usize];
        let reads_alike = execution.scope.address() == other.scope.address();
        let index = execution.path.branch_beside(&other.path)?;
        let above = execution.state.0.checked_sub(execution.parent?.0)?;
        let above = u32::try_from(above).ok()?;
        let place = Beside { whole, index, above, state: execution.state };
        (reads_alike && execution.is_plain()).then_some(place)
    }

    /// Tells that a state waits, with this status.
    pub(crate) fn list(&mut self, execution: &Execution, status: StateStatus) {
        let output = Told::Waits(status);
        let mark = match self.place_beside(execution) {
            Some(place) => {
                let input = self.marks.tell(execution.input.clone());
                place.mark(execution.node, input, output)
            }
            None => self.whole(execution.clone(), output),
        };
        self.marks.add(mark);
    }

    /// Tells that there is no record of a state any more.
    pub(crate) fn forget(&mut self, state: StateId) {
        self.marks.add(Mark::Forgotten { state });
    }

    /// Adds the state of one output of a fanout; `own` is the fanout's.
    #[inline]
    pub(crate) fn branch(
        &mut self,
        own: &Execution,
        branch: &Execution,
        index: u64,
        output: Value,
    ) {
        let fanout = match self.fanout {
            Some((state, place)) if state == own.state => place,
            _ => {
                // Also for what follows the branches.
                self.marks.begin_whole(2);
                let place = self.marks.keep(own.clone());
                self.fanout = Some((own.state, place));
                place
            }
        };
        let output = self.marks.tell(output);
        self.last = Some(Standing::of(branch));
        self.marks.add(Mark::Output { fanout, state: branch.state, index, output });
    }

    /// Goes on to an execution if the state before tells where it lies; says whether it does.
    #[inline]
    fn go_on_to(&mut self, execution: &Execution) -> bool {
        let Some(last) = &mut self.last else { return false };
        let is_next = execution.parent == Some(last.state)
            && execution.path.hash() == last.place
            && execution.is_plain();
        if is_next {
            last.state = execution.state;
            if last.scope != execution.scope.address() {
                last.scope = execution.scope.address();
                self.marks.list.push(Mark::Scope);
                self.marks.scopes.push(execution.scope.clone());
            }
        }
        is_next
    }

    /// What it says of its states.
    pub(crate) fn into_marks(self) -> Marks {
        self.marks
    }
}

impl Beside {
    const fn mark(self, node: NodeIndex, input: Told, output: Told) -> Mark {
        let Self { whole, index, above, state } = self;
        Mark::Sibling { whole, index, above, node, state, input, output }
    }
}

impl Marks {
    #[inline]
    fn add(&mut self, mark: Mark) {
        self.changes += 1;
        self.list.push(mark);
    }

    /// Makes room for the first executions: most runs that are short have no more.
    fn begin_whole(&mut self, executions: usize) {
        if self.whole.capacity() == 0 {
            self.whole.reserve_exact(executions);
        }
    }

    fn keep(&mut self, execution: Execution) -> usize {
        self.begin_whole(1);
        self.whole.push(execution);
        self.whole.len() - 1
    }

    /// Notes an input or an output, before the mark that tells of it.
    #[inline]
    fn tell(&mut self, value: Value) -> Told {
        if value.as_object().is_some_and(Fields::is_empty) {
            return Told::Empty;
        }
        self.values.push(value);
        Told::Listed
    }

    /// How many things are to be dropped with them, one by one.
    pub(crate) const fn weight(&self) -> usize {
        self.values.len() + self.whole.len() + self.scopes.len()
    }

    /// Makes every change.
    pub(crate) fn changes(self) -> impl Iterator<Item = Change> {
        let Self { list, values, scopes, whole, .. } = self;
        let (mut values, mut scopes) = (values.into_iter(), scopes.into_iter());
        let mut value = move |told| match told {
            Told::Listed => values.next().expect("a value that a mark tells of is listed"),
            Told::Empty | Told::Waits(_) => Value::empty_object(),
        };
        let mut before = None::<Execution>;
        list.into_iter().filter_map(move |mark| {
            let (execution, output) = match mark {
                Mark::Whole { execution, output } => (whole[execution].clone(), output),
                Mark::Output { fanout, state, index, output } => {
                    let own = &whole[fanout];
                    (own.branch(state, index).with_input(&own.input), output)
                }
                Mark::Child { node, state, input, output } => {
                    let parent = before.as_ref().expect("a child follows its parent");
                    let (scope, path) = (parent.scope.clone(), parent.path.clone());
                    let (parent, input) = (Some(parent.state), value(input));
                    (Execution::first(node, state, parent, input, scope, path), output)
                }
                Mark::Sibling { whole: of, index, above, node, state, input, output } => {
                    let of = &whole[of as usize];
                    let (scope, path) = (of.scope.clone(), of.path.beside(index));
                    let (parent, input) = (Some(StateId(state.0 - u64::from(above))), value(input));
                    (Execution::first(node, state, parent, input, scope, path), output)
                }
                Mark::Forgotten { state } => return Some(Change::Forgotten(state)),
                Mark::Scope => {
                    let before = before.as_mut().expect("a trail goes on from a state");
                    before.scope = scopes.next().expect("a scope that a mark tells of is listed");
                    return None;
                }
            };
            if let Told::Waits(status) = output {
                return Some(Change::Waits(Record { execution, status, end: StateEnd::Nothing }));
            }
            before = Some(execution.clone());
            let (status, end) = (StateStatus::Success, StateEnd::Output(value(output)));
            Some(Change::Ended(Record { execution, status, end }))
        })
    }
}

#[cfg(test)]
mod tests;
