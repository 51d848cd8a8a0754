//! Counting costs a start and an end no allocation.

use super::*;
use crate::id::LabelName;
use crate::version::Weight;

#[test]
fn counting_allocates_nothing() {
    let tally = Tally::default();
    let label = LabelName::default();
    let rules = [
        StartRule::Explicit,
        StartRule::Binding,
        StartRule::Active { label: label.clone() },
        StartRule::Canary { label, bucket: None, weight: Weight::percent(1) },
    ];
    let allocated = allocation_counter::measure(|| {
        rules.iter().for_each(|rule| tally.started(rule));
        ENDS.iter().for_each(|end| tally.ended(end));
    });
    assert_eq!(allocated.count_total, 0);
    assert_eq!(tally.starts(), RULES.map(|rule| (rule, 1)));
    assert_eq!(tally.ends(), ENDS.map(|end| (end, 1)));
}
