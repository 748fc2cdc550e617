//! Renewal: its load, its order, its windows and its settings.

use std::sync::Mutex;

use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

use super::*;

#[tokio::test]
async fn budgets_bound_what_a_minute_renews_over_all_workers() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    for n in 0..12 {
        issue(&world, &format!("n{n}.example.com")).await;
    }
    let budget = RenewalBudget { per_minute: Some(4), concurrent: Some(1) };
    world.session("root").set_renewal_budget(world.root.id, budget).await.unwrap();
    world.clock.advance(Duration::days(71));
    let other = builder(store.clone(), &world.clock, 2).build().await.unwrap();
    for minute in 1..=3 {
        for engine in [&world.engine, &other, &world.engine] {
            engine.run_due(100).await.unwrap();
        }
        let renewed = certificates(&store).await.len() - 12;
        assert_eq!(renewed, 4 * minute, "in minute {minute}");
        let plans = bodies(&store, "renewal").await;
        assert!(plans.iter().all(|plan| plan["state"]["state"] == "scheduled"), "putting off is no attempt: {plans:?}");
        world.clock.advance(Duration::minutes(1));
    }
}

/// A CA key that counts who is at it at once.
#[derive(Clone, Debug)]
struct Turnstile {
    key: Arc<SoftwareSigner>,
    /// Those inside, and the most that there were.
    inside: Arc<Mutex<(usize, usize)>>,
}

#[async_trait::async_trait]
impl Signer for Turnstile {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::InProcess
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        {
            let mut inside = self.inside.lock().unwrap();
            *inside = (inside.0 + 1, inside.1.max(inside.0 + 1));
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.inside.lock().unwrap().0 -= 1;
        self.key.sign(algorithm, message).await
    }
}

#[tokio::test]
async fn budgets_bound_how_many_renew_at_once_over_all_workers() {
    let store = MemoryStore::new();
    let key = Arc::new(SoftwareSigner::generate(KeyAlgorithm::P256).unwrap());
    let turnstile = Turnstile { key, inside: Arc::default() };
    let clock = Arc::new(ManualClock::new(START));
    let with_key = |seed| builder(store.clone(), &clock, seed).signer(slug("root"), turnstile.clone());
    let world = World::of(with_key(1), Arc::clone(&clock)).await;
    set_methods(&world, methods("30d")).await;
    let other = with_key(2).build().await.unwrap();
    for n in 0..40 {
        issue(&world, &format!("n{n}.example.com")).await;
    }
    world.clock.advance(Duration::days(71));
    for (concurrent, most) in [(Some(3), 3..=3), (None, 4..=16)] {
        let budget = RenewalBudget { per_minute: Some(20), concurrent };
        world.session("root").set_renewal_budget(world.root.id, budget).await.unwrap();
        *turnstile.inside.lock().unwrap() = (0, 0);
        let both = tokio::join!(world.engine.run_due(100), other.run_due(100));
        assert_eq!(both.0.unwrap().renewed + both.1.unwrap().renewed, 20);
        let seen = turnstile.inside.lock().unwrap().1;
        assert!(most.contains(&seen), "{seen} at once where {concurrent:?} may be");
        world.clock.advance(Duration::minutes(1));
    }
}

#[tokio::test]
async fn an_issuer_near_its_end_blocks_instead_of_looping() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let product = world.session("root");
    let near = IssuerSpec { ttl: Span::days(100), ..IssuerSpec::new(slug("near"), "Near Its End") };
    product.create_root(near).await.unwrap();
    let profile = Preset::TlsServer.profile(slug("near"), slug("near"), slug("web"));
    let profile = product.save_profile(profile).await.unwrap();
    let application = support::application(&world.engine, "near", &["near"]).await;
    world.session("alice").set_methods(application.id, profile.id, methods("30d")).await.unwrap();
    let ask = Enrollment::managed(application.id, profile.id).dns("a.example.com").ttl(Span::days(85));
    issued(world.session("otto").submit(&ask).await);
    for _ in 0..100 {
        work(&world).await;
        world.clock.advance(Duration::DAY);
    }
    let all = certificates(&store).await;
    assert_eq!(all.len(), 2, "once, cut off at the issuer's end, and not again");
    assert_eq!(all[1].validity.not_after(), START + Duration::days(100));
}

