//! A failing day, made as small as it gets: mishaps are dropped for as long as it still fails.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::weather::Storm;

thread_local! {
    /// Whether a panic of this thread is looked for, and not news.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// What a storm fails with, if it does.
pub(super) fn failure(storm: &Storm) -> Option<String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !LOOKING.get() {
                loud(panic);
            }
        }));
    });
    LOOKING.set(true);
    let played = catch_unwind(AssertUnwindSafe(|| drop(storm.play())));
    LOOKING.set(false);
    played.err().map(|why| match (why.downcast_ref::<String>(), why.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => (*text).to_owned(),
        _ => "a panic without words".to_owned(),
    })
}

/// The storm with as few mishaps and sessions as it still fails with.
pub(super) fn shrunk(storm: &Storm) -> Storm {
    let mut smallest = storm.clone();
    smallest = without(smallest, |storm| storm.mishaps.len(), |storm, from, to| drop(storm.mishaps.drain(from..to)));
    without(smallest, |storm| storm.newcomers.len(), |storm, from, to| drop(storm.newcomers.drain(from..to)))
}

/// Drops ever smaller stretches of something.
fn without(mut storm: Storm, count: impl Fn(&Storm) -> usize, cut: impl Fn(&mut Storm, usize, usize)) -> Storm {
    let mut stretch = count(&storm).div_ceil(2);
    while stretch > 0 {
        let mut from = 0;
        while from < count(&storm) {
            let mut smaller = storm.clone();
            cut(&mut smaller, from, (from + stretch).min(count(&storm)));
            if smaller.is_possible() && failure(&smaller).is_some() {
                storm = smaller;
            } else {
                from += stretch;
            }
        }
        stretch /= 2;
    }
    storm
}

/// How to see a failing day again, and what is left of it.
pub(super) fn told(storm: &Storm, why: &str) -> String {
    let Storm { seed, version, skew, config, calm, daemons, days, poisoned, .. } = storm;
    let acts: String = storm.mishaps.iter().map(|(at, node, act)| format!("  at {at:#} daemon {node}: {act:?}\n")).collect();
    let sessions: String = storm.newcomers.iter().map(|(at, name, new)| format!("  at {at:#} {name}: {new:?}\n")).collect();
    format!(
        "seed {seed} fails: {why}\n\nsee it again: STORM={seed} cargo test --locked --test virtual -- --ignored storms::one_storm --nocapture\n\nwhat is left of it: {version:?}, \
         clock off by {skew:#}, {daemons} daemons, {days} days, poisoned: {poisoned:?}\n{config}calm:\n{calm}\nsessions\n{sessions}mishaps\n{acts}"
    )
}
