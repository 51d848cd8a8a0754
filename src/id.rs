//! Small copyable identities: which graph, version, run, state, node.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The namespace a name lives in when none is given.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The name of a graph: a namespace and a name, written `namespace/name`.
///
/// Text without a slash names a graph in the `default` namespace.
#[derive(Clone, PartialEq, Eq)]
pub struct GraphName {
    /// `None` for the default one.
    namespace: Option<Arc<str>>,
    name: Arc<str>,
}

impl GraphName {
    /// Names a graph in a namespace; both are trimmed.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        let namespace = Some(namespace.trim()).filter(|namespace| *namespace != DEFAULT_NAMESPACE);
        Self { namespace: namespace.map(Into::into), name: name.trim().into() }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The name inside its namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<&str> for GraphName {
    fn from(text: &str) -> Self {
        match text.split_once('/') {
            Some((namespace, name)) => Self::new(namespace, name),
            None => Self::new(DEFAULT_NAMESPACE, text),
        }
    }
}

impl From<String> for GraphName {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&GraphName> for GraphName {
    fn from(name: &GraphName) -> Self {
        name.clone()
    }
}

impl Hash for GraphName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // One word that is a hash: hashers of maps take text in small steps.
        let namespace = self.namespace.as_ref().map_or(0, |name| xxh3_64(name.as_bytes()));
        state.write_u64(xxh3_64_with_seed(self.name.as_bytes(), namespace));
    }
}

impl Ord for GraphName {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.namespace(), self.name()).cmp(&(other.namespace(), other.name()))
    }
}

impl PartialOrd for GraphName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for GraphName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace(), self.name)
    }
}

impl fmt::Debug for GraphName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for GraphName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GraphName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// The number of a version inside its graph: from 1, strictly increasing, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNumber(pub u64);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Debug for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<u64> for VersionNumber {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// The label that every graph has, and that a start follows unless it names another.
pub const DEFAULT_LABEL: &str = "default";

/// The name of a label: a route of a graph that leads to one of its versions.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelName {
    /// `None` is the default label: a start that follows it copies no text.
    name: Option<Arc<str>>,
}

impl LabelName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.name.as_deref().unwrap_or(DEFAULT_LABEL)
    }

    /// Whether it is the label that every graph has.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.name.is_none()
    }
}

impl From<&str> for LabelName {
    /// Trims the text.
    fn from(text: &str) -> Self {
        let text = text.trim();
        Self { name: (text != DEFAULT_LABEL).then(|| text.into()) }
    }
}

impl From<String> for LabelName {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&LabelName> for LabelName {
    fn from(name: &LabelName) -> Self {
        name.clone()
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for LabelName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The identity of a run: 128 bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u128);

/// Hashes identities that are drawn at random or are a hash already: their own bits will do.
#[derive(Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of the bits are enough")]
    fn write_u128(&mut self, id: u128) {
        self.0 = id as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The identity of a state inside its run: one attempt or one output of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateId(pub u64);

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Debug for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place of a node in a plan, in topological order from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// The index as an offset into a plan's tables.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}
