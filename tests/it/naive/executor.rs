//! A naive sequential executor: the semantics read aloud, one step after the other.
//!
//! Branches run depth first; then groups whose regions have settled are joined, one at a time. Who
//! belongs to a region is asked of each state, from the section "Unites" of semantics.md.

use std::collections::BTreeMap;
use std::rc::Rc;

use hotgraph::Value;

use super::model::{Graph, Input, Unites, When};
use super::script::{Act, act};

/// A state, as far as executors can be compared.
pub struct State {
    pub node: usize,
    pub exec: Option<usize>,
    parent: Option<usize>,
    pub status: &'static str,
    pub inputs: String,
    pub attempt: u32,
    output: Option<Value>,
    path: Vec<usize>,
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

#[derive(Clone)]
pub enum Seen {
    One(Option<Value>),
    Many(Vec<Value>),
}

type Scope = Option<Rc<Frame>>;

struct Frame {
    seen: BTreeMap<usize, Seen>,
    up: Scope,
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
    let inputs = naive.inputs(0, None).ok_or("the root's inputs")?;
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

    fn end(&mut self, exec: usize, status: &'static str, inputs: &str, attempt: u32) {
        let Exec { node, parent, path, .. } = &self.execs[exec];
        let (node, parent, path, inputs) = (*node, *parent, path.clone(), inputs.to_owned());
        let (output, into) = (None, Vec::new());
        let exec = Some(exec);
        let state = State {
            node,
            exec,
            parent,
            status,
            inputs,
            attempt,
            output,
            path,
            into,
            no_way: false,
        };
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
            } else if let Some(inputs) = self.inputs(edge.to, scope.as_deref()) {
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

    fn skip(&mut self, node: usize, parent: usize, path: Vec<usize>, no_way: bool) {
        let (status, inputs, into) = ("SKIPPED", String::new(), Vec::new());
        let (parent, exec, output, attempt) = (Some(parent), None, None, 0);
        let state =
            State { node, exec, parent, status, inputs, attempt, output, path, into, no_way };
        self.states.push(state);
    }

    /// The inputs of a node; `None` if one of them cannot be made.
    fn inputs(&self, node: usize, scope: Option<&Frame>) -> Option<Value> {
        let value = |input: &Input| match input {
            Input::Constant(text) => Some(Value::from(*text)),
            Input::Whole(node, field) => read(scope, *node, field),
            Input::Text(node, field) => {
                let value = read(scope, *node, field).filter(|value| !value.is_null())?;
                let text = value.as_str().map_or_else(|| value.to_json(), str::to_owned);
                Some(Value::from(format!("<{text}>")))
            }
        };
        let inputs = &self.graph.nodes[node].inputs;
        let fields: Option<Vec<_>> =
            inputs.iter().map(|(field, input)| Some((*field, value(input)?))).collect();
        fields.map(Value::object)
    }

    /// Whether node `node` is a merger that does not count for the groups of `merger`: the merger
    /// itself, others that close the same group or one above it, and what follows any of them.
    fn is_outside(&self, merger: usize, node: usize) -> bool {
        let Some(united) = self.graph.united(merger) else { return false };
        let (around, before) = (self.graph.above(united), self.graph.above(merger));
        let closes = |other: usize| {
            other == merger
                || self.graph.united(other).is_some_and(|united| around.contains(&united))
                    && !before.contains(&other)
        };
        self.graph.united(node).is_some() && self.graph.above(node).into_iter().any(closes)
    }

    /// Whether the group led to a state of `node` made below `parent`.
    fn belongs(
        &self,
        group: &Group,
        node: usize,
        exec: Option<usize>,
        parent: Option<usize>,
    ) -> bool {
        if exec == Some(group.exec) {
            return true;
        }
        let Some(parent) = parent.filter(|_| !self.is_outside(group.merger, node)) else {
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

    /// Whether edges lead from a node to the merger without passing what is outside its regions.
    fn leads_to(&self, node: usize, merger: usize) -> bool {
        let open =
            |to: usize| to == merger || !self.is_outside(merger, to) && self.leads_to(to, merger);
        self.graph.nodes[node].next.iter().any(|edge| open(edge.to))
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
        let leads = |state: &State| self.leads_to(state.node, merger);
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
        let inputs = self.inputs(merger, scope.as_deref());
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
        let inside = |node: usize| self.is_inside(group.merger, united, node);
        let nodes = (0..self.graph.nodes.len()).filter(|node| inside(*node));
        let collect = |node: usize| {
            let mut states: Vec<_> = self
                .region(group)
                .filter(|state| state.node == node && state.output.is_some())
                .map(|state| (&state.path, state.output.clone().unwrap()))
                .collect();
            states.sort_by(|a, b| a.0.cmp(b.0));
            let outputs: Vec<Value> = states.into_iter().map(|(_, output)| output).collect();
            match self.most(united, &inside, node) * self.width(node) > 1 {
                true => (node, Seen::Many(outputs)),
                false => (node, Seen::One(outputs.last().cloned())),
            }
        };
        nodes.map(collect).collect()
    }

    fn is_inside(&self, merger: usize, from: usize, node: usize) -> bool {
        let open = |to: usize| !self.is_outside(merger, to) && self.is_inside(merger, to, node);
        from == node || self.graph.nodes[from].next.iter().any(|edge| open(edge.to))
    }

    /// How many executions of `node` one execution of `from` can lead to; 2 stands for many.
    pub fn most(&self, from: usize, inside: &dyn Fn(usize) -> bool, node: usize) -> usize {
        match self.graph.united(node) {
            _ if node == from => 1,
            Some(united) if inside(united) => self.most(from, inside, united),
            Some(_) => 1,
            None => {
                let parents = (0..self.graph.nodes.len()).filter(|parent| inside(*parent));
                let edges = |parent: usize| {
                    self.graph.nodes[parent].next.iter().filter(|edge| edge.to == node).count()
                };
                let states = parents.filter(|parent| edges(*parent) > 0).map(|parent| {
                    edges(parent) * self.most(from, inside, parent) * self.width(parent)
                });
                states.sum::<usize>().min(2)
            }
        }
    }

    pub fn width(&self, node: usize) -> usize {
        if self.graph.nodes[node].many { 2 } else { 1 }
    }

    /// Whether a merger that tolerates failures has the state in one of its regions.
    pub fn is_tolerated(&self, state: &State) -> bool {
        self.groups.iter().any(|group| {
            self.graph.nodes[group.merger].unites.is_some_and(|unites| unites.tolerate)
                && self.belongs(group, state.node, state.exec, state.parent)
        })
    }

    /// The outputs of the leaves, by identifier.
    pub fn outputs(&self) -> BTreeMap<String, Value> {
        let mut outputs = BTreeMap::new();
        for (node, spec) in self.graph.nodes.iter().enumerate().filter(|(_, n)| n.next.is_empty()) {
            let states = self.states.iter().filter(|state| state.node == node);
            let mut found: Vec<_> =
                states.filter_map(|state| Some((&state.path, state.output.clone()?))).collect();
            found.sort_by(|a, b| a.0.cmp(b.0));
            let mut found: Vec<Value> = found.into_iter().map(|(_, output)| output).collect();
            let repeats = self.most(0, &|_| true, node) * self.width(node) > 1;
            if !found.is_empty() {
                let value = if repeats { Value::from(found) } else { found.remove(0) };
                outputs.insert(spec.name.clone(), value);
            }
        }
        outputs
    }
}

fn join_path(path: &[usize], step: usize) -> Vec<usize> {
    path.iter().copied().chain([step]).collect()
}

fn find(scope: Option<&Frame>, node: usize) -> Option<&Seen> {
    std::iter::successors(scope, |frame| frame.up.as_deref())
        .find_map(|frame| frame.seen.get(&node))
}

fn read(scope: Option<&Frame>, node: usize, field: &str) -> Option<Value> {
    match find(scope, node)? {
        Seen::One(output) => output.as_ref()?.get(field).cloned(),
        Seen::Many(outputs) => {
            let set = |output: &Value| output.get(field).filter(|value| !value.is_null()).cloned();
            outputs.iter().map(set).collect::<Option<Vec<_>>>().map(Value::from)
        }
    }
}

fn holds(when: &When, scope: Option<&Frame>) -> bool {
    let value = read(scope, when.node, "v").and_then(|value| value.as_i64());
    value.is_some_and(|value| (value < when.bound) == when.less)
}
