//! The values of tags as texts by which sessions are told apart.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::domain::session::scalar_text;

/// By text; of the same books, in the same order every time.
pub(super) type ByText<T> = HashMap<Box<str>, T, BuildHasherDefault<DefaultHasher>>;

/// Characters of a text that are kept: a million sessions may each have one of their own.
pub(super) const KEPT_CHARS: usize = 200;

/// A tag's value as text; nothing where there is none.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    let text = if value.is_null() { return None } else { scalar_text(value).unwrap_or_else(|| value.to_string().into()) };
    Some(if is_short(&text) { text } else { Cow::Owned(cut(&text).into_owned()) })
}

/// A long text is its beginning, and what tells it from others that begin alike.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(KEPT_CHARS) {
        Some((end, _)) if !is_short(text) => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            format!("{}… {:016x}", text.get(..end).unwrap_or_default(), hasher.finish()).into()
        }
        _ => text.into(),
    }
}

/// Looked at without counting characters.
const fn is_short(text: &str) -> bool {
    text.len() <= KEPT_CHARS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_told_by_its_text_and_nothing_is_no_value() {
        for (value, expected) in [(json!("5"), Some("5")), (json!(5), Some("5")), (json!([1, 2]), Some("[1,2]")), (json!(null), None)] {
            assert_eq!(text(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn long_texts_that_begin_alike_are_told_apart_and_are_not_long_any_more() {
        let long = |end: &str| json!(format!("{}{end}", "é".repeat(5_000)));
        let (x, y) = (long("x"), long("y"));
        assert_ne!(text(&x), text(&y));
        assert_eq!(text(&x).map(|text| text.chars().count()), Some(KEPT_CHARS + 2 + 16));
        let fits = json!("é".repeat(KEPT_CHARS));
        assert_eq!(text(&fits).as_deref(), fits.as_str(), "one that is just short enough stays whole");
    }
}
