//! Asks the gates of a rollout: each within a time, and none of them can end the rollout's actor.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;
use crate::version::{Evidence, HealthGate, RolloutPlan, Verdict};

/// How long a gate may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The gravest verdict of a plan's gates.
pub(super) async fn judge(plan: &RolloutPlan, evidence: &Evidence, clock: &dyn Clock) -> Verdict {
    let mut verdicts = Vec::with_capacity(plan.gates().len());
    for gate in plan.gates() {
        verdicts.push(ask(&**gate, evidence, clock).await);
    }
    Verdict::gravest(verdicts)
}

async fn ask(gate: &dyn HealthGate, evidence: &Evidence, clock: &dyn Clock) -> Verdict {
    let asked = AssertUnwindSafe(async { gate.judge(evidence).await }).catch_unwind();
    tokio::select! {
        biased;
        answer = asked => match answer {
            Ok(Verdict::Pass) => Verdict::Pass,
            Ok(verdict) => verdict.of(gate.name()),
            Err(_) => Verdict::error(format!("gate `{}` panicked", gate.name())),
        },
        () = clock.sleep(PATIENCE) => {
            Verdict::error(format!("gate `{}` did not answer within 10 s", gate.name()))
        }
    }
}
