use serde_json::{Value, json};

use super::super::items::{Agent, Browser, Owner};
use super::super::tests::{NOW, Script, now};
use super::*;
use crate::domain::listing::ClockReading;
use crate::domain::time::later;

fn row(id: &str) -> Value {
    json!({ "id": id, "status": "active", "startedAt": NOW, "timeoutAt": NOW })
}

fn rows(from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|number| row(&format!("b-{number}"))).collect()
}

fn items(rows: &[Value], total: impl Into<Value>) -> String {
    json!({ "items": rows, "totalItems": total.into(), "pageNumber": 1, "pageSize": 100 }).to_string()
}

/// What the pages give, asked for in order.
async fn browsers(pages: Vec<Result<String, Fault>>) -> (Result<Read<Browser>, Fault>, Vec<String>) {
    let script = Script::in_order(pages);
    let read = super::read(&script, &mut Trail::default(), Inventory::Browsers, &wire::browser).await;
    (read, script.asked())
}

fn lack(read: &Result<Read<Browser>, Fault>) -> String {
    read.as_ref().expect("an inventory").lack.as_ref().map(|fault| fault.to_string()).unwrap_or_default()
}

fn count(read: &Result<Read<Browser>, Fault>) -> usize {
    read.as_ref().expect("an inventory").rows.len()
}

