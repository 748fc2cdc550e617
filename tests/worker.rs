//! The ready-made worker, with a clock that its pauses move.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/engine.rs"]
mod support;

use std::future::{Future, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use chancery::clock::ManualClock;
use chancery::engine::Outcome;
use chancery::signer::Signer;
use chancery::store::MemoryStore;
use support::{Hand, Mood, World, bodies, builder, issued, slug};

/// Sleeps by moving the clock, and counts.
#[derive(Clone)]
struct Bed {
    clock: Arc<ManualClock>,
    nights: Arc<AtomicUsize>,
}

impl Bed {
    fn sleep(&self) -> impl Fn(Duration) -> std::future::Ready<()> {
        let bed = self.clone();
        move |time| {
            bed.clock.advance(time.try_into().unwrap());
            bed.nights.fetch_add(1, Ordering::SeqCst);
            ready(())
        }
    }

    /// Ready once the worker has slept `nights` times.
    fn after(&self, nights: usize) -> impl Future<Output = ()> + use<> {
        let slept = Arc::clone(&self.nights);
        poll_fn(move |_| if slept.load(Ordering::SeqCst) >= nights { Poll::Ready(()) } else { Poll::Pending })
    }
}

async fn world(hand: &Hand) -> (World, Bed, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let builder = builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone());
    let world = World::of(builder, Arc::clone(&clock)).await;
    (world, Bed { clock, nights: Arc::default() }, store)
}

#[tokio::test]
async fn it_finishes_what_was_cut_off_and_stops_when_told() {
    let hand = Hand::new();
    let (world, bed, store) = world(&hand).await;
    hand.will([Mood::Unavailable, Mood::UnknownDone, Mood::Unavailable]);
    let Outcome::Pending(_) = world.session("otto").submit(&world.enrollment("a.example.com")).await.unwrap() else {
        panic!("the signer was not available");
    };
    // Each round sleeps once for its patience, which passes only if nothing answers, and once between rounds.
    let worker = world.engine.worker(bed.sleep()).longest_pause(Duration::from_secs(120));
    worker.run(bed.after(60)).await;
    assert_eq!(bodies(&store, "request").await[0]["state"]["state"], "issued");
    assert_eq!(hand.signed().len(), 2, "the lost one, and one more");
}

#[tokio::test]
async fn a_signer_that_never_answers_holds_up_one_round_and_not_the_worker() {
    let hand = Hand::new();
    let (world, bed, store) = world(&hand).await;
    hand.will([Mood::Unavailable, Mood::NeverAnswers]);
    drop(world.session("otto").submit(&world.enrollment("a.example.com")).await.unwrap());
    let worker = world.engine.worker(bed.sleep()).longest_pause(Duration::from_secs(120));
    worker.run(bed.after(60)).await;
    assert_eq!(bodies(&store, "request").await[0]["state"]["state"], "issued");
    let serials = bodies(&store, "serial").await;
    assert_eq!(serials.len(), 2, "the root's and one");
}

#[tokio::test]
async fn a_store_that_fails_is_asked_again_after_pauses_that_double() {
    use chancery::store::faulty::{Fault, FaultyStore, Verb};
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let world = World::over(Arc::clone(&store)).await;
    let scans = store.calls(Verb::Scan);
    for nth in 1..=20 {
        store.inject(Verb::Scan, scans + nth, Fault::Unavailable);
    }
    let bed = Bed { clock: Arc::clone(&world.clock), nights: Arc::default() };
    let begun = chancery::clock::Clock::now(world.clock.as_ref());
    world.engine.worker(bed.sleep()).longest_round(Duration::ZERO).run(bed.after(10)).await;
    let waited = chancery::clock::Clock::now(world.clock.as_ref()) - begun;
    assert!(waited >= time::Duration::seconds(1 + 2 + 4 + 8), "{waited}");
    issued(world.session("otto").submit(&world.enrollment("a.example.com")).await);
}

#[tokio::test]
async fn the_pause_ends_when_the_next_item_is_due() {
    let hand = Hand::new();
    let (world, _, _) = world(&hand).await;
    let until = async || world.engine.until_next_due().await.unwrap();
    let settle = async || while world.engine.run_due(10).await.unwrap().total() > 0 {};
    assert_eq!(until().await, Some(Duration::ZERO), "events are to be sealed");
    settle().await;
    assert_eq!(until().await, Some(Duration::from_secs(3600)), "housekeeping");
    hand.will([Mood::Unavailable]);
    drop(world.session("otto").submit(&world.enrollment("a.example.com")).await.unwrap());
    settle().await;
    assert_eq!(until().await, Some(Duration::from_secs(60)), "the signer is asked again");
    world.clock.advance(time::Duration::hours(1));
    assert_eq!(until().await, Some(Duration::ZERO));
    assert_eq!(hand.locality(), chancery::signer::Locality::Remote);
}

#[tokio::test]
async fn it_can_be_spawned() {
    let world = World::over(MemoryStore::new()).await;
    let worker = world.engine.worker(tokio::time::sleep).longest_pause(Duration::from_millis(1));
    tokio::spawn(worker.run(ready(()))).await.unwrap();
}
