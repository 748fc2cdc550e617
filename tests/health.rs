//! Health and readiness: the store is looked at for a bounded time, and once for all who ask.
#![cfg(all(feature = "conformance", feature = "status"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use axum::body::Body;
use chancery::front::Health;
use chancery::store::MemoryStore;
use chancery::store::faulty::{Fault, FaultyStore, Verb};
use http::{Request, StatusCode};
use time::Duration;
use tower::ServiceExt;

use support::World;

type Watched = Arc<FaultyStore<MemoryStore>>;

async fn open() -> (World, Watched, Health) {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let world = World::over(Arc::clone(&store)).await;
    // Waiting is over at once, so that what hangs is given up at once.
    let health = Health::new(&world.engine, |_| std::future::ready(()));
    (world, store, health)
}

async fn asked(health: &Health, path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    health.clone().router().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn one_look_does_for_all_who_ask_within_a_second() {
    let (world, store, health) = open().await;
    let before = store.calls(Verb::Scan);
    assert_eq!(asked(&health, "/readyz").await, StatusCode::OK);
    let looked = store.calls(Verb::Scan) - before;
    for _ in 0..100 {
        assert_eq!(asked(&health, "/readyz").await, StatusCode::OK);
    }
    assert_eq!(store.calls(Verb::Scan), before + looked, "it looks once");
    world.clock.advance(Duration::SECOND);
    assert_eq!(asked(&health, "/readyz").await, StatusCode::OK);
    assert_eq!(store.calls(Verb::Scan), before + looked * 2, "it looks again");
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_is_told_and_its_return_too() {
    for fault in [Fault::Unavailable, Fault::HangBefore] {
        let (world, store, health) = open().await;
        store.inject(Verb::Scan, store.calls(Verb::Scan) + 1, fault);
        assert_eq!(asked(&health, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        assert_eq!(asked(&health, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "for a second: {fault:?}");
        assert_eq!(asked(&health, "/healthz").await, StatusCode::OK, "the process lives");
        world.clock.advance(Duration::SECOND);
        assert_eq!(asked(&health, "/readyz").await, StatusCode::OK, "{fault:?}");
    }
}