#[tokio::test]
async fn pages_are_turned_until_as_many_rows_were_seen_as_there_are() {
    let pages = vec![Ok(items(&rows(0, 100), 205)), Ok(items(&rows(100, 200), 205)), Ok(items(&rows(200, 205), 205))];
    let (read, asked) = browsers(pages).await;
    assert_eq!((count(&read), lack(&read)), (205, String::new()));
    let expected: Vec<String> = (1..=3).map(|page| format!("GET browsers?filterBy=active&pageSize=100&pageNumber={page}")).collect();
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn an_empty_inventory_is_one_page_and_whole() {
    let (read, asked) = browsers(vec![Ok(items(&[], 0))]).await;
    assert_eq!((count(&read), lack(&read), asked.len()), (0, String::new(), 1));
}

#[tokio::test]
async fn a_row_that_comes_twice_stands_once_and_the_first_word_holds() {
    let again = json!({ "id": "b-1", "status": "stopped", "startedAt": NOW });
    let (read, _) = browsers(vec![Ok(items(&[row("b-1"), again], 1))]).await;
    assert_eq!(lack(&read), "");
    assert_eq!(read.expect("an inventory").rows.iter().map(|browser| browser.status.word.as_ref()).collect::<Vec<_>>(), ["active"]);
}

#[tokio::test]
async fn a_row_that_shifted_out_of_sight_is_missed_by_the_sum() {
    let (read, _) = browsers(vec![Ok(items(&rows(0, 100), 200)), Ok(items(&rows(99, 199), 200))]).await;
    assert_eq!((count(&read), lack(&read).as_str()), (199, "the list of browsers does not add up: it counts 200 and has 199"));
}

#[tokio::test]
async fn a_count_that_changes_between_pages_does_not_add_up_even_where_the_last_one_is_met() {
    let (read, asked) = browsers(vec![Ok(items(&rows(0, 100), 150)), Ok(items(&rows(100, 149), 149))]).await;
    assert_eq!((count(&read), asked.len()), (149, 2), "what follows is read all the same");
    assert!(lack(&read).contains("its count went from 150 to 149"), "{}", lack(&read));
}

#[tokio::test]
async fn pages_that_end_too_early_do_not_add_up() {
    let (read, asked) = browsers(vec![Ok(items(&rows(0, 100), 150)), Ok(items(&[], 150))]).await;
    assert_eq!((lack(&read).as_str(), asked.len()), ("the list of browsers does not add up: it counts 150 and has 100", 2));
}

#[tokio::test]
async fn a_page_without_a_count_does_not_add_up_and_is_the_last() {
    for total in [Value::Null, json!("2"), json!(-1)] {
        let (read, asked) = browsers(vec![Ok(items(&rows(0, 2), total))]).await;
        assert_eq!((count(&read), asked.len()), (2, 1));
        assert!(lack(&read).contains("does not say how many"), "{}", lack(&read));
    }
}

#[tokio::test]
async fn rejected_rows_count_as_read_with_and_without_an_id() {
    let (read, _) = browsers(vec![Ok(items(&[row("b-1"), json!({ "id": "b-2" }), json!(7), json!(8)], 4))]).await;
    assert_eq!((lack(&read), count(&read)), (String::new(), 1));
    assert_eq!(read.expect("an inventory").rejected.len(), 3);
}

#[tokio::test]
async fn an_inventory_without_an_end_is_given_up_after_a_hundred_pages() {
    let pages = (0..200).map(|page| Ok(items(&rows(page * 10, page * 10 + 10), 100_000))).collect();
    let (read, asked) = browsers(pages).await;
    assert_eq!((asked.len(), count(&read)), (100, 1_000));
    assert!(lack(&read).contains("goes on beyond page 100"), "{}", lack(&read));
}

#[test]
fn an_inventory_beyond_what_is_read_of_all_its_pages_is_given_up() {
    let margin = Margin { total: Some(3), has_more: None, cursor: None };
    let turned = |bytes: usize| {
        let mut pages: Pages<'_, Browser> = Pages::new(Inventory::Browsers);
        pages.bytes = bytes;
        let rejected = Rejected { id: Some("b-1".into()), owner: Owner::Unknown, why: "strange".to_owned() };
        (pages.add(&margin, vec![Row::Rejected(rejected)], now()), pages.read.lack.is_some())
    };
    assert_eq!((turned(MOST_BYTES), turned(MOST_BYTES + 1)), ((true, false), (false, true)));
}

#[tokio::test]
async fn a_first_page_that_fails_is_the_fault_and_a_later_one_leaves_what_was_read() {
    let broken = || Fault { status: Some(500), ..Fault::new(FaultKind::Unavailable, "oops") };
    assert_eq!(browsers(vec![Err(broken())]).await.0.expect_err("a fault"), broken());
    for later in [Err(broken()), Ok("<html>".to_owned())] {
        let (read, asked) = browsers(vec![Ok(items(&rows(0, 100), 150)), later]).await;
        assert_eq!((count(&read), asked.len()), (100, 2));
        assert_ne!(lack(&read), "");
    }
}

#[tokio::test]
async fn a_key_that_is_to_be_silent_turns_no_further_page() {
    let slow = Fault { retry_after: Some(SignedDuration::from_secs(5)), ..Fault::new(FaultKind::Unavailable, "later") };
    for fault in [Fault::new(FaultKind::Unauthorized, "no"), Fault::new(FaultKind::Throttled, "slow down"), slow] {
        let (read, asked) = browsers(vec![Ok(items(&rows(0, 100), 150)), Err(fault.clone()), Ok(items(&rows(100, 150), 150))]).await;
        assert_eq!((read.expect_err("a fault"), asked.len()), (fault, 2));
    }
}

fn conversation(id: &str, status: &str, updated_at: &str) -> Value {
    json!({ "sessionId": id, "latestRunId": format!("r-{id}"), "status": status, "createdAt": updated_at, "updatedAt": updated_at })
}

async fn conversations(pages: Vec<Value>) -> (Read<Agent>, Vec<String>) {
    let script = Script::in_order(pages.into_iter().map(|page| Ok(page.to_string())).collect());
    let row = |raw: &RawValue| wire::agent(raw, ApiVersion::V4);
    let read = super::read(&script, &mut Trail::default(), Inventory::Agents(ApiVersion::V4), &row).await;
    (read.expect("an inventory"), script.asked())
}

#[tokio::test]
async fn conversations_are_followed_by_their_cursor() {
    let page = |id: &str, next: Value| json!({ "sessions": [conversation(id, "running", NOW)], "hasMore": !next.is_null(), "nextCursor": next });
    let (read, asked) = conversations(vec![page("a", json!("c 1")), page("b", json!("c2")), page("c", Value::Null)]).await;
    assert_eq!((read.rows.len(), read.lack), (3, None));
    assert_eq!(asked, ["GET sessions?limit=100", "GET sessions?limit=100&cursor=c 1", "GET sessions?limit=100&cursor=c2"]);
}

#[tokio::test]
async fn a_cursor_that_leads_nowhere_does_not_add_up() {
    let page = |more: Value, next: Value| json!({ "sessions": [conversation("a", "running", NOW)], "hasMore": more, "nextCursor": next });
    let cases = [
        (vec![page(json!(true), json!("c")), page(json!(true), json!("c"))], "page 2 leads back"),
        (vec![page(json!(true), json!("c")), page(json!(true), json!("d")), page(json!(true), json!("c"))], "page 3 leads back"),
        (vec![page(json!(true), Value::Null)], "and not where"),
        (vec![page(json!("yes"), json!("c"))], "does not say whether"),
    ];
    for (pages, why) in cases {
        let (read, _) = conversations(pages).await;
        assert!(read.lack.as_ref().is_some_and(|fault| fault.detail.contains(why)), "{why}: {:?}", read.lack);
    }
}

#[tokio::test]
async fn conversations_are_read_no_further_than_a_page_on_which_all_are_long_over() {
    let long_ago = "2026-11-19T11:59:59Z";
    let page = |rows: Vec<Value>| json!({ "sessions": rows, "hasMore": true, "nextCursor": "c" });
    let over = || conversation("a", "completed", long_ago);
    let (read, asked) = conversations(vec![page(vec![over()])]).await;
    assert_eq!((asked.len(), read.lack), (1, None));
    let beside = [
        conversation("b", "completed", "2026-11-19T12:00:01Z"),
        conversation("b", "running", long_ago),
        conversation("b", "hibernating", long_ago),
        json!({ "sessionId": "b" }),
    ];
    for other in beside {
        let (_, asked) = conversations(vec![page(vec![over(), other.clone()]), json!({ "sessions": [], "hasMore": false })]).await;
        assert_eq!(asked.len(), 2, "{other}");
    }
    let (_, asked) = conversations(vec![page(Vec::new()), json!({ "sessions": [], "hasMore": false })]).await;
    assert_eq!(asked.len(), 2, "an empty page says nothing of what follows");
}

#[tokio::test]
async fn how_long_ago_something_ended_is_told_by_the_providers_clock_where_it_shows_one() {
    let page = json!({ "sessions": [conversation("a", "completed", NOW)], "hasMore": true, "nextCursor": "c" });
    for (hours, asked) in [(23, 2), (25, 1)] {
        let date = later(now(), SignedDuration::from_hours(hours));
        let mut script = Script::in_order(vec![Ok(page.to_string()), Ok(json!({ "sessions": [], "hasMore": false }).to_string())]);
        script.clock = Some(ClockReading { date, sent: now(), received: now() });
        let row = |raw: &RawValue| wire::agent(raw, ApiVersion::V4);
        super::read(&script, &mut Trail::default(), Inventory::Agents(ApiVersion::V4), &row).await.expect("an inventory");
        assert_eq!(script.asked().len(), asked);
    }
}

#[tokio::test]
async fn the_other_versions_ask_in_their_own_words() {
    let mut asked = Vec::new();
    let after = now();
    for inventory in [Inventory::Agents(ApiVersion::V2), Inventory::Agents(ApiVersion::V3), Inventory::Tasks { after }] {
        let script = Script::in_order(vec![Ok(items(&[], 0))]);
        super::read(&script, &mut Trail::default(), inventory, &wire::browser).await.expect("an inventory");
        asked.extend(script.asked());
    }
    let expected = [
        "GET sessions?filterBy=active&pageSize=100&pageNumber=1",
        "GET sessions?page=1&page_size=100",
        "GET tasks?pageSize=100&pageNumber=1&after=2026-11-20T12:00:00.000Z",
    ];
    assert_eq!(asked, expected);
}
