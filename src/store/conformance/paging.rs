//! Checks of the clause Scans over time: pages while documents come, go and move, for one seed after the other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join;

use super::super::{Hit, Order, Over, Scan, Store, Write};
use super::check::{Outcome, Seen, checks, commit, create_at, ensure, give_way, key, name, put_with, read};
use crate::store::sequence::Sequence;

checks!("Scans":
    pages_hold_while_others_come_go_and_move,
);

const SEEDS: u64 = 6;
/// Documents that stay where they are, and others.
const STAY: u64 = 40;
const MOVE: u64 = 40;

async fn pages_hold_while_others_come_go_and_move(store: &dyn Store) -> Outcome {
    for number in 0..STAY {
        create_at(store, &format!("{:03}-stays", number * 5 % 97), &[&value(number * 7)]).await?;
    }
    for seed in 0..SEEDS {
        let order = if seed.is_multiple_of(2) { Order::Ascending } else { Order::Descending };
        let over = if seed.is_multiple_of(3) { Over::Kind("thing".into()) } else { Over::Index("place".into()) };
        let scan = Scan { order, ..Scan::new(over, 1 + usize::try_from(seed).unwrap_or(0)) };
        let done = AtomicBool::new(false);
        let (paged, moved) = join(page(store, scan, &done), move_about(store, seed, &done)).await;
        moved.and(paged).map_err(|seen| Seen(format!("seed {seed}: {}", seen.0)))?;
    }
    Ok(())
}

fn value(number: u64) -> String {
    format!("{:02}", number % 50)
}

async fn page(store: &dyn Store, scan: Scan, done: &AtomicBool) -> Outcome {
    let outcome = page_through(store, scan).await;
    done.store(true, Ordering::SeqCst);
    outcome
}

async fn page_through(store: &dyn Store, mut scan: Scan) -> Outcome {
    let (mut last, mut stayed) = (None::<Hit>, BTreeSet::new());
    loop {
        let page = store.scan(&scan).await?;
        ensure!(page.len() <= scan.limit, "a page of at most {} has {} hits", scan.limit, page.len());
        if page.is_empty() {
            break;
        }
        for hit in page {
            let behind = last.as_ref().is_none_or(|last| is_behind(last, &hit, scan.order));
            ensure!(
                behind,
                "{} follows {} in pages {:?}",
                name(&hit),
                last.map_or_else(String::new, |last| name(&last)),
                scan.order
            );
            if hit.document.key.id.ends_with("stays") {
                stayed.insert(hit.document.key.id.clone());
            }
            last = Some(hit);
        }
        scan.after = last.as_ref().map(Hit::cursor);
        // Others write between two pages, also where a store never waits.
        for _ in 0..3 {
            give_way().await;
        }
    }
    ensure!(
        stayed.len() as u64 == STAY,
        "of {STAY} documents that stayed where they are, the pages show {}",
        stayed.len()
    );
    Ok(())
}

/// Strictly: a place that was shown does not come again.
fn is_behind(last: &Hit, hit: &Hit, order: Order) -> bool {
    let (last, hit) = ((&last.value, &last.document.key), (&hit.value, &hit.document.key));
    match order {
        Order::Ascending => hit > last,
        Order::Descending => hit < last,
    }
}

async fn move_about(store: &dyn Store, seed: u64, done: &AtomicBool) -> Outcome {
    let mut chance = Sequence::new(seed);
    while !done.load(Ordering::SeqCst) {
        let id = format!("{:03}-moves", chance.next() % MOVE * 2);
        let place = value(chance.next());
        let found = read(store, &id).await?;
        let write = match found {
            Some(document) if chance.next().is_multiple_of(2) => {
                Write::Delete { key: key(&id), version: document.version }
            }
            Some(document) => put_with(&id, super::super::Expect::Version(document.version), &[("place", &place)]),
            None => put_with(&id, super::super::Expect::Absent, &[("place", &place)]),
        };
        commit(store, vec![write]).await?;
        give_way().await;
    }
    Ok(())
}
