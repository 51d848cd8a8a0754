//! A naive sequential executor: the semantics read aloud, one step after the other.
//!
//! Branches run depth first; then groups whose regions have settled are joined, one at a time. Who
//! belongs to a region is asked of each state, from the section "Unites" of semantics.md.

use std::collections::BTreeMap;
use std::rc::Rc;

use hotgraph::Value;

use super::model::{Graph, Unites};
use super::scope::{Frame, Scope, Seen, holds};
use super::script::{Act, act};

/// A state, as far as executors can be compared.
#[derive(Default)]
pub struct State {
    pub node: usize,
    pub exec: Option<usize>,
    pub parent: Option<usize>,
    pub status: &'static str,
    pub inputs: String,
    pub attempt: u32,
    pub output: Option<Value>,
    pub path: Vec<usize>,
    /// The mergers that its edges lead into, and whether the condition held.
    into: Vec<(usize, bool)>,
    /// A merger that was skipped because conditions skipped every way to it.
    pub no_way: bool,
}

pub struct Exec {
    pub node: usize,
    parent: Option<usize>,
    path: Vec<usize>,
    scope: Scope,
}

/// The states that came out of one execution of a united node, and the merger that joins them.
pub struct Group {
    pub merger: usize,
    pub exec: usize,
    done: bool,
}

pub struct Naive<'a> {
    pub graph: &'a Graph,
    pub states: Vec<State>,
    pub execs: Vec<Exec>,
    pub groups: Vec<Group>,
}

/// Executes a graph to its end; `Err` if groups are left that wait for each other.
pub fn execute(graph: &Graph) -> Result<Naive<'_>, String> {
    let mut naive = Naive { graph, states: Vec::new(), execs: Vec::new(), groups: Vec::new() };
    let root = Exec { node: 0, parent: None, path: Vec::new(), scope: None };
    let inputs = graph.inputs(0, None).ok_or("the root's inputs")?;
    naive.run(root, &inputs);
    while naive.groups.iter().any(|group| !group.done) {
        let next = (0..naive.groups.len()).find(|group| naive.join(*group));
        next.ok_or_else(|| "groups wait for each other".to_owned())?;
    }
    Ok(naive)
}

pub fn is_bad(status: &str) -> bool {
    matches!(status, "PRUNED" | "ERRORED" | "NEXT_CREATED_ERROR")
}

