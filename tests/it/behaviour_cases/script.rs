//! What node bodies do in a run case: scripted outputs, errors and signals, after seeded waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotgraph::{
    Arity, Context, Emit, FieldType, Handler, NodeError, Rng, Runtime, Schema, Signal, Value,
};

use crate::fixtures::{list, text};

/// What the bodies of a run did so far.
#[derive(Default)]
pub struct Played {
    /// How often a body ran with an identifier and inputs.
    times: HashMap<(String, String), usize>,
    /// How often a body of an identifier is about to finish.
    finishes: HashMap<String, i64>,
    /// Body runs and the inputs of first attempts, by identifier.
    pub executions: BTreeMap<String, i64>,
    /// Answers to the operations that happened before a finish.
    pub answers: Vec<String>,
    pub waits: Option<Rng>,
}

pub type Shared = Arc<Mutex<Played>>;

/// One handler per registered node.
pub fn handlers(
    case: &Value,
    played: &Shared,
    runtime: &Arc<Mutex<Option<Runtime>>>,
) -> Vec<Handler> {
    let script = case.get("script").cloned().unwrap_or_default();
    let nodes = list(case, "registered_nodes").iter();
    nodes.map(|node| handler(case, node, &script, played, runtime)).collect()
}

fn handler(
    case: &Value,
    node: &Value,
    script: &Value,
    played: &Shared,
    runtime: &Arc<Mutex<Option<Runtime>>>,
) -> Handler {
    let arity = arity(case, text(node, "name"), script);
    let (case, script, played, runtime) =
        (case.clone(), script.clone(), played.clone(), runtime.clone());
    let body = move |input: Value, ctx: Context| {
        let (case, script, played, runtime) =
            (case.clone(), script.clone(), played.clone(), runtime.clone());
        async move { play(&case, &script, &played, &runtime, input, ctx).await }
    };
    let schemas = (schema(node, "inputs"), schema(node, "outputs"));
    let secrets = list(node, "secrets").iter().filter_map(Value::as_str);
    Handler::dynamic(text(node, "name"), schemas, arity, body)
        .namespace(text(node, "namespace"))
        .secrets(secrets)
}

/// The fields of a registered node; all are required strings unless it says otherwise.
pub fn schema(node: &Value, field: &str) -> Schema {
    match node.get(field) {
        Some(Value::Array(names)) => {
            Schema::fields(names.iter().filter_map(Value::as_str).map(|n| (n, FieldType::String)))
        }
        _ => Schema::any(),
    }
}

/// A handler is of one output unless a script lets it give several.
fn arity(case: &Value, name: &str, script: &Value) -> Arity {
    let nodes = list(case.get("graph").unwrap(), "nodes").iter();
    let identifiers = nodes.filter(|n| text(n, "node_name") == name).map(|n| text(n, "identifier"));
    let many = identifiers
        .flat_map(|identifier| list(script, identifier))
        .flat_map(|rule| list(rule, "steps"))
        .any(|step| list(step, "outputs").len() > 1);
    if many { Arity::Many } else { Arity::One }
}

async fn play(
    case: &Value,
    script: &Value,
    played: &Shared,
    runtime: &Arc<Mutex<Option<Runtime>>>,
    input: Value,
    ctx: Context,
) -> Result<Emit<Value>, NodeError> {
    let identifier = ctx.node().to_owned();
    let wait = {
        let mut played = played.lock().unwrap();
        *played.executions.entry(identifier.clone()).or_default() += 1;
        played.waits.as_mut().map_or(0, |rng| rng.up_to(40))
    };
    // Some bodies finish where they stand, others suspend.
    if wait > 10 {
        ctx.sleep(Duration::from_millis(wait)).await;
    }
    let nth = {
        let mut played = played.lock().unwrap();
        let count = played.finishes.entry(identifier.clone()).or_default();
        *count += 1;
        *count
    };
    for operation in list(case, "operations") {
        let when = operation.at("when.before_finish");
        let is_now = |when: &Value| {
            text(when, "identifier") == identifier && when.get("nth") == Some(&Value::from(nth))
        };
        if when.is_some_and(is_now) {
            let runtime = runtime.lock().unwrap().clone().unwrap();
            let answer = super::run_case::upsert(case, operation, &runtime).await;
            played.lock().unwrap().answers.push(answer);
        }
    }
    let step = step(script, &identifier, &input, played);
    perform(step.as_ref(), &input)
}

/// The step a body performs: that of the first rule that matches, the k-th time the k-th.
fn step(script: &Value, identifier: &str, input: &Value, played: &Shared) -> Option<Value> {
    let matches = |rule: &&Value| match rule.get("when").and_then(Value::as_object) {
        Some(wanted) => wanted.iter().all(|(key, value)| input.get(key.as_str()) == Some(value)),
        None => true,
    };
    let rule = list(script, identifier).iter().find(matches)?;
    let steps = list(rule, "steps");
    let mut played = played.lock().unwrap();
    let times = played.times.entry((identifier.to_owned(), input.to_json())).or_default();
    let step = steps.get(*times).or(steps.last()).cloned();
    *times += 1;
    step
}

fn perform(step: Option<&Value>, input: &Value) -> Result<Emit<Value>, NodeError> {
    let Some(step) = step else { return Ok(Emit::one(Value::empty_object())) };
    if let Some(error) = step.get("error").and_then(Value::as_str) {
        return Err(NodeError::new(error));
    }
    if let Some(data) = step.get("prune") {
        return Err(Signal::Prune(data.clone()).into());
    }
    if let Some(delay) = step.get("requeue_ms").and_then(Value::as_i64) {
        let delay = Duration::from_millis(u64::try_from(delay).unwrap());
        return Err(Signal::RequeueAfter(delay).into());
    }
    let outputs: Vec<_> = list(step, "outputs").iter().map(|output| fill(output, input)).collect();
    Ok(match outputs.as_slice() {
        [] => Emit::nothing(),
        [output] => Emit::one(output.clone()),
        _ => Emit::each(outputs),
    })
}

/// Replaces `{name}` by the body's own input `name`.
fn fill(output: &Value, input: &Value) -> Value {
    let Some(fields) = output.as_object() else { return output.clone() };
    Value::object(fields.iter().map(|(key, value)| {
        let Some(mut filled) = value.as_str().map(str::to_owned) else {
            return (key.clone(), value.clone());
        };
        for (name, own) in input.as_object().into_iter().flat_map(|fields| fields.iter()) {
            let text = own.as_str().map_or_else(|| own.to_json(), str::to_owned);
            filled = filled.replace(&format!("{{{}}}", name.as_str()), &text);
        }
        (key.clone(), Value::from(filled))
    }))
}
