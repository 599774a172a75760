//! What receivers are to be told: once each, in order, until they were.

use super::*;
use crate::domain::notice::Notice;

fn notice(id: &str, second: i64) -> Notice {
    let words = [("id".to_owned(), "s-1".to_owned())].into();
    Notice { id: id.to_owned(), topic: "released".to_owned(), at: at(second), data: json!({ "id": "s-1" }), words, metadata: json!({ "team": "ml" }) }
}

fn to(receiver: &str, notice: Notice) -> Record {
    Record::Notice { receiver: receiver.into(), notice: Box::new(notice) }
}

fn told(receiver: &str, ids: &[&str], second: i64) -> Record {
    Record::Told { receiver: receiver.into(), ids: ids.iter().map(|id| (*id).to_owned()).collect(), at: at(second) }
}

async fn written(records: Vec<Record>) -> Ledger {
    let ledger = in_memory();
    records.into_iter().for_each(|record| ledger.record(record));
    assert!(ledger.flush(std::time::Duration::from_secs(10)).await);
    ledger
}

fn waiting(ledger: &Ledger, receiver: &str) -> Vec<String> {
    let untold = ledger.reader().untold(&receiver.into(), at(0)).unwrap();
    untold.notices.into_iter().map(|notice| notice.id).collect()
}

#[tokio::test]
async fn what_was_not_told_is_given_back_whole_and_in_order_to_its_own_receiver() {
    let ledger = written(vec![to("ops", notice("z", 1)), to("ops", notice("a", 2)), to("others", notice("z", 3)), to("ops", notice("z", 9))]).await;
    assert_eq!(
        (waiting(&ledger, "ops"), waiting(&ledger, "others"), waiting(&ledger, "nobody")),
        (vec!["z".into(), "a".into()], vec!["z".into()], vec![])
    );
    let untold = ledger.reader().untold(&"ops".into(), at(0)).unwrap();
    assert_eq!(untold.notices[0], notice("z", 1), "the same id again changes nothing");
}

#[tokio::test]
async fn what_was_told_is_known_and_never_waits_again() {
    let records = vec![to("ops", notice("a", 1)), to("ops", notice("b", 2)), told("ops", &["a", "unheard of"], 5), to("ops", notice("a", 6))];
    let ledger = written(records).await;
    assert_eq!(waiting(&ledger, "ops"), ["b"]);
    let told = |since| ledger.reader().untold(&"ops".into(), at(since)).unwrap().told;
    assert_eq!((told(5), told(6)), (vec!["a".to_owned()], vec![]));
}

#[test]
fn notices_are_forgotten_after_a_week_told_or_not_and_whatever_the_retention() {
    let folder = tempfile::tempdir().unwrap();
    let path = StorePath::File(folder.path().join("books.db"));
    let (ledger, mut scribe) = Ledger::open_with_scribe(&path, OpenOptions { retention: SignedDuration::ZERO, now: at(0) }).unwrap();
    ledger.record(to("ops", notice("old", 0)));
    ledger.record(to("ops", notice("new", 60)));
    let week = later(at(0), SignedDuration::from_hours(7 * 24));
    scribe.turn(week);
    assert_eq!(waiting(&ledger, "ops"), ["old", "new"]);
    scribe.turn(later(week, SignedDuration::from_hours(2)));
    assert_eq!(waiting(&ledger, "ops"), Vec::<String>::new());
}

#[test]
fn books_of_an_older_format_get_room_for_notices() {
    let mut books = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut books, &schema::MIGRATIONS[..3]).unwrap();
    schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
    super::super::notices::notice(&books, &"ops".into(), &notice("a", 1)).unwrap();
    assert_eq!(super::super::notices::untold(&books, &"ops".into(), at(0)).unwrap().notices, [notice("a", 1)]);
}
