//! Those who do something with the runs of a process, several at once.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hotgraph::{Journal, Rng, Run, RunQuery, RunRow, RunStatus, Runtime, StrandedReason, Value};
use parking_lot::Mutex;

use super::shaky::Shaky;
use super::told::{Told, graph, rest, work};
use crate::durable::before::Before;

/// Longer than anything takes once the journal works.
pub(super) const HOURS: Duration = Duration::from_secs(6 * 3600);

/// One of those who do something with the runs of a process.
pub(super) struct Actor {
    pub rng: Rng,
    pub runtime: Runtime,
    pub told: Arc<Mutex<Told>>,
    /// Handles of any process.
    pub handles: Arc<Mutex<Vec<Run>>>,
    pub journal: Arc<Before<Shaky>>,
}

impl Actor {
    pub(super) async fn acts(mut self) {
        for _ in 0..12 {
            let pause = self.rng.up_to(1_500);
            if heads(&mut self.rng) {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            self.act().await;
        }
    }

    fn handle(&mut self) -> Option<Run> {
        let handles = self.handles.lock().clone();
        one_of(&mut self.rng, &handles)
    }

    async fn some_row(&mut self) -> Option<RunRow> {
        let rows = self.journal.kept.runs(&RunQuery::default()).await.unwrap();
        let rows: Vec<_> =
            rows.into_iter().filter(|row| !row.status.starts_with("SESSION")).collect();
        one_of(&mut self.rng, &rows)
    }

    async fn act(&mut self) {
        match self.rng.up_to(20) {
            0..=4 => self.start().await,
            5 => {
                if let Some(run) = self.handle() {
                    run.cancel();
                }
            }
            6..=8 => self.retry().await,
            9 => self.delete().await,
            10 => {
                let storage = self.runtime.storage().unwrap();
                let graph = one_of(&mut self.rng, &["g", "around", "child", "chat"]).unwrap();
                let keep = usize::try_from(self.rng.up_to(3)).unwrap();
                let _ = answered("keep_latest", storage.keep_latest(graph, keep)).await;
            }
            11 | 12 => self.load().await,
            13 => self.read().await,
            14 => self.stranded().await,
            15..=17 => self.session().await,
            18 => self.wait().await,
            19 => self.publish().await,
            _ => {
                let storage = self.runtime.storage().unwrap();
                let age = Duration::from_millis(self.rng.up_to(4_000));
                let _ = answered("delete_older_than", storage.delete_older_than(age)).await;
            }
        }
    }

    /// Publishes another version, and may revoke the one before.
    async fn publish(&mut self) {
        let name = one_of(&mut self.rng, &["g", "chat"]).unwrap();
        let published = self.runtime.publish_and_promote(graph(name, self.rng.up_to(50)));
        let _ = answered("publish", async { published.await }).await;
        let versions = self.runtime.versions(name);
        let before = versions.active().and_then(|active| active.0.checked_sub(1));
        if let Some(before) = before.filter(|_| heads(&mut self.rng)) {
            let revoked = answered("revoke", async { versions.revoke(before).await }).await;
            self.count(&format!("revoke {}", revoked.is_ok()));
        }
    }

    fn count(&self, what: &str) {
        *self.told.lock().calls.entry(what.to_owned()).or_default() += 1;
    }

    async fn start(&mut self) {
        let graph = one_of(&mut self.rng, &["g", "g", "around"]).unwrap();
        let key = one_of(&mut self.rng, &["a", "b", "c"]).unwrap();
        let start = self.runtime.start(graph, Value::object([("key", key)])).idempotency_key(key);
        if self.rng.up_to(3) == 0 {
            let outcome = answered("run", start.run()).await;
            if let Ok(outcome) = outcome {
                self.told
                    .lock()
                    .named
                    .entry((graph.into(), key.into()))
                    .or_default()
                    .insert(outcome.run);
            }
            return;
        }
        let dropped = self.rng.up_to(5) == 0;
        if dropped {
            let _ = tokio::time::timeout(Duration::from_millis(self.rng.up_to(50)), start).await;
            return;
        }
        match answered("start", async { start.await }).await {
            Ok(run) => {
                self.count("start");
                self.told
                    .lock()
                    .named
                    .entry((graph.into(), key.into()))
                    .or_default()
                    .insert(run.id());
                self.handles.lock().push(run);
            }
            Err(error) => self.count(&format!("start {}", short(&error))),
        }
    }

    async fn wait(&mut self) {
        let Some(run) = self.handle() else { return };
        let outcome = tokio::time::timeout(HOURS, run.outcome()).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("{} hangs: {:?}", run.id(), run.status()));
        let mut told = self.told.lock();
        if outcome.status.is_terminal() && !told.retried.contains(&run.id()) {
            let ended = format!("{} {:?}", outcome.status, outcome.outputs);
            let before = told.ended.entry(run.id()).or_insert_with(|| ended.clone());
            assert!(ended.starts_with(&*before), "{}: {before}, {ended}", run.id());
        }
    }

