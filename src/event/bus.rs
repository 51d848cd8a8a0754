//! How events reach subscribers: one bounded ring per run, one for the versions of a runtime, one for
//! all of it, and one for the records of its audit log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use super::session::SessionBus;
use super::{Event, EventKind};
use crate::clock::Timestamp;
use crate::id::{GraphName, RunId, VersionNumber};
use crate::version::AuditRecord;

/// How many events a subscriber may be behind before it loses the oldest.
///
/// An event is about 150 bytes: a ring of this size is a few hundred kilobytes.
pub(super) const CAPACITY: usize = 4096;

/// Events of a runtime: those of every run, and those of versions and rollouts.
#[derive(Debug, Default)]
pub(crate) struct RuntimeBus {
    sequence: AtomicU64,
    /// Those of versions and rollouts alone: who watches them costs runs nothing, and loses none of
    /// them to runs.
    versions: OnceLock<broadcast::Sender<Arc<Event>>>,
    ring: OnceLock<broadcast::Sender<Arc<Event>>>,
    audit: OnceLock<broadcast::Sender<Arc<AuditRecord>>>,
}

impl RuntimeBus {
    pub(crate) fn subscribe(&self) -> EventStream {
        subscribe(&self.ring)
    }

    pub(crate) fn subscribe_to_versions(&self) -> EventStream {
        subscribe(&self.versions)
    }

    pub(crate) fn subscribe_to_audit(&self) -> EventStream<AuditRecord> {
        subscribe(&self.audit)
    }

    /// Tells of a command that was put on record.
    pub(crate) fn tell_record(&self, record: &Arc<AuditRecord>) {
        if let Some(ring) = self.audit.get() {
            // Without subscribers there is nobody to miss it.
            let _ = ring.send(record.clone());
        }
    }

    /// Whether anybody would see an event of a version or a rollout.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        is_watched(&self.ring) || is_watched(&self.versions)
    }

    /// Sends something that happened outside of runs.
    pub(crate) fn send(
        &self,
        at: Timestamp,
        graph: GraphName,
        version: Option<VersionNumber>,
        kind: EventKind,
    ) {
        let event = self.next(at, graph, version, kind);
        publish(&event, [&self.ring, &self.versions]);
    }

    /// Sends something that happened to a session, outside of its runs.
    pub(crate) fn send_of_session(
        &self,
        at: Timestamp,
        (graph, version): (GraphName, VersionNumber),
        kind: EventKind,
        session: &SessionBus,
    ) {
        let event = self.next(at, graph, Some(version), kind);
        publish(&event, [&self.ring]);
        session.send(&event);
    }

    /// The next event of those outside of runs.
    fn next(
        &self,
        at: Timestamp,
        graph: GraphName,
        version: Option<VersionNumber>,
        kind: EventKind,
    ) -> Arc<Event> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        Arc::new(Event { sequence, at, run: None, graph, version, kind })
    }
}

/// Where the events of one run go.
pub(crate) struct RunBus {
    sequence: AtomicU64,
    ring: OnceLock<broadcast::Sender<Arc<Event>>>,
    runtime: Arc<RuntimeBus>,
    /// The session whose input the run carries out.
    session: Option<Arc<SessionBus>>,
}

/// What an event of a run says besides what happened.
pub(crate) struct RunEvent<'a> {
    pub at: Timestamp,
    pub run: RunId,
    pub graph: &'a GraphName,
    pub version: VersionNumber,
}

impl RunBus {
    pub(crate) const fn new(runtime: Arc<RuntimeBus>, session: Option<Arc<SessionBus>>) -> Self {
        Self { sequence: AtomicU64::new(0), ring: OnceLock::new(), runtime, session }
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        subscribe(&self.ring)
    }

    /// Whether anybody would see an event: asked several times for each state.
    #[inline(always)]
    pub(crate) fn is_watched(&self) -> bool {
        is_watched(&self.ring)
            || is_watched(&self.runtime.ring)
            || self.session.as_deref().is_some_and(SessionBus::is_watched)
    }

    pub(crate) fn send(&self, event: RunEvent<'_>, kind: EventKind) {
        let RunEvent { at, run, graph, version } = event;
        let event = Arc::new(Event {
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            at,
            run: Some(run),
            graph: graph.clone(),
            version: Some(version),
            kind,
        });
        publish(&event, [&self.ring, &self.runtime.ring]);
        if let Some(session) = &self.session {
            session.send(&event);
        }
    }
}

fn publish<const N: usize>(
    event: &Arc<Event>,
    rings: [&OnceLock<broadcast::Sender<Arc<Event>>>; N],
) {
    for ring in rings.into_iter().filter_map(OnceLock::get) {
        // Without subscribers there is nobody to miss it.
        let _ = ring.send(event.clone());
    }
}

fn subscribe<T>(ring: &OnceLock<broadcast::Sender<Arc<T>>>) -> EventStream<T> {
    let ring = ring.get_or_init(|| broadcast::Sender::new(CAPACITY));
    EventStream { receiver: ring.subscribe() }
}

#[inline]
fn is_watched(ring: &OnceLock<broadcast::Sender<Arc<Event>>>) -> bool {
    ring.get().is_some_and(has_receivers)
}

/// Out of the way of runs that nobody ever watched.
#[cold]
fn has_receivers(ring: &broadcast::Sender<Arc<Event>>) -> bool {
    ring.receiver_count() > 0
}

/// The subscriber was too slow and lost this many events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lost {0} events by reading too slowly")]
pub struct Lagged(pub u64);

/// A subscription: events, or records of the audit log, from the moment it was made.
#[derive(Debug)]
#[must_use = "events are lost while nobody reads them"]
pub struct EventStream<T = Event> {
    receiver: broadcast::Receiver<Arc<T>>,
}

impl<T> EventStream<T> {
    pub(super) const fn of(receiver: broadcast::Receiver<Arc<T>>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; `None` when no more can come.
    ///
    /// A run that is still known can be retried by hand, so its stream stays open after
    /// [`RunEnded`](super::EventKind::RunEnded): stop there.
    ///
    /// # Errors
    ///
    /// [`Lagged`] if events were lost; the next call goes on with the oldest that is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event is taken only when it is returned.
    pub async fn next(&mut self) -> Option<Result<Arc<T>, Lagged>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Err(Lagged(count))),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event, if there is one already.
    ///
    /// # Errors
    ///
    /// [`Lagged`] if events were lost.
    pub fn try_next(&mut self) -> Option<Result<Arc<T>, Lagged>> {
        match self.receiver.try_recv() {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Some(Err(Lagged(count))),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                None
            }
        }
    }
}
