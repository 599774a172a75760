use serde_json::json;

use super::*;
use crate::domain::fixtures::at;

fn notice(topic: Topic, id: &str) -> Notice {
    Notice {
        id: "evt_1".to_owned(),
        topic: topic.as_str().to_owned(),
        at: at(250),
        data: json!({ "id": id }),
        words: [("id", id), ("account", "growth"), ("accounts", "one\ntwo")].map(|(place, word)| (place.to_owned(), word.to_owned())).into(),
        metadata: json!({ "team": "ml", "build": 7, "owner": { "name": "Ada" }, "secretive": "never named" }),
    }
}

fn saying(topic: Topic, text: &str) -> Templates {
    [(topic, Template::parse(text, topic.places()).expect("a template"))].into()
}

fn said(text: &str, id: &str) -> String {
    super::text(&notice(Topic::Released, id), &saying(Topic::Released, text))
}

#[test]
fn a_signature_is_that_of_the_standards_own_example() {
    let secret = SecretString::from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let at = Timestamp::from_second(1_614_265_330).expect("an instant");
    let made = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, r#"{"test": 2432232314}"#);
    assert_eq!(made.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

#[test]
fn a_webhook_has_what_happened_with_its_text_and_without_tags() {
    let body = webhook(&[notice(Topic::Released, "s-1")], &saying(Topic::Released, "{id} is gone"));
    let event = json!({ "id": "evt_1", "type": "released", "at": "2026-11-20T12:00:00.250Z", "text": "s-1 is gone", "data": { "id": "s-1" } });
    assert_eq!(body, json!({ "events": [event] }));
}

#[test]
fn slack_reads_no_mention_and_no_link_in_what_others_wrote() {
    let templates = saying(Topic::Released, "gone: {id}");
    let body = slack(&[notice(Topic::Released, "<!channel> & <http://a|b>"), notice(Topic::Released, "s-2")], &templates);
    assert_eq!(body, json!({ "text": "gone: &lt;!channel&gt; &amp; &lt;http://a|b&gt;\ngone: s-2" }));
}

#[test]
fn tags_are_told_where_a_template_names_them() {
    assert_eq!(said("{metadata.team} {metadata.build} {metadata.owner.name} {metadata.none}", "s-1"), "ml 7 Ada none");
    for topic in Topic::ALL {
        let text = super::text(&notice(*topic, "s-1"), &saying(*topic, topic.usual_text()));
        assert!(!text.contains("ml") && !text.contains("Ada"), "{text}");
    }
}

#[test]
fn what_others_wrote_makes_no_line_and_hides_nothing() {
    assert_eq!(said("gone: {id}", "s-1\nreleased s-2\u{202e}\u{200b}\u{7}!"), "gone: s-1 released s-2 !");
    assert_eq!(super::text(&notice(Topic::Digest, ""), &saying(Topic::Digest, "{accounts}")), "one\ntwo", "a digest's lines are our own");
}

#[test]
fn a_long_text_is_cut() {
    let text = said("{id}", &"é".repeat(5_000));
    assert_eq!(text.chars().count(), LONGEST_TEXT + 1);
    assert!(text.ends_with("é…"));
    assert!((LONGEST_TEXT + 2) * "&amp;".len() * MOST_IN_SLACK < 40_000 * 5, "what Slack cuts is counted in what is shown");
}
