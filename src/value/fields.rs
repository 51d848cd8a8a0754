//! The fields of an object: a shared slice, sorted by name.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::Map;
use std::ops::Index;
use std::slice;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::Value;

/// Names of fields that were used in a graph; they stay for as long as the process.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// How many names stay; those beyond are counted like any text.
const MAX_NAMES: usize = 65_536;

/// The name of a field; names that are part of a program's text are not copied.
#[derive(Clone)]
pub struct Key(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Key {
    /// A name that is part of the program's text.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Name::Static(name))
    }

    /// A name that graphs use again and again: clones of it share no count.
    pub(crate) fn interned(name: &str) -> Self {
        let mut names = NAMES.lock();
        if let Some(known) = names.get(name) {
            return Self::from_static(known);
        }
        if names.len() >= MAX_NAMES {
            return name.into();
        }
        let name: &'static str = Box::leak(name.into());
        names.insert(name);
        Self::from_static(name)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self(Name::Shared(name.into()))
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self(Name::Shared(name.into()))
    }
}

impl From<Arc<str>> for Key {
    fn from(name: Arc<str>) -> Self {
        Self(Name::Shared(name))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The fields of an object, sorted by name; cloning them counts a reference.
///
/// ```
/// use hotgraph::{Document, Handler, NodeSpec, Runtime, Value};
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Number { n: u64 }
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let double = |number: Number| async move { Ok(Number { n: number.n * 2 }) };
/// let runtime = Runtime::builder().handler(Handler::one("double", double)).build().await?;
/// let graph = Document::builder("numbers").node(NodeSpec::new("double").input("n", 21));
/// runtime.publish_and_promote(graph.build()).await?;
///
/// let outcome = runtime.start("numbers", Value::Null).await?.outcome().await;
/// let expected = Value::object([("n", 42)]);
/// assert_eq!(outcome.outputs["double"], expected);
/// assert_eq!(outcome.outputs.get("halve"), None);
/// for (name, value) in &outcome.outputs {
///     assert_eq!((name.as_str(), value), ("double", &expected));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Fields(
    /// `None` if there are none: an empty object allocates nothing and counts nothing.
    Option<Arc<[(Key, Value)]>>,
);

impl Fields {
    fn pairs(&self) -> &[(Key, Value)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let pairs = self.pairs();
        let place = pairs.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        Some(&pairs[place].1)
    }

    /// The fields in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.pairs().iter().map(|(key, value)| (key, value))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = (&'a Key, &'a Value);
    type IntoIter = Map<slice::Iter<'a, (Key, Value)>, fn(&'a (Key, Value)) -> Self::Item>;

    /// The fields in the order of their names.
    fn into_iter(self) -> Self::IntoIter {
        self.pairs().iter().map(|(key, value)| (key, value))
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Index<&str> for Fields {
    type Output = Value;

    /// The value of a field.
    ///
    /// # Panics
    ///
    /// If there is no such field.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("there is no field `{name}`"))
    }
}

/// Fields that are being gathered; most objects have few, which are gathered in place.
pub(super) type Pairs = SmallVec<[(Key, Value); 2]>;

impl From<Pairs> for Fields {
    /// A later pair replaces an earlier one of the same name.
    #[inline]
    fn from(mut pairs: Pairs) -> Self {
        if pairs.len() == 1 {
            return Self(pairs.pop().map(|pair| Arc::new([pair]) as _));
        }
        Self::of_several(pairs)
    }
}

impl Fields {
    fn of_several(mut pairs: Pairs) -> Self {
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            // Reversed and stably sorted, the first of equal names is the last that was given.
            pairs.reverse();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs.dedup_by(|later, kept| later.0 == kept.0);
        }
        Self((!pairs.is_empty()).then(|| shared(pairs)))
    }
}

/// The pairs behind one count, with one allocation where there are few.
fn shared(pairs: Pairs) -> Arc<[(Key, Value)]> {
    let (count, mut pairs) = (pairs.len(), pairs.into_iter());
    let mut next = || pairs.next().expect("as many as were counted");
    match count {
        1 => Arc::new([next()]),
        2 => Arc::new([next(), next()]),
        3 => Arc::new([next(), next(), next()]),
        4 => Arc::new([next(), next(), next(), next()]),
        _ => pairs.collect::<Vec<_>>().into(),
    }
}

impl FromIterator<(Key, Value)> for Fields {
    /// A later pair replaces an earlier one of the same name.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(pairs: I) -> Self {
        pairs.into_iter().collect::<Pairs>().into()
    }
}
