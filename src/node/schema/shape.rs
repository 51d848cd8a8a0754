//! Reads the fields of an object out of a JSON schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::FieldType;

/// How deep alternatives, flattened structs and arrays are followed; a recursive type ends here.
const DEPTH: usize = 8;

static ANYTHING: Json = Json::Bool(true);

/// The fields of an object type.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) fields: BTreeMap<String, FieldType>,
    pub(super) required: BTreeSet<String>,
    pub(super) open: bool,
}

impl Shape {
    /// The fields that the root of a schema describes.
    pub(super) fn of(root: &Json) -> Self {
        Reader { root }.shape(root, DEPTH)
    }

    fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// What both describe, as with a flattened struct.
    fn and(mut self, other: Self) -> Self {
        for (name, kind) in other.fields {
            self.add(name, kind);
        }
        self.required.extend(other.required);
        self.open |= other.open;
        self
    }

    /// What one of the two describes, as with the variants of an enum.
    fn or(mut self, other: Self) -> Self {
        for (name, kind) in other.fields {
            self.add(name, kind);
        }
        self.required.retain(|name| other.required.contains(name));
        self.open |= other.open;
        self
    }

    fn add(&mut self, name: String, kind: FieldType) {
        let kind = match self.fields.remove(&name) {
            Some(known) => FieldType::union([known, kind]),
            None => kind,
        };
        self.fields.insert(name, kind);
    }
}

/// What the root of a schema describes as a whole.
pub(super) fn kind_of_root(root: &Json) -> FieldType {
    Reader { root }.kind(root, DEPTH)
}

struct Reader<'a> {
    root: &'a Json,
}

impl<'a> Reader<'a> {
    fn shape(&self, schema: &'a Json, depth: usize) -> Shape {
        let Json::Object(map) = self.resolve(schema) else { return Shape::open() };
        let Some(depth) = depth.checked_sub(1) else { return Shape::open() };
        if map.keys().all(|key| ["$schema", "title", "description", "$defs"].contains(&&**key)) {
            return Shape::open();
        }
        let mut shape = self.own(map, depth);
        for key in ["oneOf", "anyOf"] {
            let variants = list(map, key).map(|variant| self.shape(variant, depth));
            if let Some(variants) = variants.reduce(Shape::or) {
                shape = shape.and(variants);
            }
        }
        list(map, "allOf").fold(shape, |shape, part| shape.and(self.shape(part, depth)))
    }

    fn own(&self, map: &'a Map<String, Json>, depth: usize) -> Shape {
        let mut shape = Shape::default();
        if let Some(Json::Object(properties)) = map.get("properties") {
            let types = properties.iter();
            shape.fields = types.map(|(name, s)| (name.clone(), self.kind(s, depth))).collect();
        }
        shape.required = list(map, "required").filter_map(Json::as_str).map(Into::into).collect();
        shape.open = map.get("additionalProperties").is_some_and(|more| *more != Json::Bool(false))
            || map.contains_key("patternProperties");
        shape
    }

    fn kind(&self, schema: &'a Json, depth: usize) -> FieldType {
        let Json::Object(map) = self.resolve(schema) else { return FieldType::Any };
        let Some(depth) = depth.checked_sub(1) else { return FieldType::Any };
        if let Some(constant) = map.get("const") {
            return kind_of(constant);
        }
        for key in ["anyOf", "oneOf"] {
            if map.contains_key(key) {
                return FieldType::union(list(map, key).map(|s| self.kind(s, depth)));
            }
        }
        match (map.get("type"), map.get("enum"), map.get("allOf")) {
            (Some(Json::String(name)), ..) => self.named(name, map, depth),
            (Some(Json::Array(names)), ..) => {
                let names = names.iter().filter_map(Json::as_str);
                FieldType::union(names.map(|name| self.named(name, map, depth)))
            }
            (_, Some(Json::Array(values)), _) => FieldType::union(values.iter().map(kind_of)),
            (_, _, Some(Json::Array(parts))) if parts.len() == 1 => self.kind(&parts[0], depth),
            _ => FieldType::Any,
        }
    }

    fn named(&self, name: &str, map: &'a Map<String, Json>, depth: usize) -> FieldType {
        match name {
            "null" => FieldType::Null,
            "boolean" => FieldType::Bool,
            "integer" => FieldType::Integer,
            "number" => FieldType::Number,
            "string" => FieldType::String,
            "object" => FieldType::Object,
            "array" => match map.get("items") {
                Some(items) => FieldType::array(self.kind(items, depth)),
                None => FieldType::array(FieldType::Any),
            },
            _ => FieldType::Any,
        }
    }

    /// Follows references inside the document, a few at most.
    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        for _ in 0..DEPTH {
            let Some(target) = schema.get("$ref").and_then(Json::as_str) else { return schema };
            let found = target.strip_prefix('#').and_then(|path| self.root.pointer(path));
            schema = found.unwrap_or(&ANYTHING);
        }
        &ANYTHING
    }
}

fn list<'a>(map: &'a Map<String, Json>, key: &str) -> impl Iterator<Item = &'a Json> {
    map.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn kind_of(value: &Json) -> FieldType {
    match value {
        Json::Null => FieldType::Null,
        Json::Bool(_) => FieldType::Bool,
        Json::Number(number) if number.is_f64() => FieldType::Number,
        Json::Number(_) => FieldType::Integer,
        Json::String(_) => FieldType::String,
        Json::Array(_) => FieldType::array(FieldType::Any),
        Json::Object(_) => FieldType::Object,
    }
}
