//! Expressions, retry policies and run statuses: pure functions of a case.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hotgraph::{Part, RetryPolicy, Rng, RunStatus, StateStatus, Value};

use super::{Verdict, differs};
use crate::fixtures::text;

/// How many draws a case with jitter gets.
const DRAWS: u32 = 4000;

pub fn parse(case: &Value) -> Verdict {
    let expected = case.get("expect").unwrap();
    let got = match hotgraph::parse_text(text(case, "expression")) {
        Ok(parts) => Value::object([("parts", parts.iter().map(part).collect::<Vec<_>>())]),
        Err(error) => Value::object([("error", error.kind.as_str())]),
    };
    if got == *expected { Ok(()) } else { Err(differs(expected, got)) }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Literal(literal) => Value::object([("literal", &**literal)]),
        Part::Node { node, field } => {
            Value::object([("node", &**node), ("field", field.as_deref().unwrap_or(""))])
        }
        Part::Store { key } => Value::object([("store", &**key)]),
        other => panic!("unknown part {other:?}"),
    }
}

pub fn render(case: &Value) -> Verdict {
    let expected = case.get("expect").unwrap();
    let got = match rendered(case) {
        Ok(value) => Value::object([("result", value)]),
        Err(error) => Value::object([("error", error)]),
    };
    if got == *expected { Ok(()) } else { Err(differs(expected, got)) }
}

fn rendered(case: &Value) -> Result<Value, &'static str> {
    let expression = case.get("expression").unwrap();
    let template = hotgraph::Template::parse(expression).map_err(|error| error.kind.as_str())?;
    let nodes = case.at("values.nodes").unwrap();
    let store = case.at("values.store").unwrap();
    let value = template.render(|node| nodes.get(node).cloned(), |key| store.get(key).cloned());
    let value = value.map_err(|error| error.code())?;
    if value.as_str().is_some() { Ok(value) } else { Ok(Value::from(value.to_json())) }
}

fn policy(case: &Value) -> RetryPolicy {
    let empty = Value::empty_object();
    hotgraph::from_value(case.get("policy").unwrap_or(&empty)).unwrap()
}

pub fn retry_delay(case: &Value) -> Verdict {
    let expected = case.get("expect").unwrap();
    let number = |field: &str| expected.get(field).and_then(Value::as_i64);
    let retry = u32::try_from(case.get("retry_count").and_then(Value::as_i64).unwrap()).unwrap();
    let Some(retry) = NonZeroU32::new(retry) else {
        // The type refuses what is an error elsewhere.
        let same = text(expected, "error") == "retry_count_below_1";
        return if same { Ok(()) } else { Err(differs(expected, "no retry")) };
    };
    let policy = policy(case);
    let mut rng = Rng::seeded(7);
    let draw = |_| i64::try_from(policy.delay(retry, &mut rng).as_millis()).unwrap_or(i64::MAX);
    let draws: Vec<_> = (0..DRAWS).map(draw).collect();
    let (low, high) = (*draws.iter().min().unwrap(), *draws.iter().max().unwrap());
    let min = number("exact").or(number("min")).unwrap();
    let max = number("exact").or(number("max")).unwrap();
    let covers = (max - min) / 20;
    if low < min || high > max || low > min + covers || high < max - covers {
        return Err(differs(expected, (low, high)));
    }
    let at_max = draws.iter().filter(|draw| **draw == max).count();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand draws")]
    let share = at_max as f64 / f64::from(DRAWS);
    match expected.get("fraction_at_max").and_then(Value::as_f64) {
        Some(wanted) if (share - wanted).abs() > 0.03 => Err(differs(expected, share)),
        _ => Ok(()),
    }
}

pub fn retry_decision(case: &Value) -> Verdict {
    let count =
        |field: &str| u32::try_from(case.get(field).and_then(Value::as_i64).unwrap()).unwrap();
    let policy = RetryPolicy { max_retries: count("max_retries"), ..RetryPolicy::default() };
    let again = policy.allows_retry(count("retry_count"));
    let status = if again { StateStatus::RetryCreated } else { StateStatus::Errored };
    let mut got = BTreeMap::from([
        ("new_attempt", Value::from(again)),
        ("failed_attempt_status", Value::from(status.as_str())),
    ]);
    if again {
        got.insert("new_attempt_retry_count", Value::from(count("retry_count") + 1));
        got.insert("new_attempt_status", Value::from(StateStatus::Created.as_str()));
    }
    let (expected, got) = (case.get("expect").unwrap(), Value::object(got));
    if got == *expected { Ok(()) } else { Err(differs(expected, got)) }
}

pub fn run_status(case: &Value) -> Verdict {
    let states = case.get("states").and_then(Value::as_object).unwrap();
    let count = |name: &str| states.get(name).and_then(Value::as_i64).unwrap_or(0);
    let counts =
        StateStatus::ALL.map(|status| (status, u64::try_from(count(status.as_str())).unwrap()));
    let status = RunStatus::of(counts);
    let sum = |wanted: fn(StateStatus) -> bool| -> u64 {
        counts.iter().filter(|(status, _)| wanted(*status)).map(|(_, count)| count).sum()
    };
    // Exosphere calls a run without states failed; hotgraph never has one.
    let status = match (counts.iter().all(|(_, count)| *count == 0), status) {
        (true, _) => "FAILED",
        (false, RunStatus::Running) => "PENDING",
        (false, status) => status.as_str(),
    };
    let got = Value::object([
        ("status", Value::from(status)),
        ("success_count", sum(|s| matches!(s, StateStatus::Success | StateStatus::Pruned)).into()),
        ("pending_count", sum(|s| !s.is_terminal()).into()),
        ("errored_count", sum(StateStatus::is_failure).into()),
        ("retried_count", sum(|s| s == StateStatus::RetryCreated).into()),
        ("total_count", sum(|_| true).into()),
    ]);
    let expected = case.get("expect").unwrap();
    if got == *expected { Ok(()) } else { Err(differs(expected, got)) }
}
