//! Takes what could be a credential out of what a provider said, before anyone sees it.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::domain::text::is_invisible;

/// Stands where something was taken out. Its ends are not ASCII and a key is, so that no key can form again across it.
const MARK: &str = "‹redacted›";
/// What is shown of a provider's sentence, in characters.
const LONGEST: usize = 200;

/// Session addresses: whoever has one has the browser.
static SOCKET: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)(?:wss?:(?:\\?/){2}|https?://connect\.)[^\s"'<>]*"#));
/// An address with a user or a password in it.
static USER_INFO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)[a-z][a-z0-9+.-]*:(?:\\?/){2}[^\s/"'<>]*@[^\s"'<>]*"#));
/// The query and the fragment of an address.
static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)(https?:(?:\\?/){2}[^\s?#"'<>]*)[?#][^\s"'<>]*"#));
/// `apiKey=…`, `"signingKey": "…"`, `authorization: Bearer …`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?i)((?:signing[_-]?key|api[_-]?key|token|secret|password|authorization)["'\\]*\s*[=:]\s*["'\\]*(?:bearer\s+|basic\s+)?)[^\s"'&,;‹]+"#)
});
/// The providers' own keys.
static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)(?:bb|bu)_[a-z0-9_+/=-]{3,}"));
static JWT: LazyLock<Regex> = LazyLock::new(|| pattern(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*"));
/// Base64, hexadecimal and their like.
static LONG: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_=-]{32,}"));
static UUID: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"));

/// Cleans what people will read, for one account.
pub(super) struct Redactor {
    own_key: Regex,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// `key`: what must never be shown, plain or percent-encoded, in any case of its letters.
    pub(super) fn new(key: &str) -> Result<Self, String> {
        let encoded: String = key.bytes().map(percent_encoded).collect();
        let either = format!("(?i){}|{}", regex::escape(key), regex::escape(&encoded));
        Ok(Self { own_key: Regex::new(&either).map_err(|_| "the API key is too long".to_owned())? })
    }

    /// The text as one line of at most 200 characters with no control character and no credential in it. Cut last, so that nothing hides behind the cut.
    pub(super) fn clean(&self, text: &str) -> String {
        let line = one_line(text);
        let mut clean = self.own_key.replace_all(&line, MARK).into_owned();
        for pattern in [&SOCKET, &USER_INFO, &KEY, &JWT] {
            clean = pattern.replace_all(&clean, MARK).into_owned();
        }
        for pattern in [&QUERY, &NAMED] {
            clean = pattern.replace_all(&clean, |found: &Captures<'_>| format!("{}{MARK}", &found[1])).into_owned();
        }
        cut(&LONG.replace_all(&clean, |found: &Captures<'_>| if is_harmless(&found[0]) { found[0].to_owned() } else { MARK.to_owned() }))
    }
}

/// An id, or words and paths, which have no digits.
fn is_harmless(text: &str) -> bool {
    UUID.is_match(text) || !text.contains(|c: char| c.is_ascii_digit())
}

/// White space becomes one blank; control and invisible formatting characters go, and cannot part a key in two.
fn one_line(text: &str) -> String {
    let shown: String = text.chars().filter(|c| c.is_whitespace() || !(c.is_control() || is_invisible(*c))).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST - 1) {
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

#[expect(clippy::expect_used, reason = "the patterns are literals of this file, each used in its tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of ours")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(text: &str) -> String {
        Redactor::new("own+key/1").expect("a redactor").clean(text)
    }

    #[test]
    fn credentials_of_every_known_form_are_taken_out() {
        let cases = [
            ("Invalid API key own+key/1.", "Invalid API key ‹redacted›."),
            ("at /x?k=OWN%2BKEY%2F1 now", "at /x?k=‹redacted› now"),
            ("own+\u{200b}key\u{7}/1", "‹redacted›"),
            ("no bb_live_aBc-123 here", "no ‹redacted› here"),
            ("no bu_0aZ9 here", "no ‹redacted› here"),
            ("go to wss://connect.browserbase.com?signingKey=a.b", "go to ‹redacted›"),
            (r#"{"connectUrl":"wss:\/\/h\/x"}"#, r#"{"connectUrl":"‹redacted›"}"#),
            ("https://connect.example.com/abc!", "‹redacted›"),
            ("https://joe:pw@example.com/x y", "‹redacted› y"),
            ("see https://docs.example.com/plans?x=1 for more", "see https://docs.example.com/plans‹redacted› for more"),
            ("signingKey=abc&b=1", "signingKey=‹redacted›&b=1"),
            (r#""apiKey": "abc""#, r#""apiKey": "‹redacted›""#),
            ("Authorization: Bearer abc", "Authorization: Bearer ‹redacted›"),
            ("eyJhbGciOi.eyJzdWIi.c2ln rest", "‹redacted› rest"),
            ("t 0123456789abcdef0123456789abcdef", "t ‹redacted›"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text}");
        }
    }

    #[test]
    fn what_helps_a_person_stays() {
        let id = "4f1c2d3e-0000-4abc-8def-001122334455";
        for text in [
            format!("Session {id} not found"),
            "Missing x-bb-api-key header".to_owned(),
            "see https://docs.example.com/account/billing/plans".to_owned(),
        ] {
            assert_eq!(clean(&text), text);
        }
    }

    #[test]
    fn a_sentence_is_one_line_without_control_characters_and_at_most_200_long() {
        assert_eq!(clean(" a\r\n\tb\u{1b}[31m\u{202e}c "), "a b[31mc");
        assert_eq!(clean(&"ä".repeat(200)), "ä".repeat(200));
        assert_eq!(clean(&"ä".repeat(201)), format!("{}…", "ä".repeat(199)));
    }

    #[test]
    fn a_redactor_shows_nothing_of_its_key() {
        assert_eq!(format!("{:?}", Redactor::new("own+key/1")), "Ok(Redactor)");
    }

    proptest! {
        #[test]
        fn the_key_never_survives_whatever_surrounds_it(key in "[!-~]{4,60}", before in ".{0,80}", after in ".{0,80}", again in any::<bool>()) {
            prop_assume!(!MARK.contains(&key.to_lowercase()));
            let middle = if again { format!("{key}{key}") } else { key.clone() };
            let shown = Redactor::new(&key).expect("a redactor").clean(&format!("{before}{middle}{after}"));
            prop_assert!(!shown.to_lowercase().contains(&key.to_lowercase()), "{}", shown);
        }

        #[test]
        fn a_key_cut_into_itself_does_not_form_again(key in "[ab_]{4,8}", at in 1..4usize) {
            let text = format!("{}{key}{}", &key[..at], &key[at..]);
            prop_assert!(!Redactor::new(&key).expect("a redactor").clean(&text).contains(&key));
        }
    }
}
