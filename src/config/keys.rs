//! Every key of the configuration, once: the checker walks by this table, the environment layer reads by it, and the JSON Schema is written from it.

use Shape::*;

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
    /// What holds where a table that may stand many times does not say.
    pub(super) usual: Option<&'static str>,
    /// One sentence, for editors.
    pub(super) about: &'static str,
}

/// What a key's value must be.
#[derive(Debug)]
pub(super) enum Shape {
    Text,
    /// `[a-z0-9-]+`: also a label and a word in commands.
    Name,
    Flag,
    /// A human duration; zero only where it means off.
    Duration(Span),
    /// Greater than 0, at most 1000.
    Rate,
    /// A whole number from 1.
    Count,
    /// In (0, 1].
    Fraction,
    /// Finite, from 0.
    Price,
    /// Three capital letters.
    Currency,
    /// One of these words.
    Word(Words),
    /// A list of texts; whether it may be empty.
    Texts(Empty),
    /// A list of such words.
    ListOf(Words),
    /// IP address and port.
    Address,
    Url,
    /// The name of an environment variable.
    Variable,
    Path,
    Table(&'static [Key]),
    Tables(&'static [Key]),
    /// `"all"`, or a match.
    Selector,
    /// A table of match keys.
    Match,
    /// A list of matches.
    Matches,
    /// A table of metadata keys with their matchers.
    Metadata,
    /// Greater than 0, at most a million; fractions too.
    Hours,
    /// What sessions are counted apart by.
    Per,
    /// Days of the week.
    Days,
    /// A time of day.
    Clock,
    /// A time of day, or the end of the day.
    ClockOrEnd,
    /// The IANA name of a time zone.
    Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// The lengths that a duration may have, as a person would write them.
#[derive(Debug)]
pub(super) enum Span {
    Positive,
    /// `"0s"` means off.
    OrOff,
    From(&'static str),
    Within(&'static str, &'static str),
}

#[derive(Debug)]
pub(super) struct Words {
    pub(super) known: &'static [&'static str],
    /// Words of the format that this version cannot do yet.
    pub(super) not_yet: &'static [&'static str],
}

impl Shape {
    /// The value is a text, whatever a text from outside TOML looks like.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Text | Name | Duration(_) | Currency | Word(_) | Address | Url | Variable | Path | Per | Days | Clock | ClockOrEnd | Zone)
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: false, usual: None, about }
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: true, usual: None, about }
}

const fn usually(usual: &'static str, name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: false, usual: Some(usual), about }
}

const PROVIDERS: Words = Words { known: &["browserbase", "browser-use"], not_yet: &["selenium-grid"] };
const API_VERSIONS: Words = Words { known: &["v2", "v3", "v4"], not_yet: &[] };
const KINDS: Words = Words { known: &["session", "agent", "browser"], not_yet: &[] };
const ORDERS: Words = Words { known: &["oldest", "idlest"], not_yet: &[] };
const PERIODS: Words = Words { known: &["day", "week", "month"], not_yet: &[] };
const WITHOUT_EVIDENCE: Words = Words { known: &["keep", "release"], not_yet: &[] };
const RECEIVERS: Words = Words { known: &["webhook", "slack"], not_yet: &[] };
const TOPICS: Words = Words { known: &["released", "stuck", "failed", "guardrail", "denied", "warning", "digest"], not_yet: &[] };
const MODES: Words = Words { known: &["observe", "enforce"], not_yet: &[] };

/// The whole file.
pub(super) const ROOT: Shape = Table(TOP);

const TOP: &[Key] = &[
    key("mode", Word(MODES), "observe decides and reports; enforce also releases"),
    key("poll_interval", POLL_INTERVAL, "how often each account's live sessions are listed"),
    key("requests_per_second", Rate, "most requests per second to one account's provider"),
    key("evidence_requests_per_minute", Count, "most requests in any minute that ask one account's provider about activity"),
    key("request_timeout", Duration(Span::Positive), "how long one request to a provider may take"),
    key("drain_timeout", Duration(Span::Positive), "how long a stop waits for what was requested to be confirmed"),
    key("server", Table(SERVER), "metrics, health, page and API"),
    key("store", Table(STORE), "the ledger"),
    key("accounts", Tables(ACCOUNT), "the accounts to watch: one credential at one provider each"),
    key("policies", Tables(POLICY), "the rules, in order: the first whose match fits governs a session"),
    key("guardrails", Table(GUARDRAILS), "what must not be released now, whatever the policies say"),
    key("notifications", Tables(NOTIFICATION), "who is told of releases and troubles"),
];

