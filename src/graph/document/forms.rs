//! Parts of a document that can be written in a short and in a long form.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unknown;
use crate::value::Value;

/// An edge to a next node: its identifier, or `{when, to}`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EdgeDocument {
    /// The identifier of the next node.
    pub to: Option<String>,
    /// The condition under which the edge is taken; always, unless given.
    pub when: Option<String>,
    /// Keys that mean nothing.
    pub unknown: Unknown,
}

#[derive(Serialize, Deserialize)]
struct LongEdge {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl From<&str> for EdgeDocument {
    fn from(to: &str) -> Self {
        Self { to: Some(to.to_owned()), ..Self::default() }
    }
}

impl Serialize for EdgeDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self { to: Some(to), when: None, unknown } if unknown.is_empty() => {
                serializer.serialize_str(to)
            }
            Self { to, when, unknown } => {
                let (to, when, unknown) = (to.clone(), when.clone(), unknown.clone());
                LongEdge { to, when, unknown }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for EdgeDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EdgeVisitor;

        impl<'de> Visitor<'de> for EdgeVisitor {
            type Value = EdgeDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the identifier of a node, or `when` and `to`")
            }

            fn visit_str<E: Error>(self, to: &str) -> Result<EdgeDocument, E> {
                Ok(to.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EdgeDocument, A::Error> {
                let LongEdge { to, when, unknown } =
                    LongEdge::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EdgeDocument { to, when, unknown })
            }
        }

        deserializer.deserialize_any(EdgeVisitor)
    }
}

/// How long a node may take: a number is the milliseconds of an attempt.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TimeoutDocument {
    /// How long one attempt may take, in milliseconds.
    pub attempt_ms: Option<Value>,
    /// How long all attempts may take together, in milliseconds.
    pub total_ms: Option<Value>,
    /// Keys that mean nothing.
    pub unknown: Unknown,
}

impl Serialize for TimeoutDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self { attempt_ms: Some(attempt), total_ms: None, unknown } if unknown.is_empty() => {
                attempt.serialize(serializer)
            }
            Self { attempt_ms, total_ms, unknown } => {
                let known = [("attempt_ms", attempt_ms), ("total_ms", total_ms)];
                let known = known.into_iter().filter_map(|(k, v)| Some((k, v.as_ref()?)));
                let unknown = unknown.iter().map(|(key, value)| (key.as_str(), value));
                serializer.collect_map(known.chain(unknown))
            }
        }
    }
}

impl<'de> Deserialize<'de> for TimeoutDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut timeout = Self::default();
        match Value::deserialize(deserializer)? {
            Value::Object(fields) => {
                for (key, value) in fields.iter() {
                    match key.as_str() {
                        _ if value.is_null() => {}
                        "attempt_ms" => timeout.attempt_ms = Some(value.clone()),
                        "total_ms" => timeout.total_ms = Some(value.clone()),
                        other => {
                            timeout.unknown.insert(other.to_owned(), value.clone());
                        }
                    }
                }
            }
            attempt => timeout.attempt_ms = Some(attempt),
        }
        Ok(timeout)
    }
}
