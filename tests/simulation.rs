//! Simulated worlds keep every invariant, and a broken rule is noticed.
#![cfg(feature = "simulation")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use chancery::simulation::{Sabotage, Simulation};
use chancery::store::MemoryStore;

#[test]
fn worlds_in_which_things_go_wrong_come_right() {
    let begun = std::time::Instant::now();
    let mut total = (0, 0, 0);
    for seed in 0..100 {
        let summary = Simulation::new(seed).run(MemoryStore::new()).unwrap_or_else(|failure| panic!("{failure}"));
        total = (total.0 + summary.issued, total.1 + summary.crashes, total.2 + summary.steps);
    }
    eprintln!("{total:?} {:?}", begun.elapsed());
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let run = || Simulation::new(3).run(MemoryStore::new());
    assert_eq!(run(), run());
}

#[test]
fn a_store_without_fencing_is_noticed() {
    let sabotaged = |seed| Simulation::new(seed).sabotage(Sabotage::VersionsIgnored).run(MemoryStore::new());
    let caught: Vec<String> = (0..300).filter_map(|seed| sabotaged(seed).err()).map(|failure| failure.breach).collect();
    let mut kinds: Vec<String> =
        caught.iter().map(|breach| breach.split_once(' ').unwrap().1.chars().take(60).collect()).collect();
    kinds.sort();
    kinds.dedup();
    eprintln!("{} {kinds:?}", caught.len());
    assert!(!caught.is_empty());
}
