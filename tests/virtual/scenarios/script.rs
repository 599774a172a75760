//! The text form of a scenario: a first sentence, the configuration, the sessions, and what happens when.
//!
//! ```text
//! # What it shows, in a sentence.
//! config            (`config v3`: an account of Browser Use, by that version)
//!   poll_interval = "30s"
//!   [[policies]]
//!   …
//! world skew=1h
//!   a age=10m expires=6h metadata={"env":"ci"}
//!   s*100 age=10m spread=10ms
//!   w age=10m works=4m bytes=1000        (worked for 4m after its start: commands in its log, and so many proxy bytes a second)
//!   q logs=false                         (no log is kept of it)
//!   p pair age=10m task={"env":"ci"}     (agent, pair, or orphan: a browser whose agent session was stopped)
//! script
//!   at 5s    hold a for 10m "debugging"
//!   at 60s   fault list 500 for 90s
//!   at 90s   fault evidence/logs 500 for 90s     (or evidence/debug, or evidence)
//!   at 100s  a acts                      (a command in its log)
//!   at 101s  a opens a page              (of which its log has nothing)
//!   at 102s  a sends 1000 bytes
//!   at 2m    reload
//!     mode = "enforce"
//!   until 20m
//! ```

use session_reaper::config::{self, Credentials, Source};
use session_reaper::daemon::crew;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::{SignedDuration, Timestamp, later, parse_duration};
use session_reaper::engine::{Pass, Terms};
use session_reaper::simulator::{self, BadRow, Fault, NewAgent, NewSession, NewTask, Population, Settings, Target, World};

use crate::stage::{Act, CrashPoint, Face, Lasts, Newcomer, Stage};

/// Every scenario begins here.
pub(crate) const START: &str = "2026-11-20T12:00:00Z";

/// The account of every scenario.
fn account(version: Option<ApiVersion>) -> String {
    let provider =
        version.map_or("provider = \"browserbase\"".to_owned(), |version| format!("provider = \"browser-use\"\napi_version = \"{version}\""));
    format!("\n[[accounts]]\nname = \"growth\"\n{provider}\napi_key_env = \"KEY\"\n")
}

/// From a release request to the end of a session.
const RELEASE_LATENCY: SignedDuration = SignedDuration::from_millis(500);

pub(crate) struct Script {
    terms: Terms,
    version: Option<ApiVersion>,
    skew: SignedDuration,
    sessions: Vec<(String, Newcomer)>,
    acts: Vec<(SignedDuration, Act)>,
    until: SignedDuration,
}

type Parsed<T> = Result<T, String>;

impl Script {
    pub(crate) fn parse(text: &str) -> Parsed<Self> {
        let mut sections = Sections::of(text);
        let head = sections.take("world")?;
        let config = sections.take("config")?;
        let version = (!config.arguments.is_empty()).then(|| ApiVersion::from_word(&config.arguments).ok_or("which version?")).transpose()?;
        let terms = terms(&config.body, version)?;
        let mut script = Self { terms, version, skew: SignedDuration::ZERO, sessions: Vec::new(), acts: Vec::new(), until: SignedDuration::ZERO };
        for word in head.arguments.split_whitespace() {
            script.skew = signed(word.strip_prefix("skew=").ok_or_else(|| format!("world {word}?"))?)?;
        }
        for line in head.body.lines().filter(|line| !line.trim().is_empty()) {
            script.sessions.extend(sessions(line.trim())?);
        }
        script.read_acts(&sections.take("script")?.body)?;
        Ok(script)
    }

    /// Plays it to its end and gives the transcript.
    pub(crate) fn play(self) -> String {
        let start: Timestamp = START.parse().expect("an instant");
        let world = World::with(Settings { skew: self.skew, population: nobody(), ..Settings::seeded(1) }, start);
        let mut stage = Stage::new(self.terms, Face::of(self.version), world, start);
        self.sessions.into_iter().for_each(|(name, new)| stage.create(&name, new));
        self.acts.into_iter().for_each(|(after, act)| stage.plan(later(start, after), act));
        stage.run_until(later(start, self.until));
        stage.told()
    }

    fn read_acts(&mut self, body: &str) -> Parsed<()> {
        let mut lines = body.lines().filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            let depth = indent(line);
            let mut below = String::new();
            while let Some(deeper) = lines.next_if(|next| indent(next) > depth) {
                below.push_str(deeper.trim());
                below.push('\n');
            }
            match line.trim().split_once(char::is_whitespace) {
                Some(("until", length)) => self.until = duration(length.trim())?,
                Some(("at", rest)) => {
                    let (after, act) = rest.trim().split_once("  ").or_else(|| rest.trim().split_once(' ')).ok_or("at … what?")?;
                    self.acts.push((duration(after)?, read_act(act.trim(), &below, self.version).map_err(|fault| format!("{line:?}: {fault}"))?));
                }
                _ => return Err(format!("{line:?} is neither `at` nor `until`")),
            }
        }
        Ok(())
    }
}

