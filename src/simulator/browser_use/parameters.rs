//! What a request asks for beside its address, held to what the documentation allows.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::wire::invalid;

/// A query's parameters, in order.
pub(super) struct Parameters<'a>(pub(super) &'a [(String, String)]);

impl<'a> Parameters<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a str> + 'b {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A whole number from 1 on.
    pub(super) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.parse() {
            Ok(count) if (1..=most).contains(&count) => Ok(count),
            _ => Err(Refusal(422, invalid(&["query", name], &format!("Input should be a whole number from 1 to {most}")))),
        }
    }

    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Refusal> {
        match self.text(name) {
            Some(text) if !words.contains(&text) => {
                Err(Refusal(422, invalid(&["query", name], &format!("Input should be one of {}", words.join(", ")))))
            }
            text => Ok(text),
        }
    }
}

/// One page of rows, and how many there are.
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    pub(super) total: usize,
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    pub(super) fn of(rows: Vec<Value>, number: usize, size: usize) -> Self {
        let total = rows.len();
        Self { rows: rows.into_iter().skip((number - 1).saturating_mul(size)).take(size).collect(), total, number, size }
    }

    /// By `pageSize` and `pageNumber`.
    pub(super) fn camel(rows: Vec<Value>, query: &Parameters<'_>) -> Result<Value, Refusal> {
        let page = Self::of(rows, query.count("pageNumber", 1, usize::MAX)?, query.count("pageSize", 10, 100)?);
        Ok(json!({ "items": page.rows, "totalItems": page.total, "pageNumber": page.number, "pageSize": page.size }))
    }

    /// By `page` and `page_size`.
    pub(super) fn snake(rows: Vec<Value>, query: &Parameters<'_>) -> Result<Value, Refusal> {
        let page = Self::of(rows, query.count("page", 1, usize::MAX)?, query.count("page_size", 20, 100)?);
        Ok(json!({ "sessions": page.rows, "total": page.total, "page": page.number, "pageSize": page.size }))
    }

    /// By `limit` and `cursor`, which is the place of the last row before; `rows` in descending order of their places.
    pub(super) fn keyset(name: &str, rows: Vec<(String, Value)>, query: &Parameters<'_>, default: usize) -> Result<Value, Refusal> {
        let limit = query.count("limit", default, 100)?;
        let behind = |place: &String| query.text("cursor").is_none_or(|cursor| place.as_str() < cursor);
        let mut left = rows.into_iter().filter(|(place, _)| behind(place));
        let page: Vec<(String, Value)> = left.by_ref().take(limit).collect();
        let next = page.last().filter(|_| left.next().is_some()).map(|(place, _)| place.clone());
        let rows: Vec<Value> = page.into_iter().map(|(_, row)| row).collect();
        Ok(json!({ name: rows, "hasMore": next.is_some(), "nextCursor": next }))
    }
}

/// The body of a request that must be an object; an empty one is one.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(Value::Null) => Ok(Map::new()),
        _ => Err(Refusal(422, invalid(&["body"], "Input should be an object"))),
    }
}

/// A key of a body, where it is there and not null.
pub(super) fn field<'a, T>(body: &'a Map<String, Value>, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| Refusal(422, invalid(&["body", name], "Input has another type"))),
    }
}

/// A browser's labels: at most ten, and texts.
pub(super) fn labels(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let labels = field(body, "metadata", Value::as_object)?;
    let fits = |labels: &&Map<String, Value>| labels.len() <= 10 && labels.values().all(Value::is_string);
    match labels {
        Some(labels) if !fits(&labels) => Err(Refusal(422, invalid(&["body", "metadata"], "Input should be at most 10 pairs of texts"))),
        labels => Ok(labels.cloned().map(Value::Object)),
    }
}

/// A key of a body that must be one of these words.
pub(super) fn demand(body: &Map<String, Value>, name: &str, words: &[&str]) -> Result<String, Refusal> {
    match field(body, name, Value::as_str)? {
        Some(word) if words.contains(&word) => Ok(word.to_owned()),
        _ => Err(Refusal(422, invalid(&["body", name], &format!("Input should be one of {}", words.join(", "))))),
    }
}
