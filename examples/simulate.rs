//! Simulated worlds, one for each seed: several engines over one store, in which things go wrong.
//!
//! `cargo run --release --example simulate --features simulation -- --seeds 2000`

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chancery::simulation::{Failure, Simulation, Summary};
use chancery::store::MemoryStore;
use indicatif::{ProgressBar, ProgressStyle};

const USAGE: &str = "usage: simulate [--seeds N] [--from SEED] [--moves N] [--engines N]

  --seeds N     how many worlds, 2000 if not given; a million is the long mode
  --from SEED   the first seed, 0 if not given; with --seeds 1 a failure is told again
  --moves N     how many moves each world makes, 60 if not given
  --engines N   how many engines share a store, 3 if not given";

struct Arguments {
    seeds: u64,
    from: u64,
    moves: usize,
    engines: usize,
}

fn main() -> ExitCode {
    let Some(arguments) = read_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(summary) => {
            let Summary { issued, renewed, revoked, approved, told, deployed, crashes, events, .. } = summary;
            println!("{} worlds kept every invariant", arguments.seeds);
            println!("{issued} certificates, {renewed} of them renewals, {revoked} revoked, {approved} with consent");
            println!("{told} messages, {deployed} changes at the target, {} certificates by ACME", summary.ordered);
            println!("{crashes} crashes, {events} events, {} steps", summary.steps);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            let Arguments { moves, engines, .. } = arguments;
            eprintln!("to see it again: --seeds 1 --from {} --moves {moves} --engines {engines}", failure.seed);
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { seeds: 2000, from: 0, moves: 60, engines: 3 };
    while let Some(word) = words.next() {
        let number: u64 = words.next()?.parse().ok()?;
        match word.as_str() {
            "--seeds" => arguments.seeds = number,
            "--from" => arguments.from = number,
            "--moves" => arguments.moves = usize::try_from(number).ok()?,
            "--engines" => arguments.engines = usize::try_from(number).ok()?,
            _ => return None,
        }
    }
    Some(arguments)
}

/// Runs the worlds on all processors. The first that breaks an invariant ends it.
fn run(arguments: &Arguments) -> Result<Summary, Failure> {
    let bar = ProgressBar::new(arguments.seeds).with_style(style());
    let (next, total) = (AtomicU64::new(arguments.from), Mutex::new(Ok(Summary::default())));
    let end = arguments.from + arguments.seeds;
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return;
            }
            let world = Simulation::new(seed).moves(arguments.moves).engines(arguments.engines);
            let ended = world.run(MemoryStore::new());
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *total, ended) {
                (Ok(total), Ok(summary)) => *total += summary,
                (Ok(_), Err(failure)) => {
                    *total = Err(failure);
                    next.store(end, Ordering::SeqCst);
                }
                (Err(_), _) => return,
            }
            bar.inc(1);
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    bar.finish_and_clear();
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn style() -> ProgressStyle {
    let template = "{bar:40} {pos}/{len} worlds, {per_sec}, {eta} to go";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