/// Nobody is born but those of the scenario (and one on a key that nobody here has).
pub(crate) fn nobody() -> Population {
    Population { already_leaked: 0, warm_up: SignedDuration::ZERO, every: SignedDuration::from_hours(24 * 365), ..Population::steady() }
}

struct Section {
    name: String,
    arguments: String,
    body: String,
}

struct Sections(Vec<Section>);

impl Sections {
    fn of(text: &str) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if !line.starts_with(char::is_whitespace) && !line.is_empty() {
                let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
                sections.push(Section { name: name.to_owned(), arguments: arguments.to_owned(), body: String::new() });
            } else if let Some(section) = sections.last_mut() {
                section.body.push_str(line);
                section.body.push('\n');
            }
        }
        Self(sections)
    }

    fn take(&mut self, name: &str) -> Parsed<Section> {
        let index = self.0.iter().position(|section| section.name == name).ok_or_else(|| format!("no section {name}"))?;
        Ok(self.0.remove(index))
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What the configuration means for the one account; enforcing, where it does not say.
pub(crate) fn terms(text: &str, version: Option<ApiVersion>) -> Parsed<Terms> {
    let mode = if text.contains("mode =") { "" } else { "mode = \"enforce\"\n" };
    let source = Source { text: Some(format!("{mode}{text}{}", account(version))), credentials: Credentials::Skip, ..Source::default() };
    let config = config::load(&source).map_err(|faults| faults.to_string())?.config;
    Ok(crew::terms(&config, &config.accounts[0], Pass::Daemon))
}

fn duration(text: &str) -> Parsed<SignedDuration> {
    parse_duration(text).map_err(|fault| format!("{text:?}: {fault}"))
}

fn signed(text: &str) -> Parsed<SignedDuration> {
    match text.strip_prefix('-') {
        Some(length) => duration(length).map(|length| -length),
        None => duration(text),
    }
}

/// `a age=10m expires=6h metadata={"env":"ci"} keep_alive=false pending=30s`; `s*100` stands for s1 to s100, each older than the one before by `spread`.
fn sessions(line: &str) -> Parsed<Vec<(String, Newcomer)>> {
    let (name, attributes) = line.split_once(' ').unwrap_or((line, ""));
    let (name, count) = match name.split_once('*') {
        Some((name, count)) => (name, count.parse().map_err(|_| format!("{line:?}: how many?"))?),
        None => (name, 0),
    };
    if count == 0 {
        return Ok(vec![(name.to_owned(), newcomer(attributes)?)]);
    }
    let (new, spread) = new_session(attributes)?;
    let older = |n: i32| NewSession { age: new.age + spread * (n - 1), timeout: new.timeout + spread * (n - 1), ..new.clone() };
    Ok((1..=count).map(|n| (format!("{name}{n}"), older(n).into())).collect())
}

/// An agent session, where the attributes begin with what kind; else what Browserbase calls a session, and Browser Use a browser.
fn newcomer(attributes: &str) -> Parsed<Newcomer> {
    let (kind, rest) = attributes.trim().split_once(' ').unwrap_or((attributes.trim(), ""));
    if !["agent", "pair", "orphan"].contains(&kind) {
        return Ok(new_session(attributes)?.0.into());
    }
    let (of_tasks, rest): (Vec<&str>, Vec<&str>) = rest.split_whitespace().partition(|word| word.starts_with("task") || word.starts_with("works"));
    let (browser, _) = new_session(&rest.join(" "))?;
    let mut task = NewTask::default();
    for (key, value) in of_tasks.into_iter().filter_map(|word| word.split_once('=')) {
        match key {
            "task" => task.metadata = serde_json::from_str(value).map_err(|fault| format!("{value}: {fault}"))?,
            _ => task.takes = Some(duration(value)?),
        }
    }
    Ok(Newcomer::Agent(Box::new(NewAgent {
        tasks: vec![task],
        keep_alive: browser.keep_alive,
        age: browser.age,
        left_browser_after: (kind == "orphan").then_some(SignedDuration::from_secs(1)),
        release_latency: browser.release_latency,
        browser: (kind != "agent").then_some(browser),
        ..NewAgent::default()
    })))
}

fn new_session(attributes: &str) -> Parsed<(NewSession, SignedDuration)> {
    let (mut age, mut expires, mut spread) = (SignedDuration::ZERO, SignedDuration::from_hours(6), SignedDuration::ZERO);
    let mut new = NewSession { release_latency: Some(RELEASE_LATENCY), ..NewSession::default() };
    for (key, value) in attributes.split_whitespace().map(|word| word.split_once('=').unwrap_or((word, ""))) {
        match key {
            "age" => age = duration(value)?,
            "expires" => expires = duration(value)?,
            "spread" => spread = duration(value)?,
            "works" => new.worked_for = duration(value)?,
            "bytes" => new.bytes_per_second = value.parse().map_err(|_| format!("{value}: how many bytes?"))?,
            "logs" => new.logs = value == "true",
            "pending" => new.pending_for = duration(value)?,
            "ends" => new.release_latency = Some(duration(value)?),
            "keep_alive" => new.keep_alive = value == "true",
            "region" => new.region = value.into(),
            "metadata" => new.metadata = Some(serde_json::from_str(value).map_err(|fault| format!("{value}: {fault}"))?),
            _ => return Err(format!("{key}?")),
        }
    }
    // A session that is older than the story began to wait for its browser when it was created.
    (new.age, new.timeout) = (age, age + expires);
    Ok((new, spread))
}

/// One line of the script; `below` is what stands deeper under it.
fn read_act(text: &str, below: &str, version: Option<ApiVersion>) -> Parsed<Act> {
    let (words, quoted) = match text.split_once('"') {
        Some((words, rest)) => (words, rest.trim_end_matches('"').to_owned()),
        None => (text, String::new()),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let name = |name: &&str| (*name).to_owned();
    Ok(match words.as_slice() {
        ["hold", who, "for", length] => Act::Hold { name: name(who), length: duration(length)?, reason: quoted },
        [who, "gets", "a", "task"] => Act::GiveTask { name: name(who) },
        [who, "acts"] => Act::Use { name: name(who), act: simulator::Act::Command },
        [who, "opens", "a", "page"] => Act::Use { name: name(who), act: simulator::Act::Page },
        [who, "sends", bytes, "bytes"] => Act::Use { name: name(who), act: simulator::Act::Bytes(bytes.parse().map_err(|_| "how many bytes?")?) },
        ["lift", who] => Act::Lift { name: name(who) },
        ["pause"] => Act::Pause { reason: quoted },
        ["resume"] => Act::Resume,
        ["owner", "releases", who] => Act::OwnerEnds { name: name(who) },
        ["create", who, ..] => {
            let attributes = text.split_once(who).map_or("", |(_, attributes)| attributes);
            Act::Create { name: name(who), new: newcomer(attributes)? }
        }
        ["show", who] => Act::Show { name: name(who) },
        ["haunt", who, "for", length] => Act::Haunt { name: name(who), length: duration(length)? },
        ["crash", "before-call"] => Act::Crash(CrashPoint::BeforeCall),
        ["crash", "after-call"] => Act::Crash(CrashPoint::AfterCall),
        ["kill", "for", length] => Act::Kill { down: duration(length)?, clock_set: SignedDuration::ZERO },
        ["kill", "for", length, "clock", set] => Act::Kill { down: duration(length)?, clock_set: signed(set)? },
        ["books", "refuse", "for", length] => Act::BooksRefuse { length: duration(length)? },
        ["reload"] => Act::Reload(Box::new(terms(below, version)?)),
        ["drain"] => Act::Drain,
        ["fault", call, what @ ..] => read_fault(call, what)?,
        _ => return Err("not known".to_owned()),
    })
}

/// `list 500 for 90s`, `release never-ending on a 2 times`, `list/PENDING reset for 1m`, `list date-off 1h for 10s`.
fn read_fault(call: &str, what: &[&str]) -> Parsed<Act> {
    let (operation, status) = call.split_once('/').unwrap_or((call, ""));
    let target = Target::from(Operation::from_word(operation).ok_or("which call?")?);
    let target = if status.is_empty() { target } else { target.status(status) };
    let (what, lasts) = match what {
        [what @ .., "for", length] => (what, Lasts::For(duration(length)?)),
        [what @ .., times, "times"] => (what, Lasts::Times(times.parse().map_err(|_| "how many times?")?)),
        _ => return Err("for how long?".to_owned()),
    };
    let (what, on) = match what {
        [what @ .., "on", name] => (what, Some((*name).to_owned())),
        _ => (what, None),
    };
    let fault = match what {
        ["429", seconds] => Fault::throttled(seconds.parse().map_err(|_| "how many seconds?")?),
        ["hang"] => Fault::Hang,
        ["reset"] => Fault::Reset,
        ["truncated"] => Fault::TruncatedJson,
        ["html"] => Fault::Html,
        ["empty"] => Fault::EmptyList,
        ["redirect"] => Fault::Redirect { location: "http://127.0.0.1/".to_owned() },
        ["duplicates"] => Fault::DuplicateRows,
        ["bad-row"] => Fault::BadRow(BadRow::WrongTypes),
        ["row-without-id"] => Fault::BadRow(BadRow::NoId),
        ["unknown-status"] => Fault::BadRow(BadRow::UnknownStatus),
        ["never-ending"] => Fault::NeverEnding,
        ["wrong-total", by] => Fault::WrongTotal(by.parse().map_err(|_| "by how much?")?),
        ["scope"] => Fault::detail(403, "API key is missing required scope: arranged"),
        ["applied-unanswered"] => Fault::AppliedUnanswered,
        ["date-off", by] => Fault::DateOff(signed(by)?),
        ["slow", by] => Fault::Slow(duration(by)?),
        [code] => Fault::status(code.parse().map_err(|_| "what goes wrong?")?, "arranged"),
        _ => return Err("what goes wrong?".to_owned()),
    };
    Ok(Act::Break { target, on, fault, lasts })
}
