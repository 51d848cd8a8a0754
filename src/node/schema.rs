//! Which fields a handler takes or returns, and which types can fit into which.

mod field_type;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

pub use field_type::FieldType;
use shape::Shape;

use crate::value::{Value, to_value};

/// The fields that a handler takes or returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    fields: BTreeMap<String, Field>,
    open: bool,
    /// What the value as a whole is.
    kind: FieldType,
    canonical: Value,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    kind: FieldType,
    required: bool,
}

impl Schema {
    /// Takes any fields and requires none.
    #[must_use]
    pub fn any() -> Self {
        let (fields, kind) = (BTreeMap::new(), FieldType::Any);
        Self { fields, open: true, kind, canonical: Value::Bool(true) }
    }

    /// What is read as `T`; a type that is no object, such as `()`, has no fields.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        Self::generated::<T>(SchemaSettings::default())
    }

    /// What is written as `T`: it differs from [`Schema::of`] where serde's attributes do.
    #[must_use]
    pub fn of_output<T: JsonSchema>() -> Self {
        Self::generated::<T>(SchemaSettings::default().for_serialize())
    }

    /// Exactly these fields, all required.
    #[must_use]
    pub fn fields<N: Into<String>>(fields: impl IntoIterator<Item = (N, FieldType)>) -> Self {
        let fields: BTreeMap<_, _> = fields
            .into_iter()
            .map(|(name, kind)| (name.into(), Field { kind, required: true }))
            .collect();
        let canonical =
            fields.iter().map(|(name, field)| (name.as_str(), field.kind.to_string().into()));
        let canonical = Value::object::<_, Value>(canonical);
        Self { fields, open: false, kind: FieldType::Object, canonical }
    }

    /// The type of a field; `None` if it is not declared.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields.get(name).map(|field| &field.kind)
    }

    /// The fields that must be there, in the order of their names.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_, field)| field.required).map(|(name, _)| name.as_str())
    }

    /// The declared fields, in the order of their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Whether fields that are not declared are fine.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a field may be null.
    #[must_use]
    pub fn allows_null(&self, name: &str) -> bool {
        self.field(name).map_or(self.open, |kind| FieldType::Null.fits(kind))
    }

    /// What it describes, if no value of that has fields and it is not `()` either.
    pub(crate) fn fieldless(&self) -> Option<&FieldType> {
        let has_fields = match &self.kind {
            FieldType::Any | FieldType::Object | FieldType::Null => true,
            FieldType::Union(kinds) => kinds.contains(&FieldType::Object),
            _ => false,
        };
        (!has_fields).then_some(&self.kind)
    }

    /// The same for equal schemas, in every process; without descriptions and titles.
    #[must_use]
    pub fn canonical(&self) -> Value {
        self.canonical.clone()
    }

    fn generated<T: JsonSchema>(settings: SchemaSettings) -> Self {
        // Inlined, the names of nested types do not matter to `canonical`.
        let settings = settings.with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        let Shape { fields, required, open } = Shape::of(&schema);
        let kind = shape::kind_of_root(&schema);
        strip(&mut schema);
        let fields = fields
            .into_iter()
            .map(|(name, kind)| {
                let required = required.contains(&name);
                (name, Field { kind, required })
            })
            .collect();
        let canonical = to_value(&schema).expect("JSON is a value");
        Self { fields, open, kind, canonical }
    }
}

/// Removes what only people read, and the order in which a type declares its fields.
fn strip(schema: &mut Json) {
    let Json::Object(map) = schema else { return };
    for annotation in ["$schema", "title", "description", "examples"] {
        map.remove(annotation);
    }
    for (key, inner) in map.iter_mut() {
        match (key.as_str(), inner) {
            // The keys of these are names that the type chose, not annotations.
            ("properties" | "patternProperties" | "$defs", Json::Object(named)) => {
                named.values_mut().for_each(strip);
            }
            ("enum" | "const" | "default", _) => {}
            ("required", Json::Array(names)) => {
                names.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            (_, Json::Array(schemas)) => schemas.iter_mut().for_each(strip),
            (_, inner) => strip(inner),
        }
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

impl JsonSchema for crate::value::Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        let Json::Object(schema) = json!({ "type": "object", "additionalProperties": true }) else {
            return Map::new().into();
        };
        schema.into()
    }
}
