//! Each invariant is alive: with its guard broken, some storm notices.

use super::shrink;
use super::weather::Storm;
use crate::stage::sabotage::Sabotage;

/// Within so many storms every broken guard is noticed.
const STORMS: u64 = 200;

#[test]
#[expect(clippy::print_stdout, reason = "who notices what is of interest")]
fn every_broken_guard_is_noticed() {
    for sabotage in Sabotage::ALL {
        let broken = |seed| Storm { sabotage, ..Storm::of(seed) };
        let noticed = (0..STORMS).find_map(|seed| shrink::failure(&broken(seed)).map(|why| (seed, why)));
        let (seed, why) = noticed.unwrap_or_else(|| panic!("nobody notices {sabotage:?} in {STORMS} storms"));
        println!("{sabotage:?}: storm {seed}: {}", why.lines().next().unwrap_or_default());
    }
}
