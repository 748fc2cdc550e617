//! Limits per account and per identifier, with the time to wait.

use chancery::domain::acme::ProblemKind;
use chancery::domain::{AcmeChecks, AcmeLimits, AcmeSettings, Rate, Span};
use chancery::store::MemoryStore;
use time::Duration;

use super::scene::{Scene, ask, problem};
use super::support::bodies;

fn settings(limits: AcmeLimits) -> AcmeSettings {
    AcmeSettings { checks: AcmeChecks::SkipOwnership, limits, ..AcmeSettings::default() }
}

#[tokio::test]
async fn an_account_waits_and_others_do_not() {
    let rate = Some(Rate { count: 3, per: Span::hours(3) });
    let store = MemoryStore::new();
    let scene =
        Scene::over(store.clone(), settings(AcmeLimits { orders_per_account: rate, ..AcmeLimits::default() })).await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    for name in ["a.example.com", "b.example.com", "c.example.com"] {
        scene.order(&account, &[name]).await;
    }
    let refused = problem(scene.server.new_order(&account, ask(&["d.example.com"])).await);
    assert_eq!((refused.kind, refused.retry_after), (ProblemKind::RateLimited, Some(Span::hours(1))));
    scene.order(&other, &["d.example.com"]).await;
    scene.world.clock.advance(Duration::HOUR);
    scene.order(&account, &["d.example.com"]).await;
    assert!(scene.server.new_order(&account, ask(&["e.example.com"])).await.is_err());
    assert_eq!(bodies(&store, "acme_order").await.len(), 5, "what was refused left nothing");
    scene.world.clock.advance(Duration::hours(4));
    scene.work().await;
    assert!(bodies(&store, "acme_meter").await.is_empty(), "meters that ran empty are collected");
}

#[tokio::test]
async fn an_identifier_is_ordered_so_often_whoever_asks() {
    let rate = Some(Rate { count: 1, per: Span::hours(1) });
    let scene = Scene::with(settings(AcmeLimits { orders_per_identifier: rate, ..AcmeLimits::default() })).await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    scene.order(&account, &["a.example.com", "b.example.com"]).await;
    scene.world.clock.advance(Duration::minutes(10));
    let refused = problem(scene.server.new_order(&other, ask(&["b.example.com", "c.example.com"])).await);
    assert_eq!((refused.kind, refused.retry_after), (ProblemKind::RateLimited, Some(Span::minutes(50))));
    scene.order(&other, &["c.example.com"]).await;
}

#[tokio::test]
async fn many_at_once_do_not_pass_the_limit() {
    let rate = Some(Rate { count: 5, per: Span::hours(5) });
    let scene = Scene::with(settings(AcmeLimits { orders_per_account: rate, ..AcmeLimits::default() })).await;
    let account = scene.account(1).await;
    let names: Vec<String> = (0..20).map(|at| format!("h{at}.example.com")).collect();
    let asks = names.iter().map(|name| scene.server.new_order(&account, ask(&[name])));
    let answers = futures_util::future::join_all(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
}
