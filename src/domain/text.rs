//! What texts from outside may do to whoever looks at them.

/// Zero-width characters and those that turn the direction of writing: with them a text can look like another.
pub const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
