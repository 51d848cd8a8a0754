//! Documents from and to text.

use super::Document;

/// The longest text that is read as a document.
///
/// Ten thousand nodes of a kilobyte fit; parsing more takes seconds, and its sender waits.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The text is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("a document of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The length of the text.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// The text is not JSON or YAML, or a value does not have the shape that its place needs.
    #[error("line {line}, column {column}: {message}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What was expected and what was found.
        message: String,
    },
}

impl Document {
    /// Reads JSON text.
    ///
    /// # Errors
    ///
    /// If the text is too long, is not JSON, or does not have the shape of a document.
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        check_length(text)?;
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            DocumentError::Malformed {
                line: error.line() as u64,
                column: error.column() as u64,
                message: message.strip_suffix(&place).unwrap_or(&message).to_owned(),
            }
        })
    }

    /// Reads YAML text.
    ///
    /// # Errors
    ///
    /// If the text is too long, is not YAML, or does not have the shape of a document.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, DocumentError> {
        check_length(text)?;
        // A snippet of the text in an error could show a secret.
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location();
            DocumentError::Malformed {
                line: place.map_or(0, |place| place.line()),
                column: place.map_or(0, |place| place.column()),
                message: error.to_string(),
            }
        })
    }

    /// Writes JSON text, secrets included.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a document has string keys and finite numbers")
    }
}

const fn check_length(text: &str) -> Result<(), DocumentError> {
    let bytes = text.len();
    match bytes <= MAX_DOCUMENT_BYTES {
        true => Ok(()),
        false => Err(DocumentError::TooLarge { bytes, limit: MAX_DOCUMENT_BYTES }),
    }
}