#[tokio::test]
async fn lesson_cost_follows_what_is_due() {
    let store = Arc::new(chancery::store::faulty::FaultyStore::new(MemoryStore::new()));
    let world = renewing(Arc::clone(&store)).await;
    for n in 0..40 {
        issue(&world, &format!("n{n}.example.com")).await;
    }
    let calls = || {
        use chancery::store::faulty::Verb;
        [Verb::Get, Verb::Scan, Verb::Claim, Verb::Commit].map(|verb| store.calls(verb))
    };
    work(&world).await;
    let before = calls();
    world.engine.run_due(100).await.unwrap();
    let after = calls();
    let cost: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(cost, [1, 1, 3, 0], "nothing due: one look at each queue");
}

#[tokio::test]
async fn settings_are_read_in_their_short_form_and_refused_when_they_can_not_be() {
    let world = World::over(MemoryStore::new()).await;
    let old: ApiSettings = serde_json::from_str(r#"{ "auto_renew_before": "30d" }"#).unwrap();
    assert_eq!(old.auto_renew, Some(AutoRenewal::before(Span::days(30))));
    let window = r#"{ "auto_renew": { "when": "2d", "window": { "zone": "UTC", "open": [ { "days": ["sun"], "from": "01:00", "to": "02:00" } ] } } }"#;
    let api = Some(serde_json::from_str(window).unwrap());
    let error = world
        .session("alice")
        .set_methods(world.application.id, world.profile.id, Methods { api, ..Methods::default() })
        .await
        .unwrap_err();
    assert!(matches!(&error, Error::Invalid { faults } if faults[0].0 == "api.auto_renew"), "{error:?}");
    let nothing = RenewalBudget { per_minute: Some(0), concurrent: None };
    let error = world.session("root").set_renewal_budget(world.root.id, nothing).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn oracle_19_a_self_signed_certificate_renews_on_its_kept_key_or_a_new_one() {
    let world = World::over(MemoryStore::new()).await;
    let product = world.session("root");
    let mut spec = Preset::TlsServer.profile(slug("own"), slug("root"), slug("web"));
    spec.issuer = IssuerChoice::SelfSigned;
    let profile = product.save_profile(spec).await.unwrap();
    let application = support::application(&world.engine, "own", &["own"]).await;
    let session = world.session("otto");
    let ask = Enrollment::managed(application.id, profile.id).dns("own.example.com");
    let first = issued(session.submit(&ask).await).record;
    let key = |record: &CertificateRecord| record.certificate().unwrap().public_key().clone();
    world.clock.advance(Duration::DAY);
    let reused = issued(session.renew(first.id, RenewalKey::Reused).await).record;
    assert_eq!(key(&reused), key(&first));
    world.clock.advance(Duration::DAY);
    let new = issued(session.renew(reused.id, RenewalKey::New).await).record;
    assert_ne!(key(&new), key(&first));
    world.clock.advance(Duration::DAY);
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec!["own.example.com".into()]).unwrap();
    let csr = Csr::parse(params.serialize_request(&own).unwrap().der()).unwrap();
    let refusal = refused(session.renew(new.id, RenewalKey::Csr(Box::new(csr))).await);
    assert!(reasons(&refusal).contains(&("csr", "profile.issuer")), "{refusal}");
}

#[tokio::test]
async fn what_was_brought_forward_comes_first_and_what_ends_unrenewed_is_told() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    // The setting's own walk.
    work(&world).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(issue(&world, &format!("n{n}.example.com")).await.record.id);
    }
    world.clock.advance(Duration::days(71));
    let session = world.session("otto");
    assert!(session.expedite_renewal(ids[4]).await.unwrap());
    // Half of a full round is for renewals.
    assert_eq!(world.engine.run_due(2).await.unwrap().renewed, 1);
    assert!(record(&world, ids[4]).await.replaced_by.is_some(), "before all that were due already");
    assert!(!session.expedite_renewal(ids[4]).await.unwrap(), "it was renewed");
    // Nobody works until the others have ended.
    world.clock.advance(Duration::days(20));
    work(&world).await;
    let told = events(&store).await;
    assert_eq!(told.iter().filter(|event| *event == "certificate-renewed").count(), 1);
    assert_eq!(told.iter().filter(|event| *event == "renewal-failed").count(), 5);
    assert_eq!(bodies(&store, "renewal").await.len(), 1, "their plans are gone");
}

