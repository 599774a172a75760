//! Texts with `{placeholders}`: read once, at the load of the configuration, and filled in whenever something is told.

/// A text with places to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    #[error("a placeholder that is not known: {{{0}}}")]
    Unknown(String),
    #[error("a brace without its other half; a brace of its own is written twice")]
    Unpaired,
}

/// What begins the placeholder of a session's own tag, behind which the tag's name stands.
pub const METADATA: &str = "metadata.";

impl Template {
    /// Reads a text; `known` are the names of the places that it may have. `{{` and `}}` are braces.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, TemplateFault> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(behind) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                plain.push_str(&brace[..1]);
                rest = behind;
                continue;
            }
            let (name, behind) = brace.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(TemplateFault::Unpaired)?;
            if !is_known(name, known) {
                return Err(TemplateFault::Unknown(name.to_owned()));
            }
            parts.extend([Part::Text(std::mem::take(&mut plain)), Part::Place(name.to_owned())]);
            rest = behind;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    /// The text with every place filled in by what `word` says of it.
    pub fn render(&self, word: impl Fn(&str) -> String) -> String {
        let filled = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(name) => word(name),
        };
        self.0.iter().map(filled).collect()
    }
}

fn is_known(name: &str, known: &[&str]) -> bool {
    let is_tag = name.strip_prefix(METADATA).is_some_and(|tag| !tag.trim().is_empty() && !tag.contains('{'));
    name != METADATA && known.contains(&name) || known.contains(&METADATA) && is_tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, TemplateFault> {
        Template::parse(text, &["id", "policy", METADATA]).map(|template| template.render(|name| format!("<{name}>")))
    }

    #[test]
    fn places_are_filled_in_and_doubled_braces_are_braces() {
        for (text, shown) in [
            ("", ""),
            ("nothing to fill", "nothing to fill"),
            ("{id}", "<id>"),
            ("{id}{policy} at the end {id}", "<id><policy> at the end <id>"),
            ("{{id}} is {id}", "{id} is <id>"),
            ("}} {{", "} {"),
            ("of {metadata.team} and {metadata.a.b}", "of <metadata.team> and <metadata.a.b>"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_named_and_a_lone_brace_is_told() {
        assert_eq!(rendered("the {pollicy}"), Err(TemplateFault::Unknown("pollicy".to_owned())));
        assert_eq!(rendered("{metadata.}"), Err(TemplateFault::Unknown("metadata.".to_owned())));
        assert_eq!(rendered("{}"), Err(TemplateFault::Unknown(String::new())));
        for text in ["{id", "id}", "{", "}", "{{{", "a } b"] {
            assert_eq!(rendered(text), Err(TemplateFault::Unpaired), "{text}");
        }
    }

    #[test]
    fn tags_are_places_only_where_there_are_tags() {
        assert!(Template::parse("{metadata.team}", &["day"]).is_err());
    }
}
