//! The pages that a session has open, as a print: every address that comes with them is a key to the live browser, and titles are nobody's business.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::activity::Said;
use crate::domain::fault::{Fault, FaultKind};
use crate::provider::http::{Body, unreadable};
use crate::provider::json::{self, optional};

/// What the pages say. Fails where they, or one of them, cannot be read: a print of the rest would change with what is read.
pub(super) fn said(body: &Body) -> Result<Said, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let envelope = Some(raw).filter(|raw| json::is_object(raw)).and_then(|raw| serde_json::from_str::<Envelope<'_>>(raw.get()).ok());
    let list =
        envelope.and_then(|envelope| envelope.pages).ok_or_else(|| Fault::new(FaultKind::Unreadable, "an answer that does not list its pages"))?;
    let mut pages = Vec::new();
    json::rows(list.get().as_bytes(), |raw| pages.push(page(raw)))?;
    let pages = pages.into_iter().collect::<Result<Vec<Page>, String>>();
    pages.map(|pages| Said::Print { print: print(pages) }).map_err(|why| Fault::new(FaultKind::Unreadable, format!("a page cannot be read: {why}")))
}

/// All that is read of the answer.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    pages: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
}

/// Ordered by id. Lives while the print is made.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Page {
    id: Option<String>,
    url: Option<String>,
    title: Option<String>,
}

fn page(raw: &RawValue) -> Result<Page, String> {
    if !json::is_object(raw) {
        return Err("it is not an object".to_owned());
    }
    let fields: Fields<'_> = serde_json::from_str(raw.get()).map_err(|_| "it has a field twice".to_owned())?;
    Ok(Page { id: optional(fields.id, "id")?, url: optional(fields.url, "url")?, title: optional(fields.title, "title")? })
}

/// The same for the same pages in whatever order, in every version of the program: it is remembered over restarts.
fn print(mut pages: Vec<Page>) -> u64 {
    pages.sort_unstable();
    let mut print = Fnv::new();
    for page in &pages {
        for field in [&page.id, &page.url, &page.title] {
            print.add(field.as_deref());
        }
    }
    print.0
}

/// FNV-1a with 64 bits.
struct Fnv(u64);

impl Fnv {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    const fn new() -> Self {
        Self(Self::BASIS)
    }

    /// A text with its length before it, so that no two lists of texts are the same bytes; one that is missing is longer than any.
    fn add(&mut self, text: Option<&str>) {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        self.bytes(&length.to_le_bytes());
        self.bytes(text.unwrap_or_default().as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }
}

#[cfg(test)]
mod tests;
