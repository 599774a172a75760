//! The files that every page needs. Their addresses change with their contents, so that a browser may keep them.

use sha2::{Digest, Sha256};

/// A file, its type, and the path that it is served under.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub content: &'static str,
}

pub const STYLE: Asset = Asset { path: "/assets/page.css", content_type: "text/css; charset=utf-8", content: include_str!("assets/page.css") };
pub const SCRIPT: Asset = Asset { path: "/assets/page.js", content_type: "text/javascript; charset=utf-8", content: include_str!("assets/page.js") };
pub const ICON: Asset = Asset { path: "/assets/icon.svg", content_type: "image/svg+xml", content: include_str!("assets/icon.svg") };

pub const ALL: [Asset; 3] = [STYLE, SCRIPT, ICON];

impl Asset {
    pub fn address(&self) -> String {
        let digest = Sha256::digest(self.content);
        let print: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{}?v={print}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_address() {
        let other = Asset { content: "other", ..STYLE };
        assert!(STYLE.address().starts_with("/assets/page.css?v=") && STYLE.address() == STYLE.address());
        assert_ne!(STYLE.address(), other.address());
    }
}
