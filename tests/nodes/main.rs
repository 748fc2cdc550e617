//! Proof by processes: workers that are killed and paused while they renew a fleet, and a file whose writer is killed a
//! hundred times. Each process is this program again, in a role.
//!
//! `NODES_CERTIFICATES` is the size of the fleet: 10,000 if not set, and some thousands at least. `NODES_SEED` repeats what a
//! seed drew, as far as processes can be repeated.
#![cfg_attr(unix, allow(clippy::unwrap_used, reason = "a proof that can not go on has failed"))]

#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod chance;
#[cfg(unix)]
mod fleet;
#[cfg(unix)]
mod killed;
#[cfg(unix)]
mod office;
#[cfg(all(unix, feature = "postgres"))]
#[path = "../support/postgres.rs"]
mod postgres;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod roles;

/// What is shown, by name; words on the command line choose among them.
#[cfg(unix)]
const PROOFS: &[(&str, fn())] = &[
    ("sqlite_killed", killed::a_file_outlives_its_writers),
    ("sqlite_nodes", fleet::two_on_one_file),
    #[cfg(feature = "postgres")]
    ("postgres_nodes", fleet::four_on_one_server),
];

#[cfg(unix)]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, orders] = &words[..]
        && let Some(role) = role.strip_prefix("role:")
    {
        return roles::play(role, orders);
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for (name, proof) in PROOFS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            let begun = std::time::Instant::now();
            println!("{name} …");
            proof();
            println!("{name}: shown in {:.0?}", begun.elapsed());
        }
    }
}

#[cfg(not(unix))]
fn main() {}
