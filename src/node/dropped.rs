//! What is dropped where nobody expects a panic: user code, and the values it made.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a user's value; a panic while dropping is lost with the value.
#[inline]
pub(crate) fn drop_guarded<T>(value: T) {
    // Nobody waits for the value any more, so nobody can be told.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        drop_payload(payload);
    }
}

/// Drops what a panic brought, which may panic in turn.
#[cold]
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        // It might go on like this for ever.
        std::mem::forget(payload);
    }
}

/// The code of a handler: dropped with the last version that has it, by whoever lets that go.
pub(super) struct Code<F>(Option<F>);

impl<F> Code<F> {
    pub(super) const fn new(code: F) -> Self {
        Self(Some(code))
    }
}

impl<F> Deref for Code<F> {
    type Target = F;

    #[inline]
    fn deref(&self) -> &F {
        self.0.as_ref().expect("only its end takes the code")
    }
}

impl<F> Drop for Code<F> {
    fn drop(&mut self) {
        drop_guarded(self.0.take());
    }
}
