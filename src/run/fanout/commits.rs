//! What a lane did that is not on record yet: told to the run, and gone on with, when it is.
//!
//! Invariants:
//! 1. What a lane reports reaches the run in the order in which it happened.
//! 2. Nothing that is held starts before what led to it is on record, unless the run is stopped.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::crew::LaneArguments;
use super::lane::Task;
use crate::journal::JournalError;
use crate::run::batch::Batch;
use crate::run::durable::RunJournal;
use crate::run::message::RunMessage;

/// How many commits of one lane may be under way: while one is written the next one is gathered.
const UNDER_WAY: usize = 4;

/// The commits of a lane that are under way, oldest first.
#[derive(Default)]
pub(crate) struct Commits {
    under_way: VecDeque<Commit>,
    /// Whether the lane got something to go on with since it last looked.
    released: bool,
}

/// What waits to be on record.
struct Commit {
    written: Written,
    batch: Batch,
    /// The unit of the journal that says so.
    unit: Option<u64>,
    held: Vec<Task>,
}

/// Whether something is on record.
enum Written {
    Pending(Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send>>),
    Known(Result<(), JournalError>),
}

impl Commits {
    /// Whether the lane got something to go on with since the last call.
    pub(super) fn take_released(&mut self) -> bool {
        std::mem::take(&mut self.released)
    }

    /// Whether the oldest commit has an answer.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Commit { written, .. }) = self.under_way.front_mut() else { return Poll::Pending };
        if let Written::Pending(pending) = written {
            let Poll::Ready(answer) = pending.as_mut().poll(cx) else { return Poll::Pending };
            *written = Written::Known(answer);
        }
        Poll::Ready(())
    }

    /// Begins what has not begun.
    fn poll_all(&mut self, cx: &mut Context<'_>) {
        for commit in &mut self.under_way {
            if let Written::Pending(pending) = &mut commit.written
                && let Poll::Ready(answer) = pending.as_mut().poll(cx)
            {
                commit.written = Written::Known(answer);
            }
        }
    }

    fn take_known(&mut self) -> Option<(Commit, Result<(), JournalError>)> {
        let Written::Known(_) = self.under_way.front()?.written else { return None };
        let mut commit = self.under_way.pop_front()?;
        let known = std::mem::replace(&mut commit.written, Written::Known(Ok(())));
        let Written::Known(answer) = known else { return None };
        Some((commit, answer))
    }
}

impl LaneArguments {
    /// Puts what was done on record; what it led to waits for that.
    pub(super) async fn commit(&mut self, batch: Batch, journal: &Arc<RunJournal>) {
        let unit = journal.append_untold(&batch.entries);
        let held = std::mem::take(&mut self.lane.held);
        let is_due = journal.is_every_state() || journal.is_full();
        let waits = is_due && !batch.entries.is_empty() || !held.is_empty();
        if !waits && self.commits.under_way.is_empty() {
            return self.tell(batch, unit).await;
        }
        let written = match waits {
            true => {
                let journal = journal.clone();
                Written::Pending(Box::pin(async move { journal.flush().await }))
            }
            false => Written::Known(Ok(())),
        };
        self.commits.under_way.push_back(Commit { written, batch, unit, held });
        // Begun now, so that others can share it.
        std::future::poll_fn(|cx| {
            self.commits.poll_all(cx);
            Poll::Ready(())
        })
        .await;
        if self.commits.under_way.len() > UNDER_WAY {
            self.await_first().await;
        }
        self.deliver_committed().await;
    }

    /// Waits for the answer to the oldest commit, or until the run is being stopped: one that failed
    /// never has another.
    async fn await_first(&mut self) {
        let control = self.lane.tools.pool.control.clone();
        let cancelled = control.cancelled();
        tokio::pin!(cancelled);
        std::future::poll_fn(|cx| match self.commits.poll_first(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => cancelled.as_mut().poll(cx),
        })
        .await;
    }

    /// Waits until everything that the lane did is on record and told; says whether it is, and not
    /// the run being stopped.
    pub(super) async fn await_commits(&mut self) -> bool {
        while !self.commits.under_way.is_empty() {
            if self.lane.tools.pool.control.is_cancelled() {
                return false;
            }
            self.await_first().await;
            self.deliver_committed().await;
        }
        true
    }

    /// Tells the run of what is on record, and goes on with what waited for it.
    pub(super) async fn deliver_committed(&mut self) {
        while let Some((commit, answer)) = self.commits.take_known() {
            match answer {
                Ok(()) => self.deliver(commit).await,
                Err(error) => {
                    // Given up with what follows: the run's actor stops the run.
                    let _ = self.crew.run.cast(RunMessage::NotSaved(error));
                    self.commits.under_way.push_front(Commit {
                        written: Written::Pending(Box::pin(std::future::pending())),
                        ..commit
                    });
                    return;
                }
            }
        }
    }

    /// Tells the run of everything: it is being stopped, and nothing of it starts any more.
    pub(super) async fn deliver_all(&mut self) {
        while let Some(commit) = self.commits.under_way.pop_front() {
            self.deliver(commit).await;
        }
    }

    async fn deliver(&mut self, Commit { batch, unit, held, .. }: Commit) {
        self.tell(batch, unit).await;
        self.commits.released |= !held.is_empty();
        self.lane.opened |= held.iter().any(|task| matches!(task, Task::Drawing(_)));
        for task in held {
            match task {
                Task::Handed(handed) => self.hand(*handed),
                task => self.lane.tasks.push(task),
            }
        }
    }
}
