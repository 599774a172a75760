//! What happened, a line each, with the sessions under the names of the story.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use session_reaper::domain::event::{PollOutcome, What};
use session_reaper::domain::name::SessionId;
use session_reaper::domain::release::{Outcome, Release, RequestOutcome};
use session_reaper::domain::time::{SignedDuration, Timestamp, between, human, later};
use session_reaper::simulator::{self, Cause, World};

use super::books::Books;
use super::{Act, CrashPoint, Lasts};

#[derive(Debug)]
pub(crate) struct Transcript {
    start: Timestamp,
    text: String,
    names: BTreeMap<SessionId, String>,
    /// The last poll told: one like it is not told again.
    polled: String,
    skew: SignedDuration,
    muted: bool,
}

impl Transcript {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self { start, text: String::new(), names: BTreeMap::new(), polled: String::new(), skew: SignedDuration::ZERO, muted: false }
    }

    pub(crate) fn name(&mut self, id: &SessionId, name: &str) {
        self.names.insert(id.clone(), name.to_owned());
    }

    /// The end of the story so far.
    pub(crate) fn last_lines(&self, count: usize) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Nobody wants to read it.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// Keeps only these names.
    pub(crate) fn forget(&mut self, names: &BTreeMap<String, SessionId>) {
        self.names = names.iter().map(|(name, id)| (id.clone(), name.clone())).collect();
    }

    pub(crate) fn say(&mut self, now: Timestamp, what: &str) {
        if self.muted {
            return;
        }
        let line = format!("{}  {what}\n", self.clock(now));
        self.text.push_str(&line);
    }

    pub(crate) fn act(&mut self, now: Timestamp, act: &Act) {
        if let Some(line) = act_line(act) {
            self.say(now, &format!("> {line}"));
        }
    }

    pub(crate) fn request(&mut self, now: Timestamp, row: &Release) {
        let try_ = if row.attempts == 1 { format!("overrun {}", human(row.overrun)) } else { format!("request {}", row.attempts) };
        let line = format!("requesting {} [{} {}, {try_}]: {}", self.named(&row.id), row.policy, row.limit, row.reason);
        self.say(now, &line);
    }

    pub(crate) fn tell(&mut self, now: Timestamp, what: &What) {
        if let Some(line) = self.line(now, what) {
            self.say(now, &line);
        }
    }

    fn line(&mut self, now: Timestamp, what: &What) -> Option<String> {
        Some(match what {
            What::Called { .. } | What::Census { .. } | What::Requesting { .. } => return None,
            What::Polled { outcome, live, rejected, fault, .. } => return self.poll_line(*outcome, *live, *rejected, fault.as_ref()),
            What::Skew { skew } => return self.skew_line(*skew),
            What::TagUnreadable { id, policy, tag, found, why } => {
                format!("{}: tag {tag} = {found} is no duration for policy {policy}: {why}", self.named(id))
            }
            What::WouldRelease { id, policy, limit, reason } => format!("would release {} [{policy} {limit}]: {reason}", self.named(id)),
            What::ShadowWouldRelease { id, policy, limit, reason } => format!("{policy} would release {} [{limit}]: {reason}", self.named(id)),
            What::Heard { id, finding } => format!("asked about {}: {finding}", self.named(id)),
            What::Answered { release, outcome, fault, .. } => self.answer_line(release, *outcome, fault.as_ref()),
            What::Confirmed { release, took } => {
                let saved = release.saved_runtime.map_or("nothing known".to_owned(), human);
                format!("{} confirmed after {}, saved {saved}", self.named(&release.id), human(*took))
            }
            What::AlreadyEnded { release } => format!("{} had already ended, nothing saved", self.named(&release.id)),
            What::Stuck { release } => format!("{} is stuck after {} requests", self.named(&release.id), release.attempts),
            What::Failed { release } => format!("{} failed: {}", self.named(&release.id), release.fault.as_deref().unwrap_or("no reason")),
            What::Refused { fault, again_at } => format!("refused ({fault}), asked again in {}", human(between(now, *again_at))),
            What::Coming(coming) => format!("{} is announced [{} {}]", self.named(&coming.id), coming.policy, coming.limit),
            What::Silenced { until } => format!("silent for {}", human(between(now, *until))),
            What::TooManyGroups { most } => format!("budgets have more than {most} groups"),
            What::Tripped { requested, live, .. } => format!("tripped: {requested} of {live}"),
            What::Untripped { by_operator } => format!("no longer tripped{}", if *by_operator { ", by an operator" } else { "" }),
            What::Reappeared { id } => format!("{} is listed again although it had ended", self.named(id)),
            What::BooksRefused { id, .. } => format!("{}: nothing sent, the books refuse", self.named(id)),
        })
    }

    fn poll_line(
        &mut self,
        outcome: PollOutcome,
        live: usize,
        rejected: usize,
        fault: Option<&session_reaper::domain::fault::Fault>,
    ) -> Option<String> {
        let bad = if rejected > 0 { format!(", {rejected} rejected") } else { String::new() };
        let why = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
        let line = format!("listing {outcome}, {live} live{bad}{why}");
        (std::mem::replace(&mut self.polled, line.clone()) != line).then_some(line)
    }

    fn skew_line(&mut self, skew: SignedDuration) -> Option<String> {
        let steps = between(later(self.start, self.skew), later(self.start, skew)).abs() > SignedDuration::from_secs(2);
        steps.then(|| {
            self.skew = skew;
            format!("the provider's clock is {} from ours", human(SignedDuration::from_secs(skew.as_secs())))
        })
    }

    fn answer_line(&self, release: &Release, outcome: RequestOutcome, fault: Option<&session_reaper::domain::fault::Fault>) -> String {
        let why = fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
        format!("{}: request {} {outcome}{why}", self.named(&release.id), release.attempts)
    }

    /// The story, then the books beside the truth.
    pub(crate) fn finish(&self, books: &Books, world: &World) -> String {
        let mut text = self.text.clone();
        text.push_str("\nbooks\n");
        let ids: BTreeSet<&SessionId> = books.releases.values().map(|row| &row.id).collect();
        for row in self.in_order(ids.into_iter()).flat_map(|id| books.of(id)) {
            let saved = row.saved_runtime.map(|saved| format!(", saved {}", human(saved))).unwrap_or_default();
            let attempts = if row.attempts == 1 { "1 request".to_owned() } else { format!("{} requests", row.attempts) };
            writeln!(text, "  {}  {}, {attempts}{saved}", self.named(&row.id), row.outcome).expect("a text takes all");
        }
        for (id, policy, limit) in &books.would_release {
            writeln!(text, "  {}  would be released [{policy} {limit}]", self.named(id)).expect("a text takes all");
        }
        let saved: SignedDuration = books.releases.values().filter(|row| row.outcome == Outcome::Confirmed).filter_map(|row| row.saved_runtime).sum();
        writeln!(text, "  saved {}", human(saved)).expect("a text takes all");
        text.push_str("\ntruth\n");
        let now = world.now();
        let agents = world.agents().map(|agent| (agent.id.clone(), agent.ended(now)));
        let truth: BTreeMap<SessionId, _> = world.truth().into_iter().map(|one| (one.id, one.end)).chain(agents).collect();
        for id in self.in_order(truth.keys()) {
            let end = truth.get(id).copied().flatten();
            let line =
                end.map_or("lives".to_owned(), |end| format!("{} at {}", cause_word(end.cause), self.clock(later(end.at, -self.skew_of(world)))));
            writeln!(text, "  {}  {line}", self.named(id)).expect("a text takes all");
        }
        text
    }

    fn skew_of(&self, world: &World) -> SignedDuration {
        between(self.start, world.time(self.start))
    }

    /// Those of the story, in the order of their names.
    fn in_order<'a>(&'a self, ids: impl Iterator<Item = &'a SessionId>) -> impl Iterator<Item = &'a SessionId> {
        let mut named: Vec<(&String, &SessionId)> = ids.filter_map(|id| Some((self.names.get(id)?, id))).collect();
        named.sort_by_key(|(name, _)| (name.len(), *name));
        named.into_iter().map(|(_, id)| id)
    }

    fn named<'a>(&'a self, id: &'a SessionId) -> &'a str {
        self.names.get(id).map_or(id.as_str(), String::as_str)
    }

    /// Time since the start.
    fn clock(&self, at: Timestamp) -> String {
        let millis = between(self.start, at).as_millis();
        let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
        format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1_000)
    }
}

fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Released { .. } => "released",
        Cause::Closed => "closed by its owner",
        Cause::TimedOut => "timed out",
        Cause::Crashed => "crashed",
    }
}

fn act_line(act: &Act) -> Option<String> {
    Some(match act {
        Act::Create { name, .. } => format!("{name} is created"),
        Act::GiveTask { name } => format!("{name} gets a task"),
        Act::Use { name, act: simulator::Act::Command } => format!("{name} acts"),
        Act::Use { name, act: simulator::Act::Page } => format!("{name} opens a page"),
        Act::Use { name, act: simulator::Act::Bytes(bytes) } => format!("{name} sends {bytes} bytes"),
        Act::OwnerEnds { name } => format!("its owner releases {name}"),
        Act::Hold { name, length, reason } => format!("hold {name} for {}: {reason}", human(*length)),
        Act::Lift { name } => format!("lift the hold on {name}"),
        Act::Pause { reason } => format!("pause: {reason}"),
        Act::Resume => "resume".to_owned(),
        Act::Break { target, on, fault, lasts } => {
            let on = on.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
            let lasts = match lasts {
                Lasts::For(length) => format!("for {}", human(*length)),
                Lasts::Times(times) => format!("{times} times"),
            };
            format!("fault: {}{on} {} {lasts}", target.operation, fault_word(fault))
        }
        Act::Haunt { name, length } => format!("listings still show {name} for {}", human(*length)),
        Act::Crash(CrashPoint::BeforeCall | CrashPoint::AfterCall) | Act::Show { .. } | Act::KillIn { .. } | Act::BooksTake => return None,
        Act::SlowDisk { latency } => format!("each write takes {}", human(*latency)),
        Act::SomebodyReleases { name } => format!("somebody else releases {name}"),
        Act::Kill { down, .. } => format!("killed for {}", human(*down)),
        Act::BooksRefuse { length } => format!("the books refuse for {}", human(*length)),
        Act::Reload(_) => "reload".to_owned(),
        Act::FaultsCease => "faults cease".to_owned(),
        Act::Unharm => "the disk is sound".to_owned(),
        Act::LiftAll => "every hold is lifted".to_owned(),
        Act::Poison { name } => format!("no release of {name} succeeds"),
        Act::Drain => "drain".to_owned(),
    })
}

fn fault_word(fault: &session_reaper::simulator::Fault) -> String {
    use session_reaper::simulator::Fault;
    match fault {
        Fault::Status { code, .. } => code.to_string(),
        Fault::ExtraRow(_) => "extra row".to_owned(),
        Fault::DateOff(by) => format!("Date off by {}", human(*by)),
        other => format!("{other:?}"),
    }
}