const POLL_INTERVAL: Shape = Duration(Span::Within("1s", "1h"));

const SERVER: &[Key] = &[
    key("listen", Address, "IP address and port to serve on"),
    key("token_file", Path, "file with the bearer token; required beyond loopback"),
    key("open_metrics", Flag, "serve /metrics without the token"),
    key("hosts", Texts(Empty::Allowed), "further host names under which the page and the API answer"),
];

const STORE: &[Key] = &[
    key("path", Path, "SQLite file; \":memory:\" keeps nothing"),
    key("retention", Duration(Span::OrOff), "how long the ledger keeps what has ended; \"0s\" keeps it for ever"),
];

const ACCOUNT: &[Key] = &[
    required("name", Name, "what metrics, reports and commands call it"),
    required("provider", Word(PROVIDERS), "the provider of the sessions"),
    key("api_key_env", Variable, "name of the environment variable that holds the API key"),
    key("api_key_file", Path, "file that holds the API key"),
    key("project_id", Text, "only sessions of this project, where one key may see several"),
    key("base_url", Url, "address of the provider's API: Browserbase's without /v1, Browser Use's ending in /api/v2, /api/v3 or /api/v4"),
    key("api_version", Word(API_VERSIONS), "version of the Browser Use API; its base_url may say it too"),
    key("poll_interval", POLL_INTERVAL, "overrides the top-level key"),
    key("requests_per_second", Rate, "overrides the top-level key"),
    key("evidence_requests_per_minute", Count, "overrides the top-level key"),
    key("request_timeout", Duration(Span::Positive), "overrides the top-level key"),
    key("price_per_hour", Price, "price of one session for one hour, for saved cost"),
    key("currency", Currency, "currency of the price"),
];

pub(super) const POLICY: &[Key] = &[
    required("name", Name, "what metrics, reports and reasons call it"),
    required("match", Selector, "which sessions: \"all\", or a table of which every key must fit"),
    key("protect", Flag, "never release these"),
    key("max_age", Duration(Span::Positive), "release at this age"),
    key("max_age_tag", Text, "metadata key under which a session may name its own maximum age"),
    key("warn_before", Duration(Span::Positive), "announce a release by max_age this long before it; delays nothing"),
    key("max_age_ceiling", Duration(Span::Positive), "the most that a session may ask for by its tag"),
    key("idle", Duration(Span::Positive), "release after this long without activity, once the provider could tell"),
    usually("keep", "idle_without_evidence", Word(WITHOUT_EVIDENCE), "what idle means where the provider has nothing that could tell"),
    key("max_running", Table(MAX_RUNNING), "most sessions at once; those over the count are released"),
    key("budget", Table(BUDGET), "most runtime in a day, week or month; past it the sessions are released"),
    key("shadow", Flag, "judge beside the other policies, and never release"),
];

const MAX_RUNNING: &[Key] = &[
    required("count", Count, "most sessions at once, in each group"),
    key("per", Per, COUNTED_APART),
    usually("oldest", "release", Word(ORDERS), "which of those over the count go"),
];

const BUDGET: &[Key] = &[
    required("browser_hours", Hours, "runtime that the sessions of a group may have together in each period"),
    key("per", Per, COUNTED_APART),
    required("every", Word(PERIODS), "how long a period is; a week begins on Monday"),
    usually("UTC", "time_zone", Zone, "whose midnight begins a period"),
    usually("oldest", "release", Word(ORDERS), "which go first once it is spent"),
];

const COUNTED_APART: &str = "provider, kind, region, keep_alive or metadata.KEY: the sessions of each value are counted apart";

