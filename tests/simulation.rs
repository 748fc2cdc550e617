//! Simulated worlds keep every invariant, and a broken rule is noticed.
#![cfg(feature = "simulation")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use chancery::simulation::{Failure, Invariant, Sabotage, Simulation, Summary};
use chancery::store::MemoryStore;

#[path = "support/stores.rs"]
mod stores;

fn run(simulation: Simulation) -> Result<Summary, Failure> {
    simulation.run(MemoryStore::new())
}

#[test]
fn worlds_in_which_things_go_wrong_come_right() {
    let _entered = stores::runtime().enter();
    let mut total = Summary::default();
    for seed in 0..if stores::is_memory() { 8 } else { 3 } {
        total += Simulation::new(seed).run(stores::store()).unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(total.issued > 0 && total.renewed > 0 && total.deployed > 0 && total.crashes > 0, "{total:?}");
    // The few worlds that a durable store can afford need not have all of it in them.
    if stores::is_memory() {
        assert!(total.revoked > 0 && total.approved > 0 && total.told > 0 && total.ordered > 0, "{total:?}");
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let told = |seed| run(Simulation::new(seed));
    assert_eq!(told(3), told(3));
    let failed = |seed| run(Simulation::new(seed).sabotage(Sabotage::MessagesDropped)).unwrap_err();
    assert_eq!(failed(5), failed(5), "the story, too");
}

/// The first seed at which a broken rule is noticed by one of the invariants that guard it; others may be broken with it.
#[track_caller]
fn noticed(sabotage: Sabotage, expected: &[Invariant]) {
    let breaches = (0..40).filter_map(|seed| run(Simulation::new(seed).sabotage(sabotage)).err());
    let failure = breaches.into_iter().find(|failure| expected.contains(&failure.invariant));
    let failure = failure.expect("the sabotage is noticed");
    println!("{sabotage:?}: seed {} breaks {:?}: {}", failure.seed, failure.invariant, failure.breach);
}

#[test]
fn a_store_without_fencing_is_noticed() {
    noticed(Sabotage::VersionsIgnored, &[Invariant::Succession, Invariant::Trail, Invariant::RevocationList]);
}

#[test]
fn a_store_that_forgets_what_it_acknowledged_is_noticed() {
    noticed(Sabotage::CommitsForgotten, &[Invariant::Promises, Invariant::Serials]);
}

#[test]
fn an_index_that_loses_due_times_is_noticed() {
    noticed(Sabotage::DueForgotten, &[Invariant::Requests, Invariant::Renewal, Invariant::Alerts, Invariant::Syncs]);
}

#[test]
fn a_notifier_that_drops_messages_is_noticed() {
    noticed(Sabotage::MessagesDropped, &[Invariant::Alerts]);
}

#[test]
fn a_target_that_keeps_what_it_should_remove_is_noticed() {
    noticed(Sabotage::WithdrawalsForgotten, &[Invariant::Syncs]);
}

#[cfg(feature = "sqlite")]
#[test]
fn worlds_over_a_file_come_right() {
    for seed in 0..2 {
        let directory = tempfile::tempdir().unwrap();
        let store = chancery::store::sqlite::SqliteStore::open(directory.path().join("world.sqlite")).unwrap();
        Simulation::new(seed).moves(30).run(store).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
