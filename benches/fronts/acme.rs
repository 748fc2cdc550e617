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
    account: Account,
    rounds: Vec<Round>,
}

pub(crate) async fn measure(settings: &Settings) {
    let client = Client::new();
    let answers = client.answer().await;
    let server = Server::acme().await;
    let root = server.root().unwrap();
    let account = client.bound(server.directory("bound"), &root, server.binding().await).await;
    let mut peers = vec![Peer { name: "ours, nothing to prove", account, rounds: Vec::new() }];
    let mut join = async |name, directory: String, root: PathBuf| {
        let account = client.account(directory, &root).await;
        peers.push(Peer { name, account, rounds: Vec::new() });
    };
    let pebble = Pebble::start();
    if let Some(pebble) = &pebble {
        join("pebble, everything believed", pebble.directory.clone(), pebble.root.clone()).await;
    }
    let (mut caddy, mut bao) = (None, None);
    if answers {
        join("ours, http-01", server.directory("proving"), root).await;
        caddy = Caddy::start();
        bao = Bao::start().await;
    }
    if let Some(caddy) = &caddy {
        join("Caddy, http-01", caddy.directory.clone(), caddy.root.clone()).await;
    }
    if let Some(bao) = &bao {
        let (directory, root) = bao.acme().await;
        join("OpenBao, http-01", directory, root).await;
    }
    for _ in 0..settings.rounds {
        for peer in &mut peers {
            let (round, failed) = client.round(&peer.account, settings).await;
            eprintln!("{}: {:.0} a second, {failed} came to nothing", peer.name, round.per_second);
            assert!(failed == 0 || !peer.name.starts_with("ours"), "{failed} orders failed");
            peer.rounds.push(round);
        }
    }
    let medians: Vec<(&str, Round)> =
        peers.into_iter().map(|peer| (peer.name, Round::median(peer.rounds).unwrap())).collect();
    let ours = medians.iter().filter(|(name, _)| name.starts_with("ours"));
    let ours: Vec<f64> = ours.map(|(_, round)| round.per_second).collect();
    for (name, round) in &medians {
        let ratios: Vec<String> = ours.iter().map(|ours| format!("{:.2}", ours / round.per_second)).collect();
        println!(
            "{name:<46} {:>10.0} {:>7.1} ms   ours to it: {}",
            round.per_second,
            round.p99.as_secs_f64() * 1000.0,
            ratios.join(" without proof, ")
        );
    }
}
