//! Issues per second over HTTP, against the same issues by direct call and against OpenBao, in the same run.
//!
//! `cargo bench --bench http --features server` takes about a minute; with `-- --memory 100000` it also issues so many more
//! and tells how the server's resident memory went. `wrk` makes the load, on the same machine; OpenBao comes from the
//! environment `openbao` among the tools, keeps what it signs, and stores on Raft. Who is missing is left out, aloud.
//!
//! Method: all are started once and take turns in rounds of some seconds, 64 requests at a time; the median round counts. The
//! server is the example, built as the bench is, over plain HTTP, with its worker; the direct calls have a worker, too, in
//! this process. Each has its own SQLite file below `target/`, on the disk. The certificate request is the same each time, and
//! so is its signature's verification.

#![allow(clippy::unwrap_used, reason = "a bench that can not go on shall stop")]

mod bao;
mod direct;
mod load;
mod office;

use std::time::Duration;

use bao::Bao;
use direct::Direct;
use load::{Round, Wrk};
use office::Server;

const USAGE: &str = "usage: http [--connections N] [--seconds N] [--rounds N] [--memory N]

  --connections  how many requests are under way at once; 64 if not given
  --seconds      how long a round is; 5 if not given
  --rounds       how many rounds each has; 3 if not given
  --memory       how many certificates are issued to see what memory they take; none if not given";

/// What is asked for, with the certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Csr,
    Managed,
}

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Self::Csr => "on a P-256 request",
            Self::Managed => "on a managed P-256 key",
        }
    }
}

struct Settings {
    connections: usize,
    length: Duration,
    rounds: usize,
    memory: u64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(settings) = read(&words) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let Some(wrk) = Wrk::find(settings.connections) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, bao) = (Server::start(), Bao::start());
    let direct = runtime.block_on(Direct::new());
    println!("{:<46} {:>10} {:>10} {:>8}", "", "a second", "p99", "ratio");
    for ask in [Ask::Csr, Ask::Managed] {
        let mut rounds: [Vec<Round>; 3] = Default::default();
        for _ in 0..settings.rounds {
            rounds[0].push(runtime.block_on(direct.round(ask, &settings)));
            rounds[1].push(wrk.round(&server.load(ask), settings.length));
            rounds[2].extend(bao.as_ref().map(|bao| wrk.round(&bao.load(ask), settings.length)));
        }
        let [direct, http, peer] = rounds.map(Round::median);
        let (direct, http) = (direct.unwrap(), http.unwrap());
        row(&format!("direct call, {}", ask.name()), &direct, None);
        row(&format!("HTTP, {}", ask.name()), &http, Some(http.per_second / direct.per_second));
        if let Some(peer) = peer {
            row(&format!("OpenBao, {}", ask.name()), &peer, None);
            row("HTTP against OpenBao", &http, Some(http.per_second / peer.per_second));
        }
    }
    if settings.memory > 0 {
        memory(&server, &wrk, &settings);
    }
}

fn read(words: &[String]) -> Option<Settings> {
    let mut settings = Settings { connections: 64, length: Duration::from_secs(5), rounds: 3, memory: 0 };
    for pair in words.chunks(2) {
        let [word, value] = pair else { return None };
        let number: u64 = value.parse().ok()?;
        match word.as_str() {
            "--connections" => settings.connections = usize::try_from(number).ok()?,
            "--seconds" => settings.length = Duration::from_secs(number.max(1)),
            "--rounds" => settings.rounds = usize::try_from(number.max(1)).ok()?,
            "--memory" => settings.memory = number,
            _ => return None,
        }
    }
    Some(settings)
}

fn row(what: &str, round: &Round, ratio: Option<f64>) {
    let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    println!("{what:<46} {:>10.0} {:>7.1} ms {ratio:>8}", round.per_second, round.p99.as_secs_f64() * 1000.0);
}

/// Issues until it is enough, and tells the resident memory on the way.
fn memory(server: &Server, wrk: &Wrk, settings: &Settings) {
    let (mut issued, mut seen) = (0, vec![(0, server.resident_kib())]);
    while issued < settings.memory {
        issued += wrk.round(&server.load(Ask::Csr), settings.length).requests;
        seen.push((issued, server.resident_kib()));
    }
    println!("resident memory over {issued} issues by HTTP:");
    for (issued, kib) in &seen {
        println!("{issued:>10} {:>8.1} MiB", *kib as f64 / 1024.0);
    }
    // What grows at first is caches; a leak goes on in the second half.
    let half = seen[seen.len() / 2];
    let (last, kib) = seen[seen.len() - 1];
    let growth = (kib as f64 - half.1 as f64) * 1024.0 / (last - half.0).max(1) as f64;
    println!("{growth:.0} bytes for each certificate in the second half");
}
