//! Proofs of control: looked at by due work, again after a while, and good for further orders.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use chancery::challenge::scripted::{Answer, ScriptedVerifier};
use chancery::challenge::{CaaCheck, Challenge, ChallengeFailure, ChallengeVerifier, Networks};
use chancery::clock::ManualClock;
use chancery::domain::acme::{
    Account, AuthorizationStatus, ChallengeKind, ChallengeState, Identifier, OrderStatus, ProblemKind, ValidationFault,
};
use chancery::domain::{AcmeChecks, AcmeNetworks, AcmeSettings};
use chancery::engine::acme::NewOrder;
use chancery::store::MemoryStore;
use futures_util::FutureExt;
use futures_util::future::{Either, pending, select};
use time::Duration;

use super::scene::{Scene, ask, kind};
use super::support::{START, World, builder, events};

fn settings() -> AcmeSettings {
    AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }
}

/// What comes of something beside a worker whose pauses never end by themselves; only the breath that it takes after it is woken
/// does.
async fn beside_a_worker<T>(scene: &Scene, client: impl Future<Output = T>) -> T {
    let sleep = async |time: std::time::Duration| {
        if time.as_millis() > 100 {
            pending::<()>().await
        }
    };
    match select(pin!(scene.world.engine.worker(sleep).run(pending())), pin!(client)).await {
        Either::Right((done, _)) => done,
        Either::Left(_) => unreachable!("nobody stops it"),
    }
}

/// How a new order's authorization stands after a while.
async fn stands(scene: &Scene, account: &Account, name: &str) -> AuthorizationStatus {
    let order = scene.order(account, &[name]).await;
    scene.answer(account, &order, ChallengeKind::Dns01).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    scene.authorization(account, &order, 0).await.status
}

#[tokio::test]
async fn a_worker_that_sleeps_looks_at_once() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let stands = beside_a_worker(&scene, stands(&scene, &account, "a.example.com")).await;
    assert_eq!(stands, AuthorizationStatus::Valid);
}

#[tokio::test]
async fn a_look_that_never_ends_holds_up_no_other() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    scene.verifier.always(Identifier::dns("hangs.example.com").unwrap(), Answer::Hangs);
    let client = async {
        assert_eq!(stands(&scene, &account, "hangs.example.com").await, AuthorizationStatus::Pending);
        stands(&scene, &account, "a.example.com").await
    };
    assert_eq!(beside_a_worker(&scene, client).await, AuthorizationStatus::Valid);
}

/// A verifier whose look ends when it is let.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<tokio::sync::Notify>);

#[async_trait::async_trait]
impl ChallengeVerifier for Slow {
    fn longest_call(&self) -> std::time::Duration {
        std::time::Duration::from_secs(10)
    }

    async fn verify(&self, _: &Challenge) -> Result<(), ChallengeFailure> {
        self.0.notified().await;
        Ok(())
    }

    async fn check_caa(&self, _: &CaaCheck) -> Result<(), ChallengeFailure> {
        Ok(())
    }
}

#[tokio::test]
async fn a_look_that_is_under_way_ends_before_the_worker() {
    let (clock, slow) = (Arc::new(ManualClock::new(START)), Slow::default());
    let builder = builder(MemoryStore::new(), &clock, 1).challenge_verifier(slow.clone());
    let scene = Scene::of(World::of(builder, clock).await, ScriptedVerifier::default(), settings()).await;
    let account = scene.account(1).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut worker = pin!(scene.world.engine.worker(|_| pending::<()>()).run(async { drop(stopped.await) }));
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.answer(&account, &order, ChallengeKind::Dns01).await;
    for _ in 0..100 {
        assert!(worker.as_mut().now_or_never().is_none());
    }
    drop(stop);
    for _ in 0..100 {
        assert!(worker.as_mut().now_or_never().is_none(), "the look is not over");
    }
    slow.0.notify_one();
    worker.await;
    assert_eq!(scene.authorization(&account, &order, 0).await.status, AuthorizationStatus::Valid);
}

#[tokio::test]
async fn nothing_is_looked_at_before_due_work_runs_nor_before_the_client_is_ready() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.work().await;
    assert!(scene.verifier.asked().is_empty());
    scene.answer(&account, &order, ChallengeKind::Dns01).await;
    assert!(scene.verifier.asked().is_empty(), "not within the request");
    let waiting = scene.authorization(&account, &order, 0).await;
    assert!(waiting.retry_after.is_some());
    scene.work().await;
    let asked = scene.verifier.asked();
    assert_eq!(asked.len(), 1);
    let token = &waiting.authorization.token;
    assert_eq!((asked[0].kind, &asked[0].token, asked[0].networks), (ChallengeKind::Dns01, token, Networks::Public));
    assert_eq!(asked[0].key_authorization, format!("{token}.{}", account.key.thumbprint));
    let done = scene.authorization(&account, &order, 0).await;
    assert_eq!(done.status, AuthorizationStatus::Valid);
    assert_eq!(done.challenges.len(), 1);
    // To answer again changes nothing.
    scene.answer(&account, &order, ChallengeKind::Dns01).await;
    scene.work().await;
    assert_eq!(scene.verifier.asked().len(), 1);
}

