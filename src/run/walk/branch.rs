//! One output of an execution: its state succeeds and has children, or cannot have them and fails.

use std::sync::Arc;

use smallvec::SmallVec;

use super::straight::Led;
use super::{BEGUN, Child, Childless, ENDED, Success, Walker};
use crate::graph::{Lookup, Plan, PlanInput, PlanNode, ResolveError, Seen};
use crate::id::{NodeIndex, StateId};
use crate::run::batch::{Element, ElementValue, Opened, Skip, SkipCause, StateEnd};
use crate::run::execution::{Execution, Executions};
use crate::run::path::{Path, Step};
use crate::run::scope::{Scope, View};
use crate::run::status::StateStatus;
use crate::run::tokens::Token;
use crate::value::{Fields, Key, Value};

impl Walker<'_> {
    /// One output: the state succeeds and has children, unless they cannot be made.
    ///
    /// The state's item ends, or passes to its only child; of a state that fails it stays.
    #[inline]
    pub(super) fn output(
        &mut self,
        mut own: Box<Execution>,
        success: &Success<'_>,
        mut output: Value,
        made: &mut Executions,
    ) -> Result<(), Childless> {
        match self.straight(&mut own, success, &mut output) {
            Led::On => made.push(own),
            Led::Out => self.batch.spare.put(own),
            Led::Not => return self.various(own, success, output, made),
        }
        Ok(())
    }

    /// An output of a node with conditions, several edges, or one to a node that a merger unites.
    pub(super) fn various(
        &mut self,
        mut own: Box<Execution>,
        success: &Success<'_>,
        output: Value,
        made: &mut Executions,
    ) -> Result<(), Childless> {
        let node = self.ground.plan.node(own.node);
        // Nothing to make of a node that leads into mergers alone.
        if node.edges.iter().all(|edge| edge.into_merger) {
            self.moved(&own, success.was, StateStatus::Success);
        } else if let Err(error) = self.split(&own, success.was, &output, made) {
            return Err((own, error));
        }
        self.batch.count(own.tokens(), ENDED);
        self.gather(node, &own, &output);
        if node.is_result {
            self.result(own.node, own.path.clone(), output.clone());
        }
        self.succeeded(&mut own, success.drawn, output);
        self.batch.spare.put(own);
        Ok(())
    }

    /// An output that the outcome tells of.
    #[inline]
    pub(super) fn result(&mut self, node: NodeIndex, path: Path, output: Value) {
        self.batch.run.results.push((node, path, output));
    }

    /// A state with several next nodes, or with conditions.
    fn split(
        &mut self,
        own: &Execution,
        was: Option<StateStatus>,
        output: &Value,
        made: &mut Executions,
    ) -> Result<(), Arc<str>> {
        let (mut children, unmet) = children(&self.ground.plan, own, &self.view(own, output))?;
        self.moved(own, was, StateStatus::Success);
        for (node, path) in unmet {
            self.unmet(own, node, path);
        }
        if !children.is_empty() {
            let node = (own.node, self.ground.plan.node(own.node));
            let scope = scope_below(node, own.scope.clone(), output);
            children.iter_mut().for_each(|child| child.scope = scope.clone());
        }
        for mut child in children {
            child.scope = self.ground.scope(child.scope, child.node);
            match self.next_state(Some(own.state)) {
                Some(state) => made.push(self.create(state, child, Some(own.state))),
                None => self.childless(own),
            }
        }
        Ok(())
    }

    /// What the templates and conditions on a state's edges read.
    #[inline]
    pub(super) fn view<'b>(&self, own: &'b Execution, output: &'b Value) -> View<'b>
    where
        Self: 'b,
    {
        View { own: Some((own.node, output)), scope: &own.scope, store: &self.ground.store }
    }

    /// The run may have no more states: a failure beside the state that would have had a child.
    pub(super) fn childless(&mut self, own: &Execution) {
        let state = self.next_state_unlimited(Some(own.state));
        let failed = Box::new(own.beside(state));
        let error = self.exceeds();
        self.fail(failed, None, StateStatus::Errored, &error);
    }

    /// Makes an execution, or a failure in its place if the run may have no more states.
    pub(super) fn try_create(
        &mut self,
        mut child: Child,
        parent: Option<StateId>,
    ) -> Option<Box<Execution>> {
        child.scope = self.ground.scope(child.scope, child.node);
        if let Some(state) = self.next_state(parent) {
            return Some(self.create(state, child, parent));
        }
        let Child { node, input, path, scope } = child;
        let state = self.next_state_unlimited(parent);
        let failed = Box::new(Execution::first(node, state, parent, input, scope, path));
        let error = self.exceeds();
        self.fail_after(0, failed, None, StateStatus::Errored, &error);
        None
    }

    /// Why there is no state.
    pub(super) fn exceeds(&self) -> Arc<str> {
        format!("limit of {} states exceeded", self.ground.plan.limits.max_states).into()
    }

    /// Makes an execution with its groups, and counts it in all that it is in.
    fn create(&mut self, state: StateId, child: Child, parent: Option<StateId>) -> Box<Execution> {
        let Child { node, input, path, scope } = child;
        let first = Execution::first(node, state, parent, input, scope, path);
        let mut execution = self.batch.spare.put_in(first);
        self.moved(&execution, None, StateStatus::Created);
        self.open_groups(&mut execution);
        self.batch.count(execution.tokens(), BEGUN);
        execution
    }

    /// Opens a group for every merger that unites the execution's node.
    fn open_groups(&mut self, execution: &mut Execution) {
        let ground = self.ground;
        let plan = &ground.plan;
        let mergers = &plan.node(execution.node).mergers;
        if mergers.is_empty() {
            return;
        }
        let inherited = execution.tokens().clone();
        let mut tokens = SmallVec::<[Token; 2]>::from_slice(&inherited);
        for &merger in mergers {
            let group = ground.fingerprint(merger, execution);
            let unites = plan.unites(merger);
            let outer = ground.inherit(&inherited, merger);
            let after: Vec<_> = (tokens.iter())
                .filter(|token| unites.after.contains(&token.merger))
                .map(|token| token.group)
                .collect();
            self.batch.count(&outer, BEGUN);
            let waits = i64::try_from(after.len()).unwrap_or(i64::MAX);
            let delta = self.batch.group(group);
            delta.tally.items += waits;
            let opener = execution.clone();
            delta.opened = Some(Box::new(Opened { merger, execution: opener, outer, after }));
            tokens.push(Token { group, merger });
        }
        execution.set_tokens(tokens.into_iter().collect());
    }

    /// Gives the output to the groups that read it.
    #[inline]
    fn gather(&mut self, node: &PlanNode, own: &Execution, output: &Value) {
        if node.arrives {
            self.arrive(own, output);
        }
        if node.collected {
            self.collect(own, output);
        }
    }

    /// Tells the mergers that the state's edges lead into.
    fn arrive(&mut self, own: &Execution, output: &Value) {
        let edges = &self.ground.plan.node(own.node).edges;
        for edge in edges.iter().filter(|edge| edge.into_merger) {
            let holds = edge.when.as_ref().is_none_or(|when| when.holds(&self.view(own, output)));
            for token in own.tokens().iter().filter(|token| token.merger == edge.to) {
                let delta = self.batch.group(token.group);
                *(if holds { &mut delta.arrived } else { &mut delta.unmet }) += 1;
            }
        }
    }

    pub(super) fn collect(&mut self, own: &Execution, output: &Value) {
        let plan = &self.ground.plan;
        for token in own.tokens().iter() {
            let unites = plan.unites(token.merger);
            if unites.reads.iter().any(|(node, _)| *node == own.node) {
                let value = ElementValue::Output(output.clone());
                let element = Element { node: own.node, path: own.path.clone(), value };
                self.batch.group(token.group).elements.push(element);
            }
            if unites.driver == Some(own.node) {
                let input = resolve_inputs(plan, token.merger, &self.view(own, output));
                let value = ElementValue::Step(input.map_err(|error| error.to_string().into()));
                let element = Element { node: own.node, path: own.path.clone(), value };
                self.batch.group(token.group).elements.push(element);
            }
        }
    }

    /// The condition on an edge did not hold: its node is skipped.
    pub(super) fn unmet(&mut self, own: &Execution, node: NodeIndex, path: Path) {
        for token in own.tokens().iter() {
            if self.ground.plan.unites(token.merger).leads.contains(node) {
                self.batch.group(token.group).unmet += 1;
            }
        }
        let state = self.next_state_unlimited(Some(own.state));
        let reason = SkipCause::Condition(own.node);
        let skipped = own.skipped(state, node, path.clone());
        self.batch.run.skipped.push(Skip { node, state, group: None, reason, path });
        self.moved(&skipped, None, StateStatus::Skipped);
        self.record(Box::new(skipped), StateStatus::Skipped, StateEnd::Nothing);
    }
}

