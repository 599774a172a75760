//! What stands around the rows of a page.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::fault::{Fault, FaultKind};
use crate::provider::http::unreadable;
use crate::provider::json::{self, optional};

/// What a page says beside its rows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider::browser_use) struct Margin {
    /// How many rows there are on all pages; nothing where that is missing or no number.
    pub(in crate::provider::browser_use) total: Option<u64>,
    /// Whether there are more pages, where pages follow each other by a cursor; nothing where that is no yes or no.
    pub(in crate::provider::browser_use) has_more: Option<bool>,
    pub(in crate::provider::browser_use) cursor: Option<String>,
}

/// A cursor longer than this, in bytes, cannot be read: it has to stand in an address.
const LONGEST_CURSOR: usize = 4 << 10;

/// A page's own fields. `items` and `totalItems` are those of `/browsers` and of v2; v3 and v4 name what they list, and v3's sessions have `total`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    sessions: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    runs: Option<&'a RawValue>,
    #[serde(borrow)]
    total_items: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    has_more: Option<&'a RawValue>,
    #[serde(borrow)]
    next_cursor: Option<&'a RawValue>,
}

/// Reads a page row by row. Fails only where the whole is not a page.
pub(in crate::provider::browser_use) fn page<'a>(body: &'a [u8], each: impl FnMut(&'a RawValue)) -> Result<Margin, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let not_a_page = || Fault::new(FaultKind::Unreadable, "JSON of another shape than the provider documents");
    let envelope: Envelope<'_> =
        Some(raw).filter(|raw| json::is_object(raw)).and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or_else(not_a_page)?;
    json::rows(envelope.items.or(envelope.sessions).or(envelope.messages).or(envelope.runs).ok_or_else(not_a_page)?.get().as_bytes(), each)?;
    let cursor = envelope.next_cursor.filter(|raw| raw.get().len() <= LONGEST_CURSOR);
    let too_long = cursor.is_none() && envelope.next_cursor.is_some();
    let cursor = if too_long { Err("`nextCursor` is too long".to_owned()) } else { optional::<String>(cursor, "nextCursor") };
    let more = optional::<bool>(envelope.has_more, "hasMore");
    Ok(Margin {
        total: optional(envelope.total_items.or(envelope.total), "total").ok().flatten(),
        // Of messages no cursor tells it where this does not.
        has_more: match (more, &cursor) {
            (Ok(None), Ok(_)) if envelope.messages.is_some() => None,
            (more, cursor) => more.ok().zip(cursor.as_ref().ok()).map(|(more, cursor)| more.unwrap_or(cursor.is_some())),
        },
        cursor: cursor.ok().flatten(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_cannot_stand_in_an_address_leads_nowhere() {
        let page = |length: usize| {
            let body = serde_json::json!({ "runs": [], "hasMore": true, "nextCursor": "c".repeat(length) }).to_string();
            page(body.as_bytes(), |_| {}).expect("a page")
        };
        assert_eq!(page(LONGEST_CURSOR - 2).has_more, Some(true));
        let margin = page(LONGEST_CURSOR);
        assert_eq!((margin.has_more, margin.cursor), (None, None));
    }
}
