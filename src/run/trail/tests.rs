//! Every record is told as it was, however the trail tells it.

use super::*;
use crate::run::path::{Path, Step};

fn first(node: u32, state: u64, parent: Option<u64>, path: &Path) -> Execution {
    let scope = Scope::default();
    let parent = parent.map(StateId);
    let has_fields = !state.is_multiple_of(3);
    let input = if has_fields { Value::from(state) } else { Value::empty_object() };
    Execution::first(NodeIndex(node), StateId(state), parent, input, scope, path.clone())
}

/// What a record tells.
fn told(execution: &Execution, output: &Value) -> String {
    let Execution { id, node, attempt, state, parent, input, path, .. } = execution;
    let read = execution.scope.address();
    format!("{id} {node:?} {attempt} {state:?} {parent:?} {input:?} {path:?} {read} {output:?}")
}

/// How a trail tells of a state.
#[derive(Debug, PartialEq)]
enum By {
    Child,
    Sibling,
    Whole,
}

fn success(trail: &mut Trail, mut execution: Execution) -> (String, By) {
    // Some have no fields, and are not listed.
    let output = match execution.state.0 % 2 {
        0 => Value::empty_object(),
        _ => Value::from(execution.state.0 + 100),
    };
    let expected = told(&execution, &output);
    trail.succeeded(&mut execution, output);
    let by = match trail.marks.list.last() {
        Some(Mark::Child { .. }) => By::Child,
        Some(Mark::Sibling { .. }) => By::Sibling,
        Some(Mark::Whole { .. }) => By::Whole,
        other => panic!("a success is told by one of these, found {other:?}"),
    };
    (expected, by)
}

fn records(trail: Trail) -> Vec<String> {
    let record = |change| match change {
        Change::Ended(Record { execution, end: StateEnd::Output(output), .. }) => {
            told(&execution, &output)
        }
        Change::Waits(Record { execution, status, .. }) => {
            told(&execution, &Value::from(status.as_str()))
        }
        Change::Forgotten(state) => format!("{state:?} is forgotten"),
        Change::Ended(other) => panic!("a success ends with an output, found {other:?}"),
    };
    trail.into_marks().changes().map(record).collect()
}

#[test]
fn a_mark_is_small() {
    assert_eq!(size_of::<Mark>(), 32);
}

#[test]
fn every_record_is_made_as_it_was() {
    let mut trail = Trail::default();
    let root = first(0, 1, None, &Path::ROOT);
    let mut expected = vec![success(&mut trail, root.clone())];
    let fanout = first(1, 2, Some(1), &Path::ROOT);
    for index in 0..3 {
        let state = StateId(2 + index * 4);
        let (branch, output) = (fanout.branch(state, index), Value::from(index));
        let whole = branch.clone().with_input(&fanout.input);
        expected.push((told(&whole, &output), By::Child));
        trail.branch(&fanout, &branch, index, output);
        let mut child = first(2, state.0 + 1, Some(state.0), &branch.path);
        child.scope = Scope::default().with_output(NodeIndex(1), Value::from(index));
        expected.push(success(&mut trail, child.clone()));
        let mut grandchild = first(3, state.0 + 2, Some(state.0 + 1), &branch.path);
        grandchild.scope = child.scope.clone();
        expected.push(success(&mut trail, grandchild.clone()));
        // Neither the second attempt of one nor the child of another state follows.
        expected.push(success(&mut trail, grandchild.again(StateId(state.0 + 3))));
    }
    let aside = first(4, 40, Some(1), &Path::ROOT.then(Step::Edge(1)));
    expected.push(success(&mut trail, aside));
    let (expected, by): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
    let whole: Vec<_> = (0..by.len()).filter(|at| by[*at] == By::Whole).collect();
    assert_eq!(whole, [0, 4, 8, 12, 13]);
    assert!(!by.contains(&By::Sibling));
    assert_eq!(trail.len(), expected.len());
    assert_eq!(records(trail), expected);
}

#[test]
fn what_waited_below_one_fanout_is_told_by_one_of_it() {
    let scope = Scope::default().with_output(NodeIndex(0), Value::from(1));
    let above = Path::ROOT.then(Step::Edge(1)).localized();
    for above in [Path::ROOT, above] {
        let child = |index: u64| {
            let path = above.then(Step::Output(index));
            let (state, parent) = (10 + 2 * index, 9 + index);
            let mut child = first(2, state, Some(parent), &path);
            child.scope = scope.clone();
            child
        };
        let mut trail = Trail::default();
        let mut states = vec![success(&mut trail, child(3)), success(&mut trail, child(1))];
        // It goes on from the one before it.
        let mut below = first(4, 90, Some(12), &child(1).path);
        below.scope = scope.clone();
        states.push(success(&mut trail, below));
        // One that reads something else, one whose parent came later, and another attempt.
        let (mut other, mut early) = (child(5), child(6));
        other.scope = Scope::default();
        early.parent = Some(StateId(99));
        let again = child(7).again(StateId(80));
        states.extend([child(4), other, early, again].map(|one| success(&mut trail, one)));
        let (expected, by): (Vec<_>, Vec<_>) = states.into_iter().unzip();
        let whole = || By::Whole;
        let siblings = [By::Sibling, By::Child, By::Sibling];
        let all = [whole()].into_iter().chain(siblings).chain([whole(), whole(), whole()]);
        assert_eq!(by, all.collect::<Vec<_>>());
        assert_eq!(records(trail), expected);
    }
}

#[test]
fn what_waits_is_told_and_forgotten_between_others() {
    let child = |index: u64| {
        let path = Path::ROOT.then(Step::Output(index));
        first(2, 10 + 2 * index, Some(9 + index), &path)
    };
    let mut trail = Trail::default();
    let mut expected = Vec::new();
    for index in 0..3 {
        expected.push(success(&mut trail, first(5, 40 + index, None, &Path::ROOT)).0);
        for other in [child(2 * index), child(2 * index + 1)] {
            trail.list(&other, StateStatus::Queued);
            expected.push(told(&other, &Value::from(StateStatus::Queued.as_str())));
        }
        // What waits comes between a state and its child, and changes neither.
        expected.push(success(&mut trail, first(6, 50 + index, Some(40 + index), &Path::ROOT)).0);
        trail.forget(child(index).state);
        expected.push(format!("{:?} is forgotten", child(index).state));
    }
    let again = child(7).again(StateId(80));
    trail.list(&again, StateStatus::Created);
    expected.push(told(&again, &Value::from(StateStatus::Created.as_str())));
    assert_eq!(trail.marks.whole.len(), 3 + 3 + 1, "one of two that wait is told by the other one");
    assert_eq!(trail.len(), expected.len());
    assert_eq!(records(trail), expected);
}
