//! Asks the gates of a rollout at once: each within a time, and none can end the rollout's actor.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::clock::Clock;
use crate::version::{Evidence, NamedGate, RolloutPlan, Verdict};

/// How long a gate may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The gravest verdict of a plan's gates.
pub(super) async fn judge(plan: &RolloutPlan, evidence: &Evidence, clock: &dyn Clock) -> Verdict {
    let asked = plan.gates().iter().map(|gate| ask(gate, evidence, clock));
    Verdict::gravest(join_all(asked).await)
}

async fn ask(named: &NamedGate, evidence: &Evidence, clock: &dyn Clock) -> Verdict {
    let NamedGate { name, gate } = named;
    // Guarded as a whole: what the gate made is dropped inside.
    let asked = AssertUnwindSafe(async {
        tokio::select! {
            biased;
            verdict = gate.judge(evidence) => verdict.of(name),
            () = clock.sleep(PATIENCE) => {
                Verdict::error(format!("gate `{name}` did not answer within 10 s"))
            }
        }
    });
    let panicked = |_| Verdict::error(format!("gate `{name}` panicked"));
    asked.catch_unwind().await.unwrap_or_else(panicked)
}
