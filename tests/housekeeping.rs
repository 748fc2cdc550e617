//! What is long over is removed, and nothing that is still needed.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::Span;
use chancery::engine::{Engine, Error, Retention};
use chancery::store::MemoryStore;
use support::{Hand, Mood, World, bodies, builder, slug};
use time::Duration;

async fn sweep(world: &World, days: i64) {
    for _ in 0..days {
        world.clock.advance(Duration::days(1));
        for _ in 0..8 {
            world.engine.run_due(100).await.unwrap();
        }
    }
}

async fn count(store: &Arc<MemoryStore>, kind: &str) -> usize {
    bodies(store, kind).await.len()
}

#[tokio::test]
async fn certificates_go_with_key_number_and_request_once_their_time_is_over() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let retention = Retention { certificates: Some(Span::days(10)), ..Retention::default() };
    let world = World::of(builder(Arc::clone(&store), &clock, 1).retention(retention), clock).await;
    for at in 0..450 {
        world.issue(&format!("host-{at}.example.com")).await;
    }
    assert_eq!(
        (count(&store, "certificate").await, count(&store, "serial").await),
        (451, 451),
        "one is the root's own"
    );
    sweep(&world, 90 + 9).await;
    assert_eq!(count(&store, "certificate").await, 451, "they ended nine days ago");
    sweep(&world, 3).await;
    assert_eq!(count(&store, "certificate").await, 1);
    assert_eq!(count(&store, "serial").await, 1);
    assert_eq!(count(&store, "private_key").await, 0);
    assert_eq!(count(&store, "request").await, 0);
    let told = bodies(&store, "event").await;
    let pruned = told.iter().filter(|event| event["event"] == "records-pruned");
    assert_eq!(pruned.map(|event| event["count"].as_u64().unwrap()).sum::<u64>(), 450);
}

#[tokio::test]
async fn requests_that_came_to_nothing_go_with_the_number_that_they_held() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let hand = Hand::new();
    let retention = Retention { requests: Some(Span::days(10)), ..Retention::default() };
    let builder = builder(Arc::clone(&store), &clock, 1).signer(slug("root"), hand.clone()).retention(retention);
    let world = World::of(builder, clock).await;
    hand.will([Mood::Refuses]);
    drop(world.session("otto").submit(&world.enrollment("a.example.com")).await.unwrap());
    assert_eq!((count(&store, "request").await, count(&store, "serial").await), (1, 2));
    sweep(&world, 9).await;
    assert_eq!(count(&store, "request").await, 1);
    sweep(&world, 3).await;
    assert_eq!((count(&store, "request").await, count(&store, "serial").await), (0, 1));
}

#[tokio::test]
async fn nothing_goes_where_it_is_kept_for_ever() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(support::START));
    let retention = Retention { certificates: None, requests: None, events: None };
    let world = World::of(builder(Arc::clone(&store), &clock, 1).retention(retention), clock).await;
    world.issue("a.example.com").await;
    sweep(&world, 400).await;
    assert_eq!(count(&store, "certificate").await, 2);
    assert_eq!(count(&store, "housekeeping").await, 1);
}

#[tokio::test]
async fn a_retention_that_keeps_nothing_is_refused() {
    let retention = Retention { events: Some(Span::minutes(1)), ..Retention::default() };
    let Err(Error::Invalid { faults }) = Engine::builder().retention(retention).build().await else {
        panic!("it was accepted");
    };
    assert_eq!(faults[0].0, "retention.events");
}
