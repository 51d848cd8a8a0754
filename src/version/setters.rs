//! The setters of the terms of a command, for everything that is one when it is awaited.

/// Writes the setters of the `Terms` in a field; whoever has the field says what they do.
macro_rules! term_setters {
    (
        $($terms:ident).+;
        $(#[$by:meta])* by,
        $(#[$request_id:meta])* request_id,
        $(#[$if_revision:meta])* if_revision,
    ) => {
        $(#[$by])*
        pub fn by(mut self, by: impl Into<std::sync::Arc<str>>) -> Self {
            self.$($terms).+.by = Some(by.into());
            self
        }

        /// Says why.
        pub fn reason(mut self, reason: impl Into<std::sync::Arc<str>>) -> Self {
            self.$($terms).+.reason = Some(reason.into());
            self
        }

        $(#[$request_id])*
        pub fn request_id(mut self, id: impl Into<std::sync::Arc<str>>) -> Self {
            self.$($terms).+.request_id = Some(id.into());
            self
        }

        $(#[$if_revision])*
        pub const fn if_revision(mut self, revision: u64) -> Self {
            self.$($terms).+.if_revision = Some(revision);
            self
        }
    };
}

pub(crate) use term_setters;