/// What the children of a state can read; its own output only if one of their heirs does.
#[inline]
fn scope_below((index, node): (NodeIndex, &PlanNode), scope: Scope, output: &Value) -> Scope {
    match node.kept {
        true => scope.with_output(index, output.clone()),
        false => scope,
    }
}

/// A next node that a condition skips, and where it would have been.
type Unmet = (NodeIndex, Path);

/// The children of a state whose inputs are there, and those that a condition skips.
fn children(
    plan: &Plan,
    own: &Execution,
    view: &View<'_>,
) -> Result<(Vec<Child>, Vec<Unmet>), Arc<str>> {
    let edges = &plan.node(own.node).edges;
    let (mut made, mut unmet) = (Vec::new(), Vec::new());
    for (order, edge) in edges.iter().enumerate().filter(|(_, edge)| !edge.into_merger) {
        let path = match edges.len() {
            1 => own.path.clone(),
            _ => own.path.then(Step::Edge(u32::try_from(order).unwrap_or(u32::MAX))),
        };
        if edge.when.as_ref().is_some_and(|when| !when.holds(view)) {
            unmet.push((edge.to, path));
            continue;
        }
        let input = child_input(plan, edge.to, view)?;
        // What they can read is the same for all of them.
        made.push(Child { node: edge.to, input, path, scope: Scope::default() });
    }
    Ok((made, unmet))
}