const WINDOW: &[Key] = &[
    usually("Mon-Sun", "days", Days, "days on which it opens: Mon-Fri, or Sat,Sun"),
    usually("00:00", "from", Clock, "time of day at which it opens"),
    usually("24:00", "to", ClockOrEnd, "time of day at which it closes, on the next day where that is before from"),
    usually("UTC", "time_zone", Zone, "whose clock is meant"),
];

/// Keys that say more of a limit, and of which.
pub(super) const MORE: [(&str, &str); 4] =
    [("warn_before", "max_age"), ("max_age_tag", "max_age"), ("max_age_ceiling", "max_age"), ("idle_without_evidence", "idle")];

/// The keys that are ways to outstay.
pub(super) const LIMITS: [&str; 4] = ["max_age", "idle", "max_running", "budget"];

const GUARDRAILS: &[Key] = &[
    key("max_releases_per_poll", Count, "most overdue first; the rest wait for the next poll"),
    key("max_release_fraction", Fraction, "most of an account's sessions in a rolling hour, once those are more than 10"),
    key("min_age", Duration(Span::OrOff), "nothing younger is released; \"0s\" is off"),
    key("skip_expiring_within", Duration(Span::OrOff), "what ends by itself this soon is left alone; \"0s\" is off"),
    key("confirm_within", Duration(Span::From("1s")), "after this long without confirmation a release is stuck"),
];

pub(super) const NOTIFICATION: &[Key] = &[
    required("name", Name, "what metrics and the log call the receiver"),
    required("kind", Word(RECEIVERS), "webhook: signed JSON; slack: an incoming webhook of Slack"),
    key("url", Url, "address of a webhook, where it is no secret"),
    key("url_env", Variable, "name of the environment variable that holds the address"),
    key("url_file", Path, "file that holds the address"),
    key("secret_env", Variable, "name of the environment variable that holds a webhook's signing secret"),
    key("secret_file", Path, "file that holds a webhook's signing secret"),
    key("on", ListOf(TOPICS), "what it is told of; everything but released where unsaid"),
    usually("10s", "batch_within", Duration(Span::Within("0s", "10m")), "how long something may wait for more that goes with it"),
    usually("09:00", "digest_at", Clock, "time of day of the daily digest"),
    usually("UTC", "time_zone", Zone, "whose clock is meant"),
    key("templates", Table(TEMPLATES), "other texts, with {placeholders}"),
];

const TEMPLATES: &[Key] = &[
    key("released", Text, "text about a release that its provider confirms"),
    key("stuck", Text, "text about a release that was not carried out in time"),
    key("failed", Text, "text about a release that the provider will not do"),
    key("guardrail", Text, "text about max_release_fraction holding an account back"),
    key("denied", Text, "text about a credential that is refused"),
    key("warning", Text, "text about a coming release"),
    key("digest", Text, "text of the daily digest"),
];

/// The keys of one match.
pub(super) const MATCH: &[Key] = &[
    key("accounts", Texts(Empty::Refused), "names of accounts"),
    key("providers", ListOf(Words { known: &["browserbase", "browser-use", "selenium-grid"], not_yet: &[] }), "providers"),
    key("kinds", ListOf(KINDS), "kinds of sessions"),
    key("regions", Texts(Empty::Refused), "the provider's names of regions"),
    key("keep_alive", Flag, "whether the session was started with keep-alive"),
    key("metadata", Metadata, "metadata keys, dotted paths too, with what their values must be"),
    key("window", Table(WINDOW), "times of the week"),
    key("not", Match, "fits where this match does not"),
    key("any", Matches, "fits where at least one of these matches does"),
];

/// The keys of a metadata matcher that is a table; exactly one is there.
pub(super) const MATCHER: [&str; 4] = ["exists", "glob", "regex", "not"];

/// The shape of the key at a path of names; none for an unknown one, and within lists.
pub(super) fn shape_at(steps: &[String]) -> Option<&'static Shape> {
    let mut table = TOP;
    let (last, parents) = steps.split_last()?;
    for step in parents {
        table = match find(table, step)?.shape {
            Table(inner) => inner,
            _ => return None,
        };
    }
    find(table, last).map(|key| &key.shape)
}

pub(super) fn find<'a>(table: &'a [Key], name: &str) -> Option<&'a Key> {
    table.iter().find(|key| key.name == name)
}
