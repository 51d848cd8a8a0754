//! Exosphere's behaviour cases: every kind, every case, no list of exceptions.
//!
//! `cargo test --release --test it behaviour_cases -- --nocapture` prints per kind how many passed,
//! failed and were set apart.

mod identity;
mod pure;
mod run_case;
mod script;
mod validation;

use std::collections::BTreeMap;

use hotgraph::Value;

use crate::fixtures::{files, text};

/// What a case expected and what it got, if that differs.
pub type Verdict = Result<(), Mismatch>;

#[derive(Debug)]
pub struct Mismatch {
    pub expected: String,
    pub got: String,
}

pub fn differs(expected: impl std::fmt::Debug, got: impl std::fmt::Debug) -> Mismatch {
    Mismatch { expected: format!("{expected:?}"), got: format!("{got:?}") }
}

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    apart: u64,
    apart_failed: u64,
}

#[test]
fn behaviour_cases() {
    let mut tallies = BTreeMap::<String, Tally>::new();
    let mut failures = Vec::new();
    for file in files() {
        for case in &file.cases {
            let tally = tallies.entry(file.kind.clone()).or_default();
            let Some(verdict) = judge(&file.kind, case) else {
                tally.apart += 1;
                continue;
            };
            let is_apart = case.get("contested").is_some() || case.get("confidence").is_some();
            match verdict {
                Ok(()) if is_apart => tally.apart += 1,
                Ok(()) => tally.passed += 1,
                Err(mismatch) => {
                    let name = format!("{}: {}", file.path.display(), text(case, "id"));
                    println!(
                        "{name}\n  expected {}\n  got      {}",
                        mismatch.expected, mismatch.got
                    );
                    if is_apart {
                        tally.apart_failed += 1;
                    } else {
                        tally.failed += 1;
                        failures.push(name);
                    }
                }
            }
        }
    }
    for (kind, tally) in &tallies {
        println!(
            "{kind:<18} {:>4} passed {:>4} failed {:>4} set apart ({} of them differ)",
            tally.passed,
            tally.failed,
            tally.apart + tally.apart_failed,
            tally.apart_failed,
        );
    }
    assert!(tallies.values().any(|tally| tally.passed > 0), "no case was run");
    assert!(failures.is_empty(), "{} cases failed: {failures:#?}", failures.len());
}

/// Runs one case; `None` if its kind is not built.
fn judge(kind: &str, case: &Value) -> Option<Verdict> {
    Some(match kind {
        "run" => run_case::check(case),
        "validation" => validation::check(case),
        "expression_parse" => pure::parse(case),
        "expression_render" => pure::render(case),
        "retry_delay" => pure::retry_delay(case),
        "retry_decision" => pure::retry_decision(case),
        "run_status" => pure::run_status(case),
        "uniting_identity" => identity::check(case),
        _ => return None,
    })
}
