//! What Browserbase shows of a session's activity: its log and its open pages. Both are full of what must go nowhere.

use serde_json::{Value, json};

use super::TYPED_SECRET;
use super::life::Life;
use crate::domain::time::Timestamp;

/// What clients tell a browser, in turns.
const METHODS: [&str; 5] = ["Page.navigate", "Runtime.evaluate", "Input.insertText", "DOM.getDocument", "Network.getCookies"];

/// The log, from the oldest entry to the newest.
pub(super) fn logs(life: &Life, now: Timestamp) -> Value {
    life.commands(now).into_iter().map(|at| entry(life, at)).collect()
}

fn entry(life: &Life, at: Timestamp) -> Value {
    let at = at.as_millisecond();
    // A method follows from the instant, so that an entry stays the same while those before it are dropped.
    let method = METHODS[(at / 1_000).rem_euclid(METHODS.len() as i64) as usize];
    let params = json!({ "text": TYPED_SECRET, "url": format!("https://shop.simulator.invalid/?token={}", life.secret) });
    let result = json!({ "cookie": &*life.secret });
    json!({
        "method": method,
        "pageId": 0,
        "sessionId": life.id,
        "timestamp": at,
        "request": { "timestamp": at, "rawBody": params.to_string(), "params": params },
        "response": { "timestamp": at, "rawBody": result.to_string(), "result": result },
    })
}

/// The pages, and the addresses from which the browser can be watched: each opens it to whoever has it.
pub(super) fn debug(life: &Life, now: Timestamp) -> Value {
    let url = format!("https://live.simulator.invalid/{}", life.secret);
    json!({
        "debuggerUrl": url,
        "debuggerFullscreenUrl": url,
        "wsUrl": format!("wss://live.simulator.invalid/{}", life.secret),
        "pages": (0..life.pages(now)).map(|number| page(life, number)).collect::<Value>(),
    })
}

fn page(life: &Life, number: usize) -> Value {
    let live = format!("https://live.simulator.invalid/{}/{number}", life.secret);
    json!({
        "id": format!("{number:08X}{}", life.id.as_str().replace('-', "").to_uppercase()),
        "url": format!("https://shop.simulator.invalid/{number}?token={}", life.secret),
        "title": format!("Account of {TYPED_SECRET}"),
        "faviconUrl": "https://shop.simulator.invalid/favicon.ico",
        "debuggerUrl": live,
        "debuggerFullscreenUrl": live,
    })
}
