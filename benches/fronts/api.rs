//! Issues per second over the JSON API. The certificate request is the same each time, and so is its signature's
//! verification; OpenBao keeps what it signs, and stores on Raft.

use crate::bao::Bao;
use crate::direct::Direct;
use crate::server::Server;
use crate::wrk::Wrk;
use crate::{Round, Settings};

/// How many requests are under way at once.
pub(crate) const CONNECTIONS: usize = 64;

/// What is asked for, with the certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
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

pub(crate) async fn measure(settings: &Settings) {
    let Some(wrk) = Wrk::find(settings.connections.unwrap_or(CONNECTIONS)) else { return };
    let (server, bao) = (Server::plain(), Bao::start().await);
    let direct = Direct::new().await;
    for ask in [Ask::Csr, Ask::Managed] {
        let load = server.load(ask).await;
        let mut rounds: [Vec<Round>; 3] = Default::default();
        for _ in 0..settings.rounds {
            rounds[0].push(direct.round(ask, settings).await);
            rounds[1].push(wrk.round(&load, settings.length));
            rounds[2].extend(bao.as_ref().map(|bao| wrk.round(&bao.load(ask), settings.length)));
        }
        let [direct, http, peer] = rounds.map(Round::median);
        let (direct, http) = (direct.unwrap(), http.unwrap());
        direct.row(&format!("direct call, {}", ask.name()), "");
        http.row(&format!("HTTP, {}", ask.name()), &format!("{:.2}", http.per_second / direct.per_second));
        if let Some(peer) = peer {
            peer.row(&format!("OpenBao, {}", ask.name()), "");
            http.row("HTTP against OpenBao", &format!("{:.2}", http.per_second / peer.per_second));
        }
    }
    if settings.memory > 0 {
        memory(&server, &wrk, settings).await;
    }
}

/// Issues until it is enough, and tells the resident memory on the way.
async fn memory(server: &Server, wrk: &Wrk, settings: &Settings) {
    let load = server.load(Ask::Csr).await;
    let (mut issued, mut seen) = (0, vec![(0, server.resident_kib())]);
    while issued < settings.memory {
        issued += wrk.round(&load, settings.length).requests;
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