    async fn retry(&mut self) {
        let Some(run) = self.handle() else { return };
        self.told.lock().retried.insert(run.id());
        let id = self.rng.next_u64().to_string();
        match answered("retry", run.retry_failed(id)).await {
            Ok(_) => self.count("retry"),
            Err(error) => self.count(&format!("retry {}", short(&error))),
        }
    }

    async fn delete(&mut self) {
        let run = match heads(&mut self.rng) {
            true => self.handle().map(|run| run.id()),
            false => self.some_row().await.map(|row| row.run),
        };
        let Some(run) = run else { return };
        let deleted = answered("delete", self.runtime.storage().unwrap().delete([run])).await;
        self.count(&format!("delete {:?}", deleted.ok()));
    }

    async fn load(&mut self) {
        let Some(row) = self.some_row().await else { return };
        let storage = self.runtime.storage().unwrap();
        match answered("load", storage.load(row.run)).await {
            Ok(run) => {
                self.count("load");
                self.handles.lock().push(run);
            }
            Err(error) => self.count(&format!("load {}", short(&error))),
        }
    }

    async fn read(&mut self) {
        let Some(row) = self.some_row().await else { return };
        let storage = self.runtime.storage().unwrap();
        let step = self.rng.up_to(5);
        let _ = answered("history", storage.history(row.run)).await;
        let _ = answered("load_at", storage.load_at(row.run, step)).await;
    }

    async fn stranded(&mut self) {
        let stranded = self.runtime.stranded();
        for one in &stranded {
            assert!(!matches!(one.reason, StrandedReason::Damaged(_)), "{one:?}");
        }
        let Some(one) = one_of(&mut self.rng, &stranded) else { return };
        if self.rng.up_to(3) == 0 {
            for handler in [work(&self.told), rest(&self.told)] {
                let _ = self.runtime.register(handler);
            }
        }
        if heads(&mut self.rng) {
            match answered("resume", self.runtime.resume(one.run)).await {
                Ok(run) => {
                    self.count("resume");
                    self.handles.lock().push(run);
                }
                Err(error) => self.count(&format!("resume {}", short(&error))),
            }
        } else if answered("give_up", self.runtime.give_up(one.run)).await.is_ok() {
            self.count("give_up");
            let ended = format!("{}", RunStatus::Cancelled);
            let mut told = self.told.lock();
            if !told.retried.contains(&one.run) {
                told.ended.insert(one.run, ended);
            }
        }
    }

    async fn session(&mut self) {
        let id = one_of(&mut self.rng, &["s", "t"]).unwrap();
        let session = self.runtime.session(id).graph("chat");
        match self.rng.up_to(7) {
            0 => {
                let done = answered("finish", session.finish()).await;
                self.count(&format!("finish {}", done.is_ok()));
            }
            1 => {
                let view = answered("view", session.view()).await;
                self.count(&format!("view {}", view.is_ok()));
            }
            _ => {
                let input = self.rng.up_to(5).to_string();
                let next = session.next(Value::object([("key", "")])).input_id(&*input);
                match answered("next", async { next.await }).await {
                    Ok(_) => self.count("next"),
                    Err(error) => self.count(&format!("next {}", short(&error))),
                }
            }
        }
    }
}

fn short(error: &impl Debug) -> String {
    let error = format!("{error:?}");
    let end = error.find("graph: Graph").unwrap_or(error.len());
    let reason = error.find("reason").map_or("", |at| &error[at..(at + 40).min(error.len())]);
    format!("{} {reason}", &error[..end.min(30)])
}

/// Waits for an answer; what it says must not be damage.
pub(super) async fn answered<T, E: Debug>(
    what: &str,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let answer = tokio::time::timeout(HOURS, answer).await;
    let answer = answer.unwrap_or_else(|_| panic!("{what} hangs"));
    if let Err(error) = &answer {
        let error = format!("{error:?}");
        let is_bad =
            ["Damaged", "Corrupt", "Conflict", "CutOff"].iter().any(|bad| error.contains(bad));
        assert!(!is_bad, "{what}: {error}");
        assert!(
            !(error.contains("Stranded {") && error.contains("NotStranded")),
            "{what}: {error}"
        );
    }
    answer
}

pub(super) fn heads(rng: &mut Rng) -> bool {
    rng.up_to(1) == 0
}

pub(super) fn one_of<T: Clone>(rng: &mut Rng, of: &[T]) -> Option<T> {
    let last = u64::try_from(of.len()).unwrap().checked_sub(1)?;
    Some(of[usize::try_from(rng.up_to(last)).unwrap()].clone())
}
