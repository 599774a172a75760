//! The JSON Schema of the configuration, for editors: written from the same table that the checker walks by.

use serde_json::{Map, Value, json};

use super::keys::{self, Empty, Key, MATCH, Shape, Span, Words};
use super::shape::{LONGEST_NAME, MOST_TABLES};

/// Which dialect of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// 2020-12.
    Current,
    /// Draft 7, which TOML editors built on taplo read.
    Seven,
}

impl Draft {
    const fn address(self) -> &'static str {
        match self {
            Self::Current => "https://json-schema.org/draft/2020-12/schema",
            Self::Seven => "http://json-schema.org/draft-07/schema#",
        }
    }

    /// Where the dialect keeps definitions.
    const fn definitions(self) -> &'static str {
        match self {
            Self::Current => "$defs",
            Self::Seven => "definitions",
        }
    }
}

/// The schema of the whole file.
pub fn schema(draft: Draft) -> Value {
    let mut root = Map::from_iter([("$schema".to_owned(), draft.address().into()), ("title".to_owned(), "session-reaper configuration".into())]);
    if let Value::Object(top) = of(&keys::ROOT, draft) {
        root.extend(top);
    }
    fill_defaults(&mut root);
    root.insert(draft.definitions().to_owned(), json!({ "match": table(MATCH, draft), "matcher": matcher(draft) }));
    root.into()
}

fn reference(draft: Draft, name: &str) -> Value {
    json!({ "$ref": format!("#/{}/{name}", draft.definitions()) })
}

fn of(shape: &Shape, draft: Draft) -> Value {
    match shape {
        Shape::Table(keys) => table(keys, draft),
        Shape::Tables(keys) => json!({ "type": "array", "maxItems": MOST_TABLES, "items": table(keys, draft) }),
        Shape::Match => reference(draft, "match"),
        Shape::Matches => json!({ "type": "array", "minItems": 1, "items": reference(draft, "match") }),
        Shape::Selector => json!({ "anyOf": [{ "const": "all" }, reference(draft, "match")] }),
        Shape::Metadata => json!({ "type": "object", "minProperties": 1, "additionalProperties": reference(draft, "matcher") }),
        Shape::Texts(Empty::Allowed) => json!({ "type": "array", "items": text() }),
        Shape::Texts(Empty::Refused) => json!({ "type": "array", "minItems": 1, "items": text() }),
        Shape::ListOf(words) => json!({ "type": "array", "minItems": 1, "items": word(words) }),
        _ => scalar(shape),
    }
}

fn scalar(shape: &Shape) -> Value {
    match shape {
        Shape::Name => json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": LONGEST_NAME }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Duration(span) => duration(span),
        Shape::Rate => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1000 }),
        Shape::Count => json!({ "type": "integer", "minimum": 1 }),
        Shape::Fraction => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        Shape::Price => json!({ "type": "number", "minimum": 0 }),
        Shape::Hours => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000 }),
        Shape::Per => json!({ "type": "string", "pattern": "^(provider|kind|region|keep_alive|metadata\\..+)$" }),
        Shape::Days => json!({ "type": "string", "minLength": 3, "examples": ["Mon-Fri", "Sat,Sun", "Mon-Sun"] }),
        Shape::Clock => json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" }),
        Shape::ClockOrEnd => json!({ "type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" }),
        Shape::Zone => json!({ "type": "string", "minLength": 1, "examples": ["UTC", "Europe/London", "America/New_York"] }),
        Shape::Currency => json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
        Shape::Word(words) => word(words),
        Shape::Variable => json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }),
        Shape::Url => json!({ "type": "string", "format": "uri" }),
        _ => text(),
    }
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn word(words: &Words) -> Value {
    json!({ "enum": words.known })
}

fn duration(span: &Span) -> Value {
    let examples = match span {
        Span::OrOff => json!(["90s", "20m", "0s"]),
        _ => json!(["90s", "20m", "2h 30m"]),
    };
    json!({ "type": "string", "minLength": 1, "examples": examples })
}

fn table(keys: &[Key], draft: Draft) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), described(key, draft))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

fn described(key: &Key, draft: Draft) -> Value {
    let mut schema = of(&key.shape, draft);
    match (&mut schema, draft) {
        // Draft 7 ignores whatever stands beside a reference.
        (Value::Object(keys), Draft::Seven) if keys.contains_key("$ref") => json!({ "description": key.about, "allOf": [schema] }),
        (Value::Object(keys), _) => {
            keys.insert("description".to_owned(), key.about.into());
            keys.extend(key.usual.map(|usual| ("default".to_owned(), usual.into())));
            schema
        }
        _ => schema,
    }
}

fn matcher(draft: Draft) -> Value {
    let one = |key: &str, value: Value| json!({ "type": "object", "additionalProperties": false, "required": [key], "properties": { key: value } });
    let this = reference(draft, "matcher");
    json!({ "anyOf": [
        { "type": ["string", "number", "boolean"] },
        { "type": "array", "minItems": 1, "items": this },
        one("exists", json!({ "type": "boolean" })),
        one("glob", json!({ "type": "string" })),
        one("regex", json!({ "type": "string", "format": "regex" })),
        one("not", this.clone()),
    ] })
}

/// Writes the built-in defaults into the schema, where editors show them.
fn fill_defaults(root: &mut Map<String, Value>) {
    if let Ok(defaults) = toml::from_str::<Map<String, Value>>(super::DEFAULTS) {
        fill(root, &defaults);
    }
}

fn fill(schema: &mut Map<String, Value>, defaults: &Map<String, Value>) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (key, value) in defaults {
        match (properties.get_mut(key).and_then(Value::as_object_mut), value) {
            (Some(inner), Value::Object(table)) => fill(inner, table),
            (Some(inner), value) => _ = inner.insert("default".to_owned(), value.clone()),
            (None, _) => {}
        }
    }
}
