//! `[[notifications]]`: who is told, of what, in which words, and where the address and the signing secret are. Nothing here ever repeats an address.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use figment::value::Value;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::address::is_loopback;
use super::fault::{ConfigFault, nearest, quoted};
use super::table::Table;
use super::week::{clock, zone};
use super::{Credential, Reading};
use crate::domain::name::{ReceiverName, words};
use crate::domain::notice::Topic;
use crate::domain::template::{Template, TemplateFault};
use crate::domain::time::{SignedDuration, parse_duration};

words! {
    /// The form in which a receiver is told.
    ReceiverKind {
        Webhook = "webhook",
        Slack = "slack",
    }
}

/// One of `[[notifications]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationSettings {
    pub name: ReceiverName,
    pub kind: ReceiverKind,
    pub address: Address,
    /// Of a webhook: what it is signed with.
    pub secret: Option<Credential>,
    pub on: BTreeSet<Topic>,
    pub batch_within: SignedDuration,
    pub digest_at: Time,
    pub time_zone: TimeZone,
    /// One for each topic.
    pub templates: BTreeMap<Topic, Template>,
}

/// Where a receiver's address is.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    Written(String),
    Kept(Credential),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(_) => f.write_str("Written"),
            Self::Kept(place) => f.debug_tuple("Kept").field(place).finish(),
        }
    }
}

/// What a receiver is reached by.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub url: SecretString,
    /// The bytes of the signing secret, in Base64.
    pub signing: Option<SecretString>,
}

/// Begins a signing secret that is written in Base64.
const SECRET_PREFIX: &str = "whsec_";

impl NotificationSettings {
    /// The address and the signing secret themselves. `env` is the process's environment.
    pub fn secrets(&self, env: &[(String, String)]) -> Result<Secrets, ConfigFault> {
        let url = match &self.address {
            Address::Written(url) => SecretString::from(url.as_str()),
            Address::Kept(place) => {
                let url = place.read(env)?;
                sound(url.expose_secret(), self.kind).map_err(|misfit| fault(place, misfit))?;
                url
            }
        };
        let signing = self.secret.as_ref().map(|place| signing(&place.read(env)?).map_err(|misfit| fault(place, misfit)));
        Ok(Secrets { url, signing: signing.transpose()? })
    }
}

fn fault(place: &Credential, (found, expected): (&str, &str)) -> ConfigFault {
    let place = match place {
        Credential::Env(name) => format!("environment variable {name}"),
        Credential::File(path) => path.display().to_string(),
    };
    ConfigFault { place, key: String::new(), found: found.to_owned(), expected: expected.to_owned(), meant: None }
}

/// What is wrong, and what would be right.
type Misfit = (&'static str, &'static str);

fn sound(text: &str, kind: ReceiverKind) -> Result<(), Misfit> {
    let example = "the whole address of the webhook, such as \"https://hooks.example.com/reaper\"";
    let Ok(url) = Url::parse(text) else { return Err(("what is no address", example)) };
    match url.scheme() {
        "https" | "http" if url.host().is_none() => Err(("an address that names no host", example)),
        "http" if !is_loopback(&url) => Err(("an address to which everything would go in the clear", "https beyond loopback")),
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => Err(("an address with a login", "one without")),
        "https" | "http" if kind == ReceiverKind::Slack && url.path() == "/" => Err(("an address without the path that Slack gave it", example)),
        "https" | "http" => Ok(()),
        _ => Err(("an address that is not https", example)),
    }
}

/// The key's bytes in Base64, whichever way the secret is written.
fn signing(secret: &SecretString) -> Result<SecretString, Misfit> {
    let text = secret.expose_secret();
    let Some(encoded) = text.strip_prefix(SECRET_PREFIX) else { return Ok(STANDARD.encode(text).into()) };
    match STANDARD.decode(encoded) {
        Ok(bytes) if !bytes.is_empty() => Ok(STANDARD.encode(bytes).into()),
        _ => Err(("whsec_ with what is no Base64 behind it", "whsec_ and the secret in Base64, or a secret without that prefix")),
    }
}

impl<'a> Reading<'a> {
    pub(super) fn notifications(&mut self) -> Option<Vec<NotificationSettings>> {
        self.unique_names("notifications");
        let tables = self.top.tables("notifications");
        let read: Vec<Option<NotificationSettings>> = tables.iter().map(|table| self.notification(table)).collect();
        read.into_iter().collect()
    }

    fn notification(&mut self, table: &Table<'a>) -> Option<NotificationSettings> {
        let kind = table.text("kind").and_then(ReceiverKind::from_word);
        let address = kind.and_then(|kind| self.webhook_address(table, kind));
        let secret = kind.map(|kind| self.signing_secret(table, kind));
        let templates = self.templates(table);
        let settings = NotificationSettings {
            name: ReceiverName::from(table.text("name")?),
            kind: kind?,
            address: address?,
            secret: secret??,
            on: topics(table)?,
            batch_within: parse_duration(table.text("batch_within").unwrap_or("10s")).ok()?,
            digest_at: clock(table.text("digest_at").unwrap_or("09:00"))?,
            time_zone: zone(table.text("time_zone").unwrap_or("UTC"))?,
            templates: templates?,
        };
        if settings.on.contains(&Topic::Warning) && !self.warns() && table.get("on").is_some() {
            self.warnings.push(format!("{}: no policy has warn_before, so that no release is announced", table.path.key("on")));
        }
        Some(settings)
    }