#[tokio::test]
async fn by_itself_it_keeps_to_its_window() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let api = r#"{ "auto_renew": { "when": "30d", "window": { "zone": "Europe/Berlin", "open": [ { "days": ["sat"], "from": "22:00", "to": "23:00" } ] } } }"#;
    let api = Some(serde_json::from_str(api).unwrap());
    set_methods(&world, Methods { api, ..Methods::default() }).await;
    for n in 0..4 {
        issue(&world, &format!("n{n}.example.com")).await;
    }
    // Nobody worked for ten weeks: what is overdue waits for the next opening all the same.
    world.clock.advance(Duration::days(72));
    for _ in 0..(7 * 24 * 4) {
        world.engine.run_due(100).await.unwrap();
        world.clock.advance(Duration::minutes(15));
    }
    let window = r#"{ "zone": "Europe/Berlin", "open": [ { "days": ["sat"], "from": "22:00", "to": "23:16" } ] }"#;
    let window: RenewalWindow = serde_json::from_str(window).unwrap();
    let all = certificates(&store).await;
    let renewed: Vec<_> = all.iter().filter(|record| record.replaces.is_some()).collect();
    assert_eq!(renewed.len(), 4);
    assert!(renewed.iter().all(|record| window.is_open(record.created_at)), "{renewed:?}");
}

#[tokio::test]
async fn a_worker_that_sleeps_until_something_is_due_does_not_sleep_through_a_renewal() {
    let world = renewing(MemoryStore::new()).await;
    let first = issue(&world, "api.example.com").await.record;
    let due_at = world.session("otto").renewal(first.id).await.unwrap().plan.unwrap().due_at().unwrap();
    work(&world).await;
    while world.clock.now() < due_at {
        let until = world.engine.until_next_due().await.unwrap().unwrap();
        assert!(world.clock.now() + until <= due_at + Duration::SECOND, "{until:?}");
        world.clock.advance(Duration::try_from(until).unwrap().max(Duration::SECOND));
        world.engine.run_due(100).await.unwrap();
    }
    assert!(record(&world, first.id).await.replaced_by.is_some());
}

#[tokio::test]
async fn what_is_on_hold_is_looked_at_less_and_less() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    let held = issue(&world, "a.example.com").await.record;
    world.session("otto").revoke(held.id, chancery::x509::RevocationReason::CertificateHold).await.unwrap();
    world.clock.advance(Duration::days(71));
    let mut looks = 0;
    for _ in 0..240 {
        looks += world.engine.run_due(100).await.unwrap().postponed;
        world.clock.advance(Duration::minutes(1));
    }
    assert!((5..=12).contains(&looks), "{looks} looks in four hours");
    world.session("otto").release_hold(held.id).await.unwrap();
    for _ in 0..24 {
        work(&world).await;
        world.clock.advance(Duration::HOUR);
    }
    assert_eq!(certificates(&store).await.len(), 2, "it renews when the hold is over");
}

/// What no rule and no time mends is left to people: tried once, told once, and not again until they do something.
#[tokio::test]
async fn what_can_not_be_read_needs_a_person() {
    use chancery::store::{Batch, Expect, Key, Store, Write};
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    let id = issue(&world, "api.example.com").await.record.id;
    let key = Key::new("certificate", id.to_string());
    let found = store.get(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
    let mut body: serde_json::Value = serde_json::from_slice(&found.body).unwrap();
    body["der"] = serde_json::json!("AAAA");
    let (expect, entries) = (Expect::Version(found.version), Vec::new());
    let write = Write::Put { key, expect, body: body.to_string().into(), entries };
    store.commit(Batch { writes: vec![write] }).await.unwrap();
    world.clock.advance(Duration::days(71));
    assert_eq!(work(&world).await.failed, 1);
    let plan = bodies(&store, "renewal").await.remove(0);
    assert_eq!(plan["state"]["state"], "needs_person", "{plan}");
    for _ in 0..5 {
        world.clock.advance(Duration::DAY);
        assert_eq!(work(&world).await, DueReport::default());
    }
    let told = events(&store).await.into_iter().filter(|event| event == "renewal-failed").count();
    assert_eq!(told, 1);
}
