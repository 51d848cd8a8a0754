//! What expressions and conditions read: nodes that lead there, and declared store keys.

use std::collections::BTreeSet;

use super::draft::{Draft, DraftNode};
use super::report::Report;
use super::settings::Settings;
use super::structure::Structure;
use crate::graph::expression::Reference;
use crate::graph::problem::{Problem, ProblemKind};

/// Checks every reference of every node, once each.
pub(super) fn check(
    draft: &Draft<'_>,
    structure: &Structure<'_>,
    settings: &Settings,
    report: &mut Report,
) {
    for node in &draft.nodes {
        let inputs = node.inputs.iter().filter_map(|(_, template)| template.as_ref());
        for reference in inputs.flat_map(|template| template.references()).collect::<BTreeSet<_>>()
        {
            let may_read = |name: &str| structure.is_ancestor(name, node.identifier);
            check_one(node, reference, (structure, &may_read), settings, report);
        }
        let conditions = node.next.iter().filter_map(|(_, condition)| condition.as_ref());
        let references = conditions.flat_map(|condition| condition.references());
        for reference in references.collect::<BTreeSet<_>>() {
            let may_read = |name: &str| {
                name == node.identifier || structure.is_ancestor(name, node.identifier)
            };
            check_one(node, reference, (structure, &may_read), settings, report);
        }
    }
}

fn check_one(
    node: &DraftNode<'_>,
    reference: Reference<'_>,
    (structure, may_read): (&Structure<'_>, &dyn Fn(&str) -> bool),
    settings: &Settings,
    report: &mut Report,
) {
    let problem = match reference {
        Reference::Node { node: name, .. } if !may_read(name) => {
            let why = match structure.knows(name) {
                true => "which does not lead here",
                false => "and there is no such node",
            };
            let message = format!("`${{{{{reference}}}}}` reads `{name}`, {why}");
            Problem::new(ProblemKind::InputNotAncestor, name, message)
        }
        Reference::Store { key } if !settings.declares(key) => {
            let message = format!("the store key `{key}` is not declared");
            Problem::new(ProblemKind::StoreKeyUndeclared, key, message)
        }
        _ => return,
    };
    report.add(problem.at(node.identifier));
}
