//! Plays a storm, and holds what came of it against what must hold whatever happened.

use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::{Settings, World};

use super::weather::{DAY, Storm};
use crate::scenarios::{START, nobody, terms};
use crate::stage::{Act, Face, Stage};

/// Once faults have ceased and nobody holds anything back, what is due has ended after this. The longest wait in it is that of a credential that was
/// refused for long: ten minutes; the next longest, that of a release that failed again and again.
pub(super) const BOUND: SignedDuration = SignedDuration::from_mins(45);

impl Storm {
    /// Gives the stage as it is at the end; panics where something does not hold.
    pub(super) fn play(&self) -> Stage {
        let start: Timestamp = START.parse().expect("an instant");
        let mut stage = self.open(start);
        let at = |after| later(start, after);
        for (after, name, new) in &self.newcomers {
            stage.plan(at(*after), Act::Create { name: name.clone(), new: new.clone() });
        }
        for (after, node, act) in &self.mishaps {
            stage.plan_at(*node, at(*after), act.clone());
        }
        self.calm_down(&mut stage, at(self.trouble()));
        for day in 1..self.days {
            stage.go_on_until(at(DAY * day));
            stage.check_books(start);
        }
        let end = at(DAY * self.days);
        stage.go_on_until(end);
        stage.check_books(later(end, -BOUND));
        stage.check_metrics();
        stage.check_everybody_went(BOUND);
        stage
    }

    fn open(&self, start: Timestamp) -> Stage {
        let settings = Settings { skew: self.skew, population: nobody(), ..Settings::seeded(self.seed) };
        let terms = terms(&self.config, self.version).expect("a configuration");
        let mut stage = Stage::new(terms.clone(), Face::of(self.version), World::with(settings, start), start);
        (1..self.daemons).for_each(|_| stage.add_daemon(terms.clone()));
        stage.sabotage(self.sabotage);
        stage
    }

    /// Faults cease, disks are sound, nobody holds anything back; one session may stay as bad as it was.
    fn calm_down(&self, stage: &mut Stage, at: Timestamp) {
        let terms = terms(&self.calm, self.version).expect("a configuration");
        stage.plan(at, Act::FaultsCease);
        for node in 0..self.daemons {
            let acts = [Act::Unharm, Act::LiftAll, Act::Resume, Act::Reload(Box::new(terms.clone()))];
            acts.into_iter().for_each(|act| stage.plan_at(node, at, act));
        }
        if let Some(name) = self.poisoned.clone() {
            let created = self.newcomers.iter().find(|(_, known, _)| *known == name).map_or(SignedDuration::ZERO, |(after, ..)| *after);
            let start = later(at, -self.trouble());
            [later(start, created), at].into_iter().for_each(|at| stage.plan(at, Act::Poison { name: name.clone() }));
        }
    }
}
