//! Graphs that are judged on their own, or against registered nodes.

use hotgraph::{
    Arity, Context, Document, Emit, GraphName, Handler, Plan, Problems, PublishError, Runtime,
    Schema, Value,
};

use super::script::schema;
use super::{Verdict, differs};
use crate::fixtures::{list, text};

pub fn check(case: &Value) -> Verdict {
    let document = Document::from_json(&case.get("graph").unwrap().to_json());
    let document = document.map_err(|error| differs(case.get("expect"), error))?;
    let expected = case.get("expect").unwrap();
    let wants_valid = expected.get("valid").and_then(Value::as_bool).unwrap();
    if text(case, "check") != "full"
        && let Err(problems) = document.check()
    {
        return if wants_valid {
            Err(differs("valid", problems))
        } else {
            reported(expected, &problems)
        };
    }
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    match tokio.block_on(publish(case, document)) {
        Ok(plan) if wants_valid => normalised(expected, &plan),
        Ok(_) => Err(differs(expected, "valid")),
        Err(problems) if wants_valid => Err(differs("valid", problems.to_string())),
        Err(problems) => reported(expected, &problems),
    }
}

/// Publishes with the registered nodes, or with nodes that take anything where none are given.
async fn publish(case: &Value, document: Document) -> Result<std::sync::Arc<Plan>, Problems> {
    let runtime = Runtime::builder().build().await.unwrap();
    let name = GraphName::new(
        document.namespace.as_deref().unwrap_or_default(),
        document.name.as_deref().unwrap_or_default(),
    );
    for handler in registered(case) {
        // A case may list a node twice.
        let _ = runtime.register(handler);
    }
    match runtime.publish(document).await {
        Ok(published) => Ok(runtime.versions(name).plan(published.version).unwrap()),
        Err(PublishError::Invalid { problems, .. }) => Err(problems),
        Err(error) => panic!("{error}"),
    }
}

fn registered(case: &Value) -> Vec<Handler> {
    let nothing = |_: Value, _: Context| async { Ok(Emit::nothing()) };
    let handler = |name: &str, namespace: &str, schemas| {
        Handler::dynamic(name, schemas, Arity::One, nothing).namespace(namespace)
    };
    if text(case, "check") != "full" {
        let graph = case.get("graph").unwrap();
        let nodes = list(graph, "nodes").iter();
        let any = || (Schema::any(), Schema::any());
        return nodes.map(|n| handler(text(n, "node_name"), text(n, "namespace"), any())).collect();
    }
    let nodes = list(case, "registered_nodes").iter();
    nodes
        .map(|node| {
            let schemas = (schema(node, "inputs"), schema(node, "outputs"));
            let secrets = list(node, "secrets").iter().filter_map(Value::as_str);
            handler(text(node, "name"), text(node, "namespace"), schemas).secrets(secrets)
        })
        .collect()
}

/// Every expected problem has to be there; more may be.
fn reported(expected: &Value, problems: &Problems) -> Verdict {
    for wanted in list(expected, "errors") {
        let (node, detail) = (wanted.get("node"), wanted.get("detail"));
        let found = problems.iter().any(|problem| {
            problem.kind.as_str() == text(wanted, "kind")
                && node.is_none_or(|node| node.as_str() == problem.node.as_deref())
                && detail.is_none_or(|detail| detail.as_str() == Some(&*problem.detail))
        });
        if !found {
            return Err(differs(wanted, problems.to_string()));
        }
    }
    Ok(())
}

fn normalised(expected: &Value, plan: &Plan) -> Verdict {
    let got = Value::from_json(&plan.document().to_json()).unwrap();
    let wanted = expected.get("normalized").and_then(Value::as_object);
    for (field, wanted) in wanted.into_iter().flat_map(|fields| fields.iter()) {
        if got.get(field.as_str()) != Some(wanted) {
            return Err(differs(wanted, got.get(field.as_str())));
        }
    }
    Ok(())
}
