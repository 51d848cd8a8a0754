//! What can be seen of a run: how it ended, and what is on record.

use std::collections::BTreeSet;

use hotgraph::{Journal, Outcome, RunQuery, SkipReason, Stream};
use serde_json::Value as Json;

/// How a run ended, without what differs from run to run.
pub type Ended = (String, Vec<(String, String)>, Vec<String>, Vec<String>);

/// The same, without who prevented a merger: that depends on who came first.
pub fn ended_roughly(outcome: &Outcome) -> Ended {
    let (status, outputs, failures, mut skipped) = ended(outcome);
    for (skip, of) in skipped.iter_mut().zip(&outcome.skipped) {
        if matches!(of.reason, SkipReason::Prevented { .. }) {
            *skip = of.node.to_string();
        }
    }
    (status, outputs, failures, skipped)
}

pub fn ended(outcome: &Outcome) -> Ended {
    let outputs = outcome.outputs.iter().map(|(node, value)| (node.to_string(), value.to_json()));
    let failures = outcome.failures.iter().map(|failure| {
        let (node, status, error) = (&failure.node, failure.status, &failure.error);
        format!("{node} {status} {error} {} {}", failure.attempts, failure.tolerated)
    });
    let skipped = outcome.skipped.iter().map(|skip| {
        let why = match &skip.reason {
            SkipReason::Prevented { by } => {
                by.iter().map(|(node, _, status)| format!("{node} {status} ")).collect()
            }
            other => format!("{other:?}"),
        };
        format!("{} {why}", skip.node)
    });
    let status = format!("{} on {}", outcome.status, outcome.version);
    (status, outputs.collect(), failures.collect(), skipped.collect())
}

/// The attempts whose ends are on record, by idempotency key.
pub async fn on_record(journal: &dyn Journal) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    for row in journal.runs(&RunQuery::default()).await.unwrap() {
        let stream = Stream::Run(row.run);
        for record in journal.read(stream, 0, usize::MAX).await.unwrap() {
            assert!(record.is_intact(stream));
            let entry: Json = serde_json::from_slice(&record.body).unwrap();
            let step = entry.as_object().and_then(|entry| entry.values().next().cloned());
            let Some(of) = step.as_ref().and_then(|step| step.get("of")?.as_array().cloned())
            else {
                continue;
            };
            // They do not say that the attempt ended, or that its handler is not called again.
            let goes_on = ["Kept", "Requeued", "FannedOutResumable"];
            if goes_on.into_iter().any(|kind| entry.get(kind).is_some()) {
                continue;
            }
            let id = of[0].as_u64().unwrap();
            found.insert((format!("{}-{id:016x}", row.run), of[1].as_u64().unwrap() as u32));
        }
    }
    found
}
