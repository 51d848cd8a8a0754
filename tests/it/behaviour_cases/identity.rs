//! Whether two merger states are the same one, by hotgraph's own fingerprint.

use hotgraph::{Fingerprint, GraphName, RunId, UnitingIdentity, Value, VersionNumber};

use super::{Verdict, differs};
use crate::fixtures::text;

pub fn check(case: &Value) -> Verdict {
    let same = fingerprint(case.get("a").unwrap()) == fingerprint(case.get("b").unwrap());
    let expected = case.at("expect.same_identity").and_then(Value::as_bool).unwrap();
    if same == expected { Ok(()) } else { Err(differs(expected, same)) }
}

/// Exosphere identifies a group by the parents of its states, hotgraph by the group's path.
fn fingerprint(state: &Value) -> Fingerprint {
    let graph = GraphName::new(text(state, "namespace_name"), text(state, "graph_name"));
    let run = text(state, "run_id").bytes().fold(0, |id, byte| id << 8 | u128::from(byte));
    let retries = state.get("retry_count").and_then(Value::as_i64).unwrap_or(0);
    Fingerprint::of(&UnitingIdentity {
        graph: &graph,
        version: VersionNumber(1),
        run: RunId(run),
        merger: &format!("{}/{}", text(state, "identifier"), text(state, "node_name")),
        group: &state.get("parents").cloned().unwrap_or_default().to_json(),
        attempt: u32::try_from(retries).unwrap(),
        manual_retry: text(state, "manual_retry_fanout_id"),
    })
}
