//! What rollouts give their versions.

use super::super::model::{Label, Model};
use super::super::ops::{Health, Op};
use super::super::world::Taken;

/// I18: the weight grows only after Pass, unless a command that says so lets it grow.
///
/// A promotion is the whole weight. A label that goes back from a version which bakes leads to the one
/// before, also if somebody has made that its canary.
pub fn check(model: &Model, taken: &Taken<'_>) {
    let Op::Gates(_, health) = taken.op else { return };
    for (l, now) in &model.labels {
        let before = taken.labels_before.get(l).cloned().unwrap_or_default();
        let has_grown = now.canary.is_some_and(|(v, weight)| weight > share(&before, v));
        let is_promoted = now.active != before.active
            && now.active.is_some_and(|active| before.canary.is_some_and(|it| it.0 == active));
        let left = before.active.and_then(|left| model.versions.get(&left));
        let goes_back = left.is_some_and(|left| left.marks.contains("reverted"));
        let has_more = has_grown || is_promoted && !goes_back;
        assert!(*health == Health::Pass || !has_more, "I18: {health:?} {before:?} {now:?}");
    }
}

fn share(label: &Label, version: u64) -> u16 {
    label.canary.filter(|canary| canary.0 == version).map_or(0, |canary| canary.1)
}
