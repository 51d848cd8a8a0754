//! Mergers that fire or are skipped, and states that are retried by hand.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Child, ENDED, Walker, resolve_inputs};
use crate::node::{Call, KEPT_ELEMENTS};
use crate::run::batch::{RETAKEN, Skip, StateEnd};
use crate::run::durable::Entry;
use crate::run::execution::{Execution, Merge};
use crate::run::path::Step;
use crate::run::scope::View;
use crate::run::status::StateStatus;
use crate::run::tokens::Tokens;
use crate::run::unites::{Firing, Skipping};
use crate::value::Value;

/// A state that is retried by hand and has no next attempt yet.
pub(crate) struct Retaken {
    pub execution: Box<Execution>,
    /// The hash of the retry's id.
    pub id: u64,
    /// What the mergers of its groups are counted in, where those were waited for.
    pub given_up: Vec<Tokens>,
}

impl Walker<'_> {
    /// A merger whose group has settled: its execution, or nothing if its input cannot be made.
    pub(crate) fn merged(&mut self, firing: Firing) -> Option<Box<Execution>> {
        // Its identity takes a path to be made, which a run without a journal has no use for.
        let merger = self.writes().then(|| firing.execution());
        let execution = self.merge(firing);
        if let Some(merger) = merger {
            self.write(|ids| Entry::Fired { merger, ids });
        }
        execution
    }

    fn merge(&mut self, mut firing: Firing) -> Option<Box<Execution>> {
        let ground = self.ground;
        let plan = &ground.plan;
        let unites = plan.unites(firing.merger);
        let collected = firing.collector.collected(&unites.reads);
        let scope = firing.opener.scope.clone().with_united(collected, firing.tokens.clone());
        let view = View { own: None, scope: &scope, store: &ground.store };
        let made: Result<_, Arc<str>> = match plan.node(firing.merger).handler.call() {
            Call::Fold(_) => firing.collector.take_unmade().map_or(Ok(Value::empty_object()), Err),
            Call::KeptFold(_) => {
                let elements = firing.collector.take_kept(unites.driver);
                elements.map(|elements| Value::object([(KEPT_ELEMENTS, elements)]))
            }
            Call::Attempt(_) => {
                resolve_inputs(plan, firing.merger, &view).map_err(|error| error.to_string().into())
            }
        };
        // The merger's item passes to its execution.
        self.batch.count(&firing.tokens, ENDED);
        let child = Child {
            node: firing.merger,
            input: made.clone().unwrap_or_default(),
            path: firing.opener.path.then(Step::Merger(firing.merger)),
            scope,
        };
        let parent = Some(firing.opener.state);
        let mut execution = self.try_create(child, parent)?;
        let fold = Mutex::new(firing.collector.folded());
        execution.set_merge(Merge { united: firing.united, unmade: made.err(), fold });
        self.unless_unmade(execution)
    }

    /// A merger whose input could not be made has failed, also when it is retried by hand.
    fn unless_unmade(&mut self, execution: Box<Execution>) -> Option<Box<Execution>> {
        let unmade = execution.merge().and_then(|merge| merge.unmade.clone());
        let Some(error) = unmade else { return Some(execution) };
        self.batch.count(execution.tokens(), ENDED);
        self.fail(execution, Some(StateStatus::Created), StateStatus::Errored, &error);
        None
    }

    /// A merger that can no longer fire: its item ends; the groups around it know already.
    pub(crate) fn merger_skipped(&mut self, skipping: Skipping) {
        let merger = self.writes().then(|| skipping.execution());
        let state = self.next_state_unlimited(Some(skipping.opener.state));
        let Skipping { merger: node, group, opener, reason } = skipping;
        let path = opener.path.then(Step::Merger(node));
        let skipped = Box::new(opener.skipped(state, node, path.clone()));
        self.batch.run.skipped.push(Skip { node, state, group: Some(group), reason, path });
        self.moved(&skipped, None, StateStatus::Skipped);
        self.record(skipped, StateStatus::Skipped, StateEnd::Nothing);
        self.batch.run.tally.add(ENDED);
        if let Some(merger) = merger {
            self.write(|ids| Entry::Skipped { merger, ids });
        }
    }

    /// A new execution of a state that ended and is retried by hand.
    ///
    /// It is counted together with what it replaces, so that nothing looks finished in between.
    pub(crate) fn retried(&mut self, retaken: &Retaken) -> Option<Box<Execution>> {
        let again = self.begin_again(&retaken.execution, retaken.id);
        // The run itself is held open by its machine.
        for token in retaken.execution.tokens().iter() {
            self.batch.group(token.group).tally.holds -= RETAKEN.holds;
        }
        retaken.given_up.iter().for_each(|merger| self.batch.count(merger, ENDED));
        let state = retaken.execution.state;
        self.write(|ids| Entry::Reopened { state, ids });
        again
    }

    fn begin_again(&mut self, execution: &Execution, id: u64) -> Option<Box<Execution>> {
        let plan = &self.ground.plan;
        let outer: Tokens = (execution.tokens().iter())
            .filter(|token| plan.unites(token.merger).node != execution.node)
            .copied()
            .collect();
        let child = Child {
            node: execution.node,
            input: execution.input.clone(),
            path: execution.place_of_retry(id),
            scope: execution.scope.clone().with_tokens(outer),
        };
        let mut next = self.try_create(child, execution.parent)?;
        next.repeat(execution);
        self.unless_unmade(next)
    }
}