#[tokio::test]
async fn three_looks_with_back_off_and_then_the_order_is_invalid() {
    let store = MemoryStore::new();
    let scene = Scene::over(store.clone(), settings()).await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com", "b.example.com"]).await;
    scene
        .verifier
        .always(Identifier::dns("a.example.com").unwrap(), Answer::Failed(ValidationFault::IncorrectResponse));
    let mut order = scene.prove(&account, &order).await;
    let mut looks = Vec::new();
    for _ in 0..40 {
        scene.world.clock.advance(Duration::SECOND);
        scene.work().await;
        looks.push(scene.verifier.asked().iter().filter(|asked| asked.identifier.value() == "a.example.com").count());
        order = scene.server.order(&account, order.order.id).await.unwrap();
    }
    assert_eq!(
        (looks[3], looks[4], looks[18], looks[20], looks[39]),
        (1, 2, 2, 3, 3),
        "after 5 and 15 seconds: {looks:?}"
    );
    assert_eq!(order.status, OrderStatus::Invalid);
    let error = order.error.unwrap();
    assert_eq!(error.kind, ProblemKind::IncorrectResponse);
    assert_eq!(error.subproblems[0].identifier, Some(Identifier::dns("a.example.com").unwrap()));
    let failed = scene.authorization(&account, &order_view(&scene, &account, order.order.id).await, 0).await;
    assert_eq!(failed.status, AuthorizationStatus::Invalid);
    assert!(failed.challenges.iter().any(|each| matches!(each.state, ChallengeState::Invalid { .. })));
    assert!(events(&store).await.iter().any(|event| event == "acme-identifier-not-proved"));
}

async fn order_view(
    scene: &Scene,
    account: &Account,
    id: chancery::domain::AcmeOrderId,
) -> chancery::engine::acme::OrderView {
    scene.server.order(account, id).await.unwrap()
}

#[tokio::test]
async fn a_look_that_fails_and_then_succeeds_is_good() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.verifier.will([Answer::Failed(ValidationFault::Connection), Answer::Failed(ValidationFault::Dns)]);
    let order = scene.prove(&account, &order).await;
    let state = scene.authorization(&account, &order, 0).await.challenges[0].state.clone();
    assert!(matches!(state, ChallengeState::Processing { attempts: 1, error: Some(_), .. }), "{state:?}");
    scene.world.clock.advance(Duration::seconds(5));
    scene.work().await;
    scene.world.clock.advance(Duration::seconds(15));
    scene.work().await;
    assert_eq!(scene.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Ready);
}

#[tokio::test]
async fn what_the_host_forbids_is_not_tried_again() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["10.0.0.1"]).await;
    scene.verifier.will([Answer::Failed(ValidationFault::RejectedIdentifier)]);
    let order = scene.prove(&account, &order).await;
    assert_eq!(order.status, OrderStatus::Invalid);
    assert_eq!(order.error.unwrap().kind, ProblemKind::RejectedIdentifier);
}

#[tokio::test]
async fn an_outage_of_the_verifier_counts_as_no_attempt() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.verifier.goes_down();
    let order = scene.prove(&account, &order).await;
    for _ in 0..30 {
        scene.world.clock.advance(Duration::MINUTE);
        scene.work().await;
    }
    assert!(scene.verifier.asked().len() > 20);
    assert_eq!(scene.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Pending);
    scene.verifier.comes_back();
    scene.world.clock.advance(Duration::MINUTE);
    scene.work().await;
    assert_eq!(scene.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Ready);
}

#[tokio::test]
async fn what_could_not_be_looked_at_for_a_day_has_expired() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.verifier.goes_down();
    scene.prove(&account, &order).await;
    scene.world.clock.advance(Duration::days(2));
    scene.verifier.comes_back();
    scene.work().await;
    assert_eq!(scene.authorization(&account, &order, 0).await.status, AuthorizationStatus::Expired);
    assert_eq!(scene.verifier.asked().len(), 1, "nobody looks any more");
    scene.world.clock.advance(Duration::days(8));
    scene.work().await;
    let gone = scene.server.authorization(&account, order.order.authorizations[0]).await;
    assert_eq!(kind(gone), ProblemKind::Malformed);
}

#[tokio::test]
async fn a_worker_that_never_comes_back_is_replaced_and_its_look_counts() {
    let scene = Scene::with(AcmeSettings { attempts: 2, ..settings() }).await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.verifier.will([Answer::Hangs, Answer::Failed(ValidationFault::Connection)]);
    scene.answer(&account, &order, ChallengeKind::Http01).await;
    let round = scene.world.engine.run_due(10);
    assert!(round.now_or_never().is_none(), "the verifier hangs");
    scene.work().await;
    assert_eq!(scene.verifier.asked().len(), 1, "it is not taken from a worker that may still look");
    scene.world.clock.advance(Duration::minutes(5));
    scene.work().await;
    assert_eq!(scene.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Invalid);
}

