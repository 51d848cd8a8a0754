//! Exosphere's behaviour cases: every case of every file is run, or named as not built.
//!
//! Cases that the reference itself contests, or is not sure of, are run too and counted apart: they
//! fail no test. A file of an unknown kind fails, and so does a kind of which no case passed.
//!
//! Not built: nothing starts runs by a cron trigger. Of a `cron` case only the expression is judged,
//! by publishing a graph with it. When it fires next is not judged, and the case of an unknown time
//! zone is not run.
//!
//! `cargo test --release --test it behaviour_cases -- --nocapture` prints per kind how many passed,
//! failed, were set apart and are not built.

mod cron;
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
    not_built: u64,
}

#[test]
fn behaviour_cases() {
    let mut tallies = BTreeMap::<String, Tally>::new();
    let mut failures = Vec::new();
    for file in files() {
        let tally = tallies.entry(file.kind.clone()).or_default();
        for case in &file.cases {
            let name = format!("{}: {}", file.path.display(), text(case, "id"));
            if !is_built(&file.kind, case) {
                println!("{name}\n  not built");
                tally.not_built += 1;
                continue;
            }
            let is_apart = case.get("contested").is_some() || case.get("confidence").is_some();
            let verdict = judge(&file.kind, case);
            if let Err(Mismatch { expected, got }) = &verdict {
                println!("{name}\n  expected {expected}\n  got      {got}");
            }
            match (verdict, is_apart) {
                (Ok(()), false) => tally.passed += 1,
                (Ok(()), true) => tally.apart += 1,
                (Err(_), true) => tally.apart_failed += 1,
                (Err(_), false) => {
                    tally.failed += 1;
                    failures.push(name);
                }
            }
        }
    }
    for (kind, tally) in &tallies {
        println!(
            "{kind:<18} {:>4} passed {:>4} failed {:>4} set apart ({} differ) {:>4} not built",
            tally.passed,
            tally.failed,
            tally.apart + tally.apart_failed,
            tally.apart_failed,
            tally.not_built,
        );
    }
    assert!(failures.is_empty(), "{} cases failed: {failures:#?}", failures.len());
    assert!(!tallies.is_empty(), "there are no cases");
    let idle = tallies.iter().filter(|(_, tally)| tally.passed == 0);
    let idle: Vec<_> = idle.map(|(kind, _)| kind).collect();
    assert!(idle.is_empty(), "no case passed of the kinds {idle:?}");
}

/// Whether hotgraph has what a case is about.
fn is_built(kind: &str, case: &Value) -> bool {
    kind != "cron" || case.at("expect.error").and_then(Value::as_str) != Some("timezone_unknown")
}

fn judge(kind: &str, case: &Value) -> Verdict {
    match kind {
        "run" => run_case::check(case),
        "validation" => validation::check(case),
        "expression_parse" => pure::parse(case),
        "expression_render" => pure::render(case),
        "retry_delay" => pure::retry_delay(case),
        "retry_decision" => pure::retry_decision(case),
        "run_status" => pure::run_status(case),
        "uniting_identity" => identity::check(case),
        "cron" => cron::check(case),
        unknown => Err(differs("a kind that is judged", unknown)),
    }
}
