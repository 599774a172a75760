//! What texts from outside may do to whoever looks at them, and what must not be shown of them.

/// Zero-width characters and those that turn the direction of writing: with them a text can look like another.
pub const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What stands where a secret would.
pub const HIDDEN: &str = "[not shown]";

/// A text that may be a provider's key, or an address with a password in it.
pub fn looks_secret(text: &str) -> bool {
    let is_key = |word: &str| word.starts_with("bb_") || word.starts_with("bu_");
    let has_login = text.split("://").nth(1).is_some_and(|rest| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')));
    // Whoever has the address of a Slack webhook may write there.
    let is_hook = text.contains("hooks.slack.com/");
    has_login || is_hook || text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(is_key)
}