#[tokio::test]
async fn wildcards_and_addresses_have_their_own_challenges() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["*.example.com", "10.0.0.1", "a.example.com"]).await;
    let mut seen = Vec::new();
    for at in 0..3 {
        let view = scene.authorization(&account, &order, at).await;
        let kinds: Vec<&str> = view.challenges.iter().map(|each| each.kind.as_str()).collect();
        seen.push((view.identifier(), view.authorization.identifier.is_wildcard(), kinds));
    }
    assert_eq!(
        seen,
        [
            (("dns", "example.com".to_owned()), true, vec!["dns-01"]),
            (("dns", "a.example.com".to_owned()), false, vec!["http-01", "dns-01", "tls-alpn-01"]),
            (("ip", "10.0.0.1".to_owned()), false, vec!["http-01", "tls-alpn-01"]),
        ]
    );
    let only_http = AcmeSettings { challenges: vec![ChallengeKind::Http01], ..settings() };
    scene.set(only_http).await;
    assert_eq!(kind(scene.server.new_order(&account, ask(&["*.example.com"])).await), ProblemKind::RejectedIdentifier);
}

#[tokio::test]
async fn a_proof_is_good_for_the_next_order_of_the_same_account_for_a_while() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let first = scene.ready(&account, &["a.example.com"]).await;
    let second = scene.order(&account, &["a.example.com", "b.example.com"]).await;
    assert_eq!(second.order.authorizations[0], first.order.authorizations[0]);
    assert_eq!(second.status, OrderStatus::Pending);
    let other = scene.account(2).await;
    assert_ne!(scene.order(&other, &["a.example.com"]).await.order.authorizations, first.order.authorizations);
    let wild = scene.order(&account, &["*.a.example.com"]).await;
    assert_ne!(wild.order.authorizations[0], first.order.authorizations[0]);
    scene.world.clock.advance(Duration::hours(7));
    let late = scene.order(&account, &["a.example.com"]).await;
    assert_ne!(late.order.authorizations[0], first.order.authorizations[0], "too little is left of it");
    // What was given up is not used again.
    let fresh = scene.prove(&account, &late).await;
    scene.server.deactivate_authorization(&account, fresh.order.authorizations[0]).await.unwrap();
    assert_eq!(scene.server.order(&account, fresh.order.id).await.unwrap().status, OrderStatus::Invalid);
    let again = scene.order(&account, &["a.example.com"]).await;
    assert_ne!(again.order.authorizations[0], fresh.order.authorizations[0]);
    let refused = scene.server.deactivate_authorization(&account, fresh.order.authorizations[0]).await;
    assert_eq!(kind(refused), ProblemKind::Unauthorized);
}

#[tokio::test]
async fn what_was_waived_is_not_used_again() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let first = scene.order(&account, &["a.example.com"]).await;
    scene.set(AcmeSettings::default()).await;
    let second = scene.order(&account, &["a.example.com"]).await;
    assert_eq!(second.status, OrderStatus::Pending);
    assert_ne!(second.order.authorizations, first.order.authorizations);
}

#[tokio::test]
async fn caa_records_are_asked_where_they_are_configured() {
    let caa = vec!["ca.example.com".to_owned()];
    let scene = Scene::with(AcmeSettings { caa: caa.clone(), networks: AcmeNetworks::AlsoPrivate, ..settings() }).await;
    let account = scene.account(1).await;
    let account_url = Some("https://ca.example.com/acme/account/1".to_owned());
    let order = NewOrder { account_url: account_url.clone(), ..ask(&["*.example.com", "10.0.0.1"]) };
    let order = scene.server.new_order(&account, order).await.unwrap();
    assert_eq!(scene.prove(&account, &order).await.status, OrderStatus::Ready);
    let asked = scene.verifier.caa_asked();
    assert_eq!(asked.len(), 1, "an address has none");
    assert_eq!(
        (asked[0].name.as_str(), &asked[0].issuers, asked[0].method),
        ("*.example.com", &caa, ChallengeKind::Dns01)
    );
    assert_eq!(asked[0].account_url, account_url);
    assert!(scene.verifier.asked().iter().all(|asked| asked.networks == Networks::AlsoPrivate));
    scene.verifier.caa_forbids();
    let order = scene.order(&account, &["b.example.com"]).await;
    let order = scene.prove(&account, &order).await;
    for _ in 0..60 {
        scene.world.clock.advance(Duration::SECOND);
        scene.work().await;
    }
    let order = scene.server.order(&account, order.order.id).await.unwrap();
    assert_eq!(order.error.unwrap().kind, ProblemKind::Caa);
}

#[tokio::test]
async fn two_challenges_may_be_tried_and_the_first_that_is_met_counts() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.verifier.will([Answer::Failed(ValidationFault::Connection), Answer::There]);
    scene.answer(&account, &order, ChallengeKind::Http01).await;
    scene.answer(&account, &order, ChallengeKind::Dns01).await;
    scene.work().await;
    let done = scene.authorization(&account, &order, 0).await;
    assert_eq!(done.status, AuthorizationStatus::Valid);
    scene.world.clock.advance(Duration::minutes(5));
    scene.work().await;
    assert_eq!(scene.verifier.asked().len(), 2);
}
