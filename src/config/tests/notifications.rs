//! `[[notifications]]`: what each key means, and that an address is shown nowhere.

use super::super::notifications::Address;
use super::*;
use crate::domain::notice::Topic;

const NOTIFICATIONS: &str = include_str!("../../../tests/fixtures/config/good/notifications.toml");

/// The fixture in a folder where its file is; with this in the environment.
fn read(text: &str, secret: &str) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("slack.url"), "https://hooks.slack.com/services/T0/B0/x\n").expect("a file is written");
    let mut source = source(folder.path(), text);
    source.env.push(("OTHER_API_KEY".to_owned(), secret.to_owned()));
    let loaded = load(&source);
    if let Ok(loaded) = &loaded {
        let secrets = loaded.config.notifications.iter().map(|one| one.secrets(&source.env).expect("secrets"));
        assert!(secrets.into_iter().all(|secrets| secrets.url.expose_secret().starts_with("http")));
    }
    loaded
}

#[test]
fn every_key_means_what_it_says() {
    let config = read(NOTIFICATIONS, "whsec_bGl2ZQ==").expect("valid").config;
    let [ops, channel] = config.notifications.as_slice() else { panic!("two of them") };
    assert_eq!((ops.name.as_str(), ops.kind), ("ops", ReceiverKind::Webhook));
    assert_eq!((channel.name.as_str(), channel.kind), ("channel", ReceiverKind::Slack));
    assert!(matches!(&ops.address, Address::Written(_)) && matches!(&channel.address, Address::Kept(Credential::File(_))));
    assert_eq!(ops.secret, Some(Credential::Env("OTHER_API_KEY".into())));
    assert_eq!(ops.on, [Topic::Released, Topic::Warning, Topic::Digest].into());
    assert!(Topic::ALL.iter().all(|topic| channel.on.contains(topic) == (*topic != Topic::Released)), "usually");
    assert_eq!((ops.batch_within, channel.batch_within), (SignedDuration::ZERO, SignedDuration::from_secs(10)));
    assert_eq!((ops.digest_at.to_string(), ops.time_zone.iana_name()), ("07:30:00".to_owned(), Some("Europe/London")));
    assert_eq!((channel.digest_at.to_string(), channel.time_zone.iana_name()), ("09:00:00".to_owned(), Some("UTC")));
    let text = ops.templates[&Topic::Released].render(|place| format!("<{place}>"));
    assert_eq!(text, "<id> of <metadata.team.name>: {<reason>}");
    assert_eq!(ops.templates.len(), Topic::ALL.len(), "those that are not written are there too");
}

#[test]
fn a_secret_is_the_same_bytes_however_it_is_written() {
    let signing = |secret: &str| {
        let env = [("OTHER_API_KEY".to_owned(), secret.to_owned())];
        let config = read(NOTIFICATIONS, secret).expect("valid").config;
        let secrets = config.notifications[0].secrets(&env).expect("secrets");
        secrets.signing.map(|signing| signing.expose_secret().to_owned())
    };
    assert_eq!(signing("whsec_bGl2ZQ=="), Some("bGl2ZQ==".to_owned()));
    assert_eq!(signing("live"), Some("bGl2ZQ==".to_owned()));
    let faults = read(NOTIFICATIONS, "whsec_?").expect_err("no Base64");
    assert_eq!(faults.0.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), ["notifications[0].secret_env"]);
}

#[test]
fn an_address_is_shown_nowhere() {
    let loaded = read(NOTIFICATIONS, "live").expect("valid");
    let shown = format!("{:?} {:?} {} {:?}", loaded.config, loaded.provenance, loaded.effective, loaded.warnings);
    for secret in ["127.0.0.1:9/", "live-secret", "hunter2", "hooks.slack.com"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert_eq!(loaded.effective["notifications"][0]["url"], "[not shown]");
    assert_eq!(loaded.effective["notifications"][1]["batch_within"], "10s", "what is usual is shown");
    assert_eq!(loaded.effective["notifications"][1]["on"], serde_json::json!(["stuck", "failed", "guardrail", "denied", "warning", "digest"]));
}

#[test]
fn what_nobody_announces_is_told_as_a_warning() {
    let silent = NOTIFICATIONS.replace("warn_before = \"10m\"\n", "");
    let warnings = read(&silent, "live").expect("valid").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("notifications[0].on") && warning.contains("warn_before")), "{warnings:?}");
    assert_eq!(read(NOTIFICATIONS, "live").expect("valid").warnings, Vec::<String>::new());
}

#[test]
fn every_usual_text_can_be_read() {
    for topic in Topic::ALL {
        assert!(crate::domain::template::Template::parse(topic.usual_text(), topic.places()).is_ok(), "{topic}");
    }
    let known: Vec<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
    assert_eq!(keys::NOTIFICATION.iter().find(|key| key.name == "templates").map(|key| names(&key.shape)), Some(known));
}

fn names(shape: &Shape) -> Vec<&'static str> {
    if let Shape::Table(keys) = shape { keys.iter().map(|key| key.name).collect() } else { Vec::new() }
}
