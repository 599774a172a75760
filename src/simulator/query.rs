//! Browserbase's query language for `q`: `user_metadata['a']['b']:'value'`, equality of texts and nothing more.

use serde_json::Value;

/// A query: the path into the metadata and the text that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    path: Vec<String>,
    value: String,
}

impl Query {
    /// Reads a query; nothing where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix("user_metadata")?;
        let mut path = Vec::new();
        while let Some(after) = rest.strip_prefix('[') {
            let (key, after) = quoted(after)?;
            path.push(key);
            rest = after.strip_prefix(']')?;
        }
        let (value, rest) = quoted(rest.strip_prefix(':')?)?;
        (rest.is_empty() && !path.is_empty()).then_some(Self { path, value })
    }

    pub fn fits(&self, metadata: Option<&Value>) -> bool {
        let found = self.path.iter().try_fold(metadata.unwrap_or(&Value::Null), |value, key| value.get(key.as_str()));
        found.and_then(Value::as_str) == Some(self.value.as_str())
    }
}

/// A text in single or double quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let (inside, after) = text[1..].split_once(quote)?;
    Some((inside.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_must_lead_to_the_very_text() {
        let query = Query::parse("user_metadata['owner']['team']:'growth'").expect("a query");
        assert!(query.fits(Some(&json!({ "owner": { "team": "growth" } }))));
        for other in [json!({ "owner": { "team": "ml" } }), json!({ "owner": "growth" }), json!({ "owner": { "team": 1 } }), json!([])] {
            assert!(!query.fits(Some(&other)), "{other}");
        }
        assert!(!query.fits(None));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for text in [
            "",
            "env:'ci'",
            "user_metadata:'ci'",
            "user_metadata['env']",
            "user_metadata['env']:ci",
            "user_metadata['env']:'ci' x",
            "user_metadata['é:'",
        ] {
            assert_eq!(Query::parse(text), None, "{text}");
        }
    }
}
