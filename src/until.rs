//! Waits for what somebody else changes and tells of.

use tokio::sync::Notify;

/// Waits until something is so that is changed before `changed` is notified.
pub(crate) async fn until(changed: &Notify, is_so: impl Fn() -> bool) {
    loop {
        let notified = changed.notified();
        tokio::pin!(notified);
        // Registered before it is looked at: a change in between is not missed.
        notified.as_mut().enable();
        if is_so() {
            return;
        }
        notified.await;
    }
}
