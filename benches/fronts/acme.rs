//! Whole orders per second over TLS on loopback, the account reused, with P-256: newOrder, what must be proved, finalize and
//! the download.
//!
//! Pebble believes every challenge, as the directory of ours that it is compared with skips them. Caddy and OpenBao look, so
//! ours is measured once more with http-01: all three ask the same responder at port 80. What is ordered is addresses of the
//! loopback network, which need no name server: Caddy can not be told to ask another than the machine's.

use std::path::PathBuf;

use instant_acme::Account;

use crate::bao::Bao;
use crate::caddy::Caddy;
use crate::orders::Client;
use crate::pebble::Pebble;
use crate::server::Server;
use crate::{Round, Settings};

/// A server with an account.
struct Peer {
    name: &'static str,
    is_ours: bool,
    account: Account,
    rounds: Vec<Round>,
}

pub(crate) async fn measure(settings: &Settings) {
    let client = Client::new();
    let answers = client.answer().await;
    let server = Server::acme();
    let root = server.root().unwrap();
    let account = client.bound(server.directory("bound"), &root, server.binding().await).await;
    let mut peers = vec![Peer { name: "ours, nothing to prove", is_ours: true, account, rounds: Vec::new() }];
    let mut join = async |(name, is_ours), directory: String, root: PathBuf| {
        let account = client.account(directory, &root).await;
        peers.push(Peer { name, is_ours, account, rounds: Vec::new() });
    };
    let pebble = Pebble::start();
    if let Some(pebble) = &pebble {
        join(("pebble, everything believed", false), pebble.directory.clone(), pebble.root.clone()).await;
    }
    let (mut caddy, mut bao) = (None, None);
    if answers {
        join(("ours, http-01", true), server.directory("proving"), root).await;
        caddy = Caddy::start();
        bao = Bao::start().await;
    }
    if let Some(caddy) = &caddy {
        join(("Caddy, http-01", false), caddy.directory.clone(), caddy.root.clone()).await;
    }
    if let Some(bao) = &bao {
        let (directory, root) = bao.acme().await;
        join(("OpenBao, http-01", false), directory, root).await;
    }
    for _ in 0..settings.rounds {
        for peer in &mut peers {
            let (round, failed) = client.round(&peer.account, settings).await;
            eprintln!("{}: {:.0} a second, {failed} came to nothing", peer.name, round.per_second);
            assert!(failed == 0 || !peer.is_ours, "{failed} orders failed");
            peer.rounds.push(round);
        }
    }
    let median = |mut peer: Peer| {
        let round = Round::median(std::mem::take(&mut peer.rounds)).unwrap();
        (peer, round)
    };
    let medians: Vec<(Peer, Round)> = peers.into_iter().map(median).collect();
    let ours = medians.iter().filter(|(peer, _)| peer.is_ours);
    let ours: Vec<f64> = ours.map(|(_, round)| round.per_second).collect();
    for (peer, round) in &medians {
        let ratios: Vec<String> = ours.iter().map(|ours| format!("{:.2}", ours / round.per_second)).collect();
        round.row(peer.name, &format!("  ours to it: {}", ratios.join(" without proof, ")));
    }
}
