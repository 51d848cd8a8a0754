//! Splits a string into literals and placeholders.

use std::fmt;
use std::sync::Arc;

pub(super) const OPEN: &str = "${{";
pub(super) const CLOSE: &str = "}}";

/// Longer placeholders are cut in errors.
const PLACEHOLDER_LENGTH: usize = 64;

/// A piece of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Text that stays as it is.
    Literal(Arc<str>),
    /// What a node returned, or the field of it at a path such as `a.b.0`.
    Node {
        /// The node's identifier.
        node: String,
        /// The path; everything the node returned unless given.
        field: Option<String>,
    },
    /// What the store holds under a key.
    Store {
        /// The key.
        key: String,
    },
}

impl Part {
    /// What is read; `None` for a literal.
    #[must_use]
    pub fn reference(&self) -> Option<Reference<'_>> {
        match self {
            Self::Literal(_) => None,
            Self::Node { node, field } => Some(Reference::Node { node, field: field.as_deref() }),
            Self::Store { key } => Some(Reference::Store { key }),
        }
    }
}

/// What a placeholder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reference<'a> {
    /// What a node returned.
    Node {
        /// The node's identifier.
        node: &'a str,
        /// The path; everything the node returned unless given.
        field: Option<&'a str>,
    },
    /// What the store holds under a key.
    Store {
        /// The key.
        key: &'a str,
    },
}

impl<'a> Reference<'a> {
    /// The identifier of the node that is read, if it is one.
    pub(crate) const fn node(self) -> Option<&'a str> {
        match self {
            Self::Node { node, .. } => Some(node),
            Self::Store { .. } => None,
        }
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, field: Some(field) } => write!(f, "{node}.outputs.{field}"),
            Self::Node { node, field: None } => write!(f, "{node}.outputs"),
            Self::Store { key } => write!(f, "store.{key}"),
        }
    }
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpressionErrorKind {
    /// A `${{` without its `}}`.
    Unclosed,
    /// Neither `node.outputs`, `node.outputs.field` nor `store.key`.
    BadPlaceholder,
    /// The value is nested deeper than 64 levels.
    TooDeep,
}

impl ExpressionErrorKind {
    /// The kind in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unclosed => "unclosed",
            Self::BadPlaceholder => "bad_placeholder",
            Self::TooDeep => "too_deep",
        }
    }
}

/// Why a value is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpressionError {
    /// What is wrong.
    pub kind: ExpressionErrorKind,
    /// Where the placeholder begins in its string, in bytes.
    pub position: usize,
    /// Which string it is, as a path inside the value; empty for the value itself.
    pub path: String,
    /// The malformed placeholder as it is written, cut if it is long; empty for other kinds.
    pub placeholder: String,
}

impl ExpressionError {
    pub(super) const fn new(kind: ExpressionErrorKind, position: usize) -> Self {
        Self { kind, position, path: String::new(), placeholder: String::new() }
    }

    fn malformed(placeholder: &str, position: usize) -> Self {
        let mut error = Self::new(ExpressionErrorKind::BadPlaceholder, position);
        let mut chars = placeholder.chars();
        error.placeholder = chars.by_ref().take(PLACEHOLDER_LENGTH).collect();
        if chars.next().is_some() {
            error.placeholder.push_str("...");
        }
        error
    }

    pub(super) fn inside(mut self, step: impl fmt::Display) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position;
        match self.kind {
            ExpressionErrorKind::Unclosed => write!(f, "`${{{{` at byte {position} is not closed")?,
            ExpressionErrorKind::BadPlaceholder => {
                let placeholder = &self.placeholder;
                write!(f, "`{placeholder}` at byte {position}")?;
                f.write_str(" is neither `node.outputs`, `node.outputs.field` nor `store.key`")?;
            }
            ExpressionErrorKind::TooDeep => f.write_str("nested too deep")?,
        }
        if !self.path.is_empty() {
            write!(f, ", in `{}`", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExpressionError {}

/// Splits a string: literals and placeholders in turn, a literal first and last.
///
/// # Errors
///
/// If a placeholder is not closed or malformed.
pub fn parse_text(text: &str) -> Result<Vec<Part>, ExpressionError> {
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(found) = text[start..].find(OPEN) {
        let open = start + found;
        let inner = open + OPEN.len();
        let Some(length) = text[inner..].find(CLOSE) else {
            return Err(ExpressionError::new(ExpressionErrorKind::Unclosed, open));
        };
        // One that begins inside another shows that the other was never closed.
        if text[inner..inner + length].contains(OPEN) {
            return Err(ExpressionError::new(ExpressionErrorKind::Unclosed, open));
        }
        let end = inner + length + CLOSE.len();
        let Some(part) = parse_placeholder(&text[inner..inner + length]) else {
            return Err(ExpressionError::malformed(&text[open..end], open));
        };
        parts.push(Part::Literal(text[start..open].into()));
        parts.push(part);
        start = end;
    }
    parts.push(Part::Literal(text[start..].into()));
    Ok(parts)
}

/// Reads what stands between the braces; white space around its dots means nothing.
pub(in crate::graph) fn parse_placeholder(inner: &str) -> Option<Part> {
    let mut steps = inner.split('.').map(str::trim);
    let (node, second) = (steps.next()?, steps.next()?);
    let path: Vec<_> = steps.collect();
    if node == "store" {
        return path.is_empty().then(|| Part::Store { key: second.to_owned() });
    }
    let is_read = second == "outputs" && path.iter().all(|step| !step.is_empty());
    let field = (!path.is_empty()).then(|| path.join("."));
    is_read.then(|| Part::Node { node: node.to_owned(), field })
}
