//! Events of one session: those of the runs of its inputs and its own, until it is finished.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::Event;
use super::bus::{CAPACITY, EventStream};

/// Events of one session.
#[derive(Debug, Default)]
pub(crate) struct SessionBus {
    ring: Mutex<Ring>,
}

/// Where its subscribers listen.
#[derive(Debug, Default)]
enum Ring {
    /// Nobody has subscribed yet.
    #[default]
    Unheard,
    Open(broadcast::Sender<Arc<Event>>),
    /// The session is finished: streams end.
    Closed,
}

impl SessionBus {
    pub(crate) fn subscribe(&self) -> EventStream {
        let mut ring = self.ring.lock();
        let receiver = match &*ring {
            Ring::Open(sender) => sender.subscribe(),
            // Its sender is gone with this block: the stream ends at once.
            Ring::Closed => broadcast::Sender::new(1).subscribe(),
            Ring::Unheard => {
                let sender = broadcast::Sender::new(CAPACITY);
                let receiver = sender.subscribe();
                *ring = Ring::Open(sender);
                receiver
            }
        };
        EventStream::of(receiver)
    }

    /// Whether anybody would see an event.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(&*self.ring.lock(), Ring::Open(sender) if sender.receiver_count() > 0)
    }

    pub(super) fn send(&self, event: &Arc<Event>) {
        if let Ring::Open(sender) = &*self.ring.lock() {
            // Without subscribers there is nobody to miss it.
            let _ = sender.send(event.clone());
        }
    }

    /// Whether the session is finished, as far as anybody has asked.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(&*self.ring.lock(), Ring::Closed)
    }

    /// Ends its streams when what was sent has been read.
    pub(crate) fn close(&self) {
        *self.ring.lock() = Ring::Closed;
    }
}
