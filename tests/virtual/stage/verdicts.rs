//! What must hold at the end of a story, once faults have ceased.

use session_reaper::domain::name::Kind;
use session_reaper::domain::release::Outcome;
use session_reaper::domain::session::{Parts, Target};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::policy::{Governed, Occasion, Rule, govern};
use session_reaper::simulator::World;
use session_reaper::simulator::life::Life;

use super::Stage;

impl Stage {
    /// Whoever outstayed its age for longer than `bound` has ended, whatever was wrong before: nobody's trouble keeps others waiting.
    pub(crate) fn check_everybody_went(&self, bound: SignedDuration) {
        self.world.with(|world| {
            let theirs = world.time(self.now);
            for life in world.lives().filter(|life| &*life.key == self.face.key() && life.ended(theirs).is_none()) {
                if self.poisoned.as_ref() == Some(&life.id) || (self.poisoned.is_some() && life.agent == self.poisoned) {
                    continue;
                }
                if let Some(due_at) = self.due_at(life, world, theirs) {
                    assert!(later(due_at, bound) > theirs, "{} has been due since {due_at}, it is {theirs}, and it lives", self.named(life));
                }
            }
        });
    }

    fn named(&self, life: &Life) -> String {
        let name = self.names.iter().find(|(_, id)| **id == life.id).map_or("somebody", |(name, _)| name);
        format!("{name} ({})", life.id)
    }

    /// Since when it has been too old by the policy that has governed it ever since, by the world's own truth.
    fn due_at(&self, life: &Life, world: &World, theirs: Timestamp) -> Option<Timestamp> {
        let terms = &self.nodes[0].terms;
        let (id, kind) = match &life.agent {
            Some(agent) if world.agent(agent).is_some_and(|agent| agent.ended(theirs).is_none()) => (agent.clone(), Kind::Agent),
            _ => (life.id.clone(), if life.key.starts_with("bb") { Kind::Session } else { Kind::Browser }),
        };
        let session = self.face.as_running(&Target { id, kind, parts: Parts { browser: Some(life.id.clone()), ..Parts::default() } }, world);
        let by = |at| match govern(&session, Occasion { account: &terms.account, provider: terms.provider, at }, &terms.policies, None) {
            Governed::By(policy) => Some(policy),
            _ => None,
        };
        let policy = by(theirs)?;
        let Rule::Limits(limits) = &policy.rule else { return None };
        let due_at = later(session.since(), limits.max_age.as_ref()?.read(&session).allowed);
        // A window may have opened meanwhile: then the age counts from there.
        let step = |quarter: i32| later(theirs, -(SignedDuration::from_mins(15) * quarter));
        let governed_since = (0..96).map(step).take_while(|at| by(*at).is_some_and(|other| other.name == policy.name)).last()?;
        Some(due_at.max(governed_since))
    }

    /// What a process counted as released is what it told, and what the books have, where it was never killed.
    pub(crate) fn check_metrics(&mut self) {
        for index in 0..self.nodes.len() {
            let now = self.now;
            let books = self.nodes[index].books(now);
            let node = &self.nodes[index];
            let Some(life) = node.life.as_ref().filter(|_| node.lives == 1) else { continue };
            let text = life.telemetry.metrics().render().expect("the metrics can be shown");
            let counted = sum(&text, "session_reaper_sessions_released_total");
            let saved = sum(&text, "session_reaper_saved_runtime_seconds_total");
            let confirmed = books.releases.values().filter(|row| row.outcome == Outcome::Confirmed);
            assert_eq!(counted as usize, confirmed.clone().count(), "as many are counted as the books have");
            let truth: f64 = confirmed.filter_map(|row| row.saved_runtime).map(|saved| saved.as_secs_f64()).sum();
            assert!((saved - truth).abs() < 1e-3, "{saved} s are counted as saved, the books have {truth}");
        }
    }
}

fn sum(text: &str, name: &str) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