    fn warns(&self) -> bool {
        self.top.tables("policies").iter().any(|policy| policy.get("warn_before").is_some())
    }

    /// Exactly one place for the address, which of Slack is a secret.
    fn webhook_address(&mut self, table: &Table<'a>, kind: ReceiverKind) -> Option<Address> {
        let given: Vec<(&str, &Value)> = ["url", "url_env", "url_file"].into_iter().filter_map(|key| Some((key, table.get(key)?))).collect();
        let (key, value) = match given.as_slice() {
            [one] => *one,
            [] => {
                let expected = "url_env, the name of the variable that holds the address, or url_file";
                self.report.say(&table.path.key("url_env"), table.value, "no address", expected, None);
                return None;
            }
            [(first, _), (second, value), ..] => {
                self.report.say(&table.path.key(second), value, format!("{first} beside it"), "one of the two", None);
                return None;
            }
        };
        if key == "url" {
            return self.written_address(table, value, kind);
        }
        let place = self.place(key, value)?;
        let check = |url: &SecretString| sound(url.expose_secret(), kind);
        self.holds(table, key, value, &place, check);
        Some(Address::Kept(place))
    }

    fn written_address(&mut self, table: &Table<'a>, value: &Value, kind: ReceiverKind) -> Option<Address> {
        let path = table.path.key("url");
        let url = value.as_str()?;
        if kind == ReceiverKind::Slack {
            let expected = "url_env or url_file: whoever has the address may write to the channel";
            self.report.say(&path, value, "the address of a Slack webhook", expected, None);
            return None;
        }
        if let Err((found, expected)) = sound(url, kind) {
            self.report.say(&path, value, found, expected, None);
            return None;
        }
        Some(Address::Written(url.to_owned()))
    }

    /// At most one place for the secret, and only where something is signed with it; nothing where a key is faulty.
    #[expect(clippy::option_option, reason = "absent and faulty are two answers")]
    fn signing_secret(&mut self, table: &Table<'a>, kind: ReceiverKind) -> Option<Option<Credential>> {
        let given: Vec<(&str, &Value)> = ["secret_env", "secret_file"].into_iter().filter_map(|key| Some((key, table.get(key)?))).collect();
        let (found, expected) = match given.as_slice() {
            [] => return Some(None),
            [(key, value)] if kind == ReceiverKind::Webhook => {
                let place = self.place(key, value)?;
                self.holds(table, key, value, &place, |secret| signing(secret).map(drop));
                return Some(Some(place));
            }
            [_] => ("a signing secret for Slack", "none: Slack's incoming webhooks take no signature"),
            _ => ("secret_env beside it", "one of the two"),
        };
        if let Some((key, value)) = given.last() {
            self.report.say(&table.path.key(key), value, found, expected, None);
        }
        None
    }

    fn place(&self, key: &str, value: &Value) -> Option<Credential> {
        let text = value.as_str()?;
        Some(if key.ends_with("_env") { Credential::Env(text.to_owned()) } else { Credential::File(self.folder.join(text)) })
    }

    /// Unless that is skipped, what is kept there is there, and is what it should be.
    fn holds(&mut self, table: &Table<'a>, key: &str, value: &Value, place: &Credential, check: impl Fn(&SecretString) -> Result<(), Misfit>) {
        let path = table.path.key(key);
        self.readable(&path, value, place);
        if self.source.credentials == super::Credentials::Skip || self.report.tells(&path) {
            return;
        }
        if let Ok(Err((found, expected))) = place.read(&self.source.env).map(|read| check(&read)) {
            self.report.say(&path, value, format!("there {found}"), expected, None);
        }
    }

    /// A text for each topic: the one written, else the usual one.
    fn templates(&mut self, table: &Table<'a>) -> Option<BTreeMap<Topic, Template>> {
        let written = table.table("templates");
        let read: Vec<Option<(Topic, Template)>> = Topic::ALL.iter().map(|topic| Some((*topic, self.template(written.as_ref(), *topic)?))).collect();
        read.into_iter().collect()
    }

    fn template(&mut self, written: Option<&Table<'a>>, topic: Topic) -> Option<Template> {
        let own = written.and_then(|table| Some((table.path.key(topic.as_str()), table.get(topic.as_str())?)));
        let text = own.as_ref().map_or(Some(topic.usual_text()), |(_, value)| value.as_str())?;
        let fault = match Template::parse(text, topic.places()) {
            Ok(template) => return Some(template),
            Err(fault) => fault,
        };
        if let Some((path, value)) = own {
            let places = topic.places();
            let known = places.iter().map(|place| if place.ends_with('.') { format!("{{{place}KEY}}") } else { format!("{{{place}}}") });
            let expected = format!("placeholders of {}", known.collect::<Vec<_>>().join(", "));
            let (found, meant) = match &fault {
                TemplateFault::Unknown(name) => (format!("the placeholder {}", quoted(name)), nearest(name, places.iter().copied())),
                TemplateFault::Unpaired => (fault.to_string(), None),
            };
            self.report.say(&path, value, found, expected, meant);
        }
        None
    }
}

/// A digest has the releases: one by one they are told where somebody asks for it.
fn topics(table: &Table<'_>) -> Option<BTreeSet<Topic>> {
    match table.get("on") {
        None => Some(Topic::ALL.iter().copied().filter(|topic| *topic != Topic::Released).collect()),
        Some(_) => table.texts("on")?.into_iter().map(Topic::from_word).collect(),
    }
}