/// The input of a next node, or why the state cannot have it; asked for each branch and node.
#[inline(always)]
pub(super) fn child_input(
    plan: &Plan,
    node: NodeIndex,
    view: &View<'_>,
) -> Result<Value, Arc<str>> {
    match plan.node(node).inputs.is_empty() {
        true => Ok(Value::empty_object()),
        false => mapped_input(plan, node, view),
    }
}

fn mapped_input(plan: &Plan, node: NodeIndex, view: &View<'_>) -> Result<Value, Arc<str>> {
    resolve_inputs(plan, node, view)
        .map_err(|error| format!("next node `{}`: {error}", plan.node(node).identifier).into())
}

/// The input of a node, read through `view`.
pub(crate) fn resolve_inputs(
    plan: &Plan,
    node: NodeIndex,
    view: &dyn Lookup,
) -> Result<Value, ResolveError> {
    if let Some(fields) = taken_over(plan, node, view) {
        return Ok(Value::Object(fields.clone()));
    }
    let inputs = plan.node(node).inputs.iter();
    let fields: Result<Fields, _> = inputs
        .map(|input| Ok((input.field.clone(), input.template.resolve(view, input.target)?)))
        .collect();
    fields.map(Value::Object)
}

/// The fields of an output that are an input as they are.
fn taken_over<'a>(plan: &Plan, node: NodeIndex, view: &'a dyn Lookup) -> Option<&'a Fields> {
    let node = plan.node(node);
    let Some(Seen::One(Value::Object(fields))) = view.node(node.takes_over?) else { return None };
    let is_alike = |(input, (name, value)): (&PlanInput, (&Key, &Value))| {
        input.field == *name && input.target.takes(value)
    };
    let is_taken_over =
        fields.len() == node.inputs.len() && node.inputs.iter().zip(fields.iter()).all(is_alike);
    is_taken_over.then_some(fields)
}
