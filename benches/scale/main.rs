//! What operations cost among ten thousand certificates and among a million, on durable stores.
//!
//! `cargo bench --bench scale --features sqlite -- --sizes 10000,100000,1000000` prints tables, and draws
//! `target/scale.svg`. Without words it takes about a minute, with 10,000 certificates.
//!
//! Method: each store and size has a process of its own, so that memory is its own, and a store in a new folder under
//! `target/`, on the disk. The fleet is issued through the engine, by many callers whose commits are joined into few: the
//! documents, entries and sizes are those of any issue, and all events are sealed. Each operation is then done once over
//! what it will read, which is not counted, and the median of many repetitions counts. Callers who wait for each commit
//! alone, and 64 at once, take turns in the same process. Bytes on disk are those after a checkpoint.

#![allow(clippy::unwrap_used, reason = "a bench that can not go on shall stop")]

mod claims;
mod fleet;
mod grouped;
mod measure;
mod operations;
mod place;
mod plot;
#[cfg(feature = "postgres")]
#[path = "../../tests/support/postgres.rs"]
mod postgres;
mod table;

use std::process::{Command, Stdio};

use measure::Measured;
use place::Place;

const USAGE: &str = "usage: scale [--sizes N,N] [--stores sqlite,postgres]

  --sizes    how many certificates, hundreds of them; 10000 if not given
  --stores   over which stores; all that are built in if not given";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, store, size] = &words[..]
        && role == "measure"
    {
        let measured = measure::measure(store.parse().unwrap(), size.parse().unwrap());
        println!("{}", serde_json::to_string(&measured).unwrap());
        return;
    }
    let Some((stores, sizes)) = read(&words) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let mut all: Vec<Measured> = Vec::new();
    for store in stores {
        let of_store: Vec<Measured> = sizes.iter().map(|size| measured_apart(store, *size)).collect();
        table::print(&of_store);
        all.extend(of_store);
    }
    println!("drawn: {}", plot::draw(&all).display());
}

/// The stores and the sizes that are asked for.
fn read(words: &[String]) -> Option<(Vec<Place>, Vec<usize>)> {
    let (mut stores, mut sizes): (_, Vec<usize>) = (Place::ALL.to_vec(), vec![10_000]);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--sizes" => sizes = words.next()?.split(',').map(|size| size.parse().ok()).collect::<Option<_>>()?,
            "--stores" => stores = words.next()?.split(',').map(|store| store.parse().ok()).collect::<Option<_>>()?,
            // What cargo says to every bench.
            "--bench" => {}
            _ => return None,
        }
    }
    sizes.sort_unstable();
    let are_whole = sizes.iter().all(|size| *size > 0 && size.is_multiple_of(fleet::UNDER));
    (are_whole && !sizes.is_empty() && !stores.is_empty()).then_some((stores, sizes))
}

/// Measures in a process of its own.
fn measured_apart(store: Place, size: usize) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let child = command.args(["measure", store.name(), &size.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{} with {size} certificates could not be measured", store.name());
    serde_json::from_slice(&output.stdout).unwrap()
}