impl Naive<'_> {
    fn open(&mut self, exec: Exec) -> usize {
        let id = self.execs.len();
        let mergers = self.graph.mergers_of(exec.node);
        self.groups.extend(mergers.into_iter().map(|merger| Group {
            merger,
            exec: id,
            done: false,
        }));
        self.execs.push(exec);
        id
    }

    fn run(&mut self, exec: Exec, inputs: &Value) {
        let node = exec.node;
        let id = self.open(exec);
        let inputs = inputs.to_json();
        let mut attempt = 0;
        let outputs = loop {
            match act(self.graph, node, &inputs, attempt) {
                Act::Fail { permanent }
                    if permanent || attempt == self.graph.nodes[node].retries =>
                {
                    return self.end(id, "ERRORED", &inputs, attempt);
                }
                Act::Fail { .. } => self.end(id, "RETRY_CREATED", &inputs, attempt),
                Act::Prune => return self.end(id, "PRUNED", &inputs, attempt),
                Act::Nothing => break vec![Value::empty_object()],
                Act::Outputs(outputs) => break outputs,
            }
            attempt += 1;
        };
        if outputs.is_empty() {
            self.end(id, "SUCCESS", &inputs, attempt);
        }
        for (index, output) in outputs.into_iter().enumerate() {
            self.output(id, &inputs, attempt, index, output);
        }
    }

    fn end(&mut self, id: usize, status: &'static str, inputs: &str, attempt: u32) {
        let Exec { node, parent, path, .. } = &self.execs[id];
        let (node, parent, path, exec) = (*node, *parent, path.clone(), Some(id));
        let inputs = inputs.to_owned();
        let state = State { node, exec, parent, status, inputs, attempt, path, ..State::default() };
        self.states.push(state);
    }

    /// One output is one state, with its own children.
    fn output(&mut self, exec: usize, inputs: &str, attempt: u32, index: usize, output: Value) {
        let own = &self.execs[exec];
        let node = own.node;
        let seen = BTreeMap::from([(node, Seen::One(Some(output.clone())))]);
        let scope = Some(Rc::new(Frame { seen, up: own.scope.clone() }));
        let path = join_path(&own.path, index);
        let (mut children, mut skipped, mut into) = (Vec::new(), Vec::new(), Vec::new());
        for (order, edge) in self.graph.nodes[node].next.iter().enumerate() {
            let holds = edge.when.as_ref().is_none_or(|when| holds(when, scope.as_deref()));
            if self.graph.united(edge.to).is_some() {
                into.push((edge.to, holds));
            } else if !holds {
                skipped.push((edge.to, join_path(&path, order)));
            } else if let Some(inputs) = self.graph.inputs(edge.to, scope.as_deref()) {
                children.push((edge.to, join_path(&path, order), inputs));
            } else {
                self.end(exec, "NEXT_CREATED_ERROR", inputs, attempt);
                return;
            }
        }
        self.end(exec, "SUCCESS", inputs, attempt);
        let state = self.states.last_mut().unwrap();
        (state.output, state.path, state.into) = (Some(output), path, into);
        for (to, path) in skipped {
            self.skip(to, exec, path, false);
        }
        for (node, path, inputs) in children {
            self.run(Exec { node, parent: Some(exec), path, scope: scope.clone() }, &inputs);
        }
    }

    fn skip(&mut self, node: usize, above: usize, path: Vec<usize>, no_way: bool) {
        let (parent, status) = (Some(above), "SKIPPED");
        self.states.push(State { node, parent, status, path, no_way, ..State::default() });
    }

    /// Whether the group led to a state of `node` made below `parent`.
    pub fn belongs(
        &self,
        group: &Group,
        node: usize,
        exec: Option<usize>,
        parent: Option<usize>,
    ) -> bool {
        if exec == Some(group.exec) {
            return true;
        }
        let Some(parent) = parent.filter(|_| !self.graph.is_outside(group.merger, node)) else {
            return false;
        };
        let above = &self.execs[parent];
        if self.belongs(group, above.node, Some(parent), above.parent) {
            return true;
        }
        // A merger of a group around this one that leads to this group's merger.
        self.graph.united(node).is_some()
            && self.graph.leads(self.execs[group.exec].node, node)
            && self.graph.above(group.merger).contains(&node)
            && self.chain(group.exec).contains(&parent)
    }

    fn chain(&self, exec: usize) -> Vec<usize> {
        std::iter::successors(Some(exec), |exec| self.execs[*exec].parent).collect()
    }

    pub fn region<'s>(&'s self, group: &'s Group) -> impl Iterator<Item = &'s State> {
        self.states.iter().filter(|state| self.belongs(group, state.node, state.exec, state.parent))
    }

    /// Fires or skips the merger of a group if it is its time.
    fn join(&mut self, at: usize) -> bool {
        let group = &self.groups[at];
        let (merger, exec) = (group.merger, group.exec);
        let waits = self.groups.iter().enumerate().any(|(other, inner)| {
            other != at && !inner.done && self.belongs(group, inner.merger, None, Some(inner.exec))
        });
        let prevents = |state: &State| {
            let lost_merger = state.status == "SKIPPED"
                && self.graph.united(state.node).is_some()
                && !state.no_way;
            is_bad(state.status) || lost_merger
        };
        let leads = |state: &State| self.graph.leads_to(state.node, merger);
        let arrives = |state: &State, held| state.into.contains(&(merger, held));
        let unmet = |state: &State| {
            arrives(state, false) || state.status == "SKIPPED" && !prevents(state) && leads(state)
        };
        let Unites { all_done, .. } = self.graph.nodes[merger].unites.unwrap();
        let prevented = !all_done && self.region(group).any(prevents);
        if group.done || waits && !prevented {
            return false;
        }
        let no_way = !prevented
            && self.region(group).any(unmet)
            && !self.region(group).any(|s| arrives(s, true) || prevents(s) && leads(s));
        let path = join_path(&self.execs[exec].path, usize::MAX);
        if prevented || no_way {
            self.skip(merger, exec, path, no_way);
        } else {
            self.fire(at, path);
        }
        self.groups[at].done = true;
        true
    }

    fn fire(&mut self, at: usize, path: Vec<usize>) {
        let Group { merger, exec, .. } = self.groups[at];
        let up = self.execs[exec].scope.clone();
        let scope = Some(Rc::new(Frame { seen: self.joined(&self.groups[at]), up }));
        let inputs = self.graph.inputs(merger, scope.as_deref());
        let fired = Exec { node: merger, parent: Some(exec), path, scope };
        match inputs {
            Some(inputs) => self.run(fired, &inputs),
            None => {
                let id = self.open(fired);
                self.end(id, "ERRORED", "null", 0);
            }
        }
    }

    /// What the merger of a group sees of the nodes that the group led to.
    fn joined(&self, group: &Group) -> BTreeMap<usize, Seen> {
        let united = self.execs[group.exec].node;
        let inside = |node: usize| self.graph.is_inside(group.merger, united, node);
        let nodes = (0..self.graph.nodes.len()).filter(|node| inside(*node));
        let collect = |node: usize| {
            let mut states: Vec<_> = self
                .region(group)
                .filter(|state| state.node == node && state.output.is_some())
                .map(|state| (&state.path, state.output.clone().unwrap()))
                .collect();
            states.sort_by(|a, b| a.0.cmp(b.0));
            let outputs: Vec<Value> = states.into_iter().map(|(_, output)| output).collect();
            match self.graph.most(united, &inside, node) * self.graph.width(node) > 1 {
                true => (node, Seen::Many(outputs)),
                false => (node, Seen::One(outputs.last().cloned())),
            }
        };
        nodes.map(collect).collect()
    }
}

fn join_path(path: &[usize], step: usize) -> Vec<usize> {
    path.iter().copied().chain([step]).collect()
}
