//! What is judged is what is issued: defaults, drift, precedence, refusals, edits under way, repetitions, managed keys.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chancery::domain::{
    ApplicationId, Enrollment, EventKind, IssuerChoice, KeyCustody, KeyRereading, Method, Methods, PolicySpec, Preset,
    ProfileSpec, Span,
};
use chancery::engine::{Engine, Error, Import, Outcome, Session};
use chancery::sealer::SealError;
use chancery::signer::{Signer, SoftwareSigner};
use chancery::store::{Batch, Claim, Document, Hit, Key, MemoryStore, Scan, Schema, Store, StoreError, Version};
use chancery::x509::{
    Attribute, BasicConstraints, BlockedKeys, Csr, KeyAlgorithm, KeyUsage, KeyUsages, SignatureAlgorithm,
};
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use support::{START, World, bodies, builder, events, everything, issued, reasons, refused, slug};
use time::Duration;

fn csr(edit: impl FnOnce(&mut CertificateParams)) -> Csr {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(vec!["csr.example.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    edit(&mut params);
    Csr::parse(params.serialize_request(&key).unwrap().der()).unwrap()
}

fn policy(max: Span) -> PolicySpec {
    let mut policy = Preset::TlsServer.policy(slug("web"));
    policy.validity.max = Some(max);
    policy
}

/// How a case changes what is asked, and the fields that the refusal names.
type Case = (&'static str, fn(&World, Enrollment) -> Enrollment, &'static [&'static str]);

const REFUSED: [Case; 12] = [
    ("ttl beside not_after", |_, ask| not_after(ask.ttl(Span::days(1)), Duration::DAY), &["ttl"]),
    ("longer than the policy", |_, ask| ask.ttl(Span::days(91)), &["validity"]),
    ("beyond the issuer (10)", |_, ask| not_after(ask, Duration::DAY * 4000), &["not_after", "validity"]),
    ("expired at birth", |_, ask| not_after(ask, Duration::ZERO), &["not_after"]),
    ("an algorithm the CA can not make (9)", |_, ask| signature(ask), &["signature_algorithm"]),
    ("an attribute that is not listed", |_, ask| ask.attribute(Attribute::Country, "DE"), &["subject.country"]),
    ("a wrong method", |_, ask| Enrollment { method: Method::Acme, ..ask }, &["method"]),
    ("a CA", |_, ask| ca(ask), &["basic_constraints", "key_usages"]),
    ("tags", |_, ask| ask.tag("no space", "x"), &["metadata"]),
    ("nobody named", |_, ask| Enrollment { names: Default::default(), ..ask }, &["subject"]),
    (
        "a critical unknown extension",
        |world, _| Enrollment::csr(world.application.id, world.profile.id, csr(|params| unknown(params, true))),
        &["csr.extensions"],
    ),
    (
        "names beside a request",
        |world, _| Enrollment::csr(world.application.id, world.profile.id, csr(|_| {})).dns("x.example.com"),
        &["names"],
    ),
];

fn not_after(mut ask: Enrollment, from_start: Duration) -> Enrollment {
    ask.terms.not_after = Some(START + from_start);
    ask
}

fn signature(mut ask: Enrollment) -> Enrollment {
    ask.terms.signature_algorithm = Some(SignatureAlgorithm::RsaSha256);
    ask
}

fn ca(mut ask: Enrollment) -> Enrollment {
    ask.names.key_usages = Some(KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyCertSign]));
    ask.terms.basic_constraints = Some(BasicConstraints::Ca { path_length: None });
    ask
}

fn unknown(params: &mut CertificateParams, critical: bool) {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![0x05, 0x00]);
    extension.set_criticality(critical);
    params.custom_extensions.push(extension);
}

#[tokio::test]
async fn a_refusal_names_the_field_records_an_event_and_nothing_else_and_a_dry_run_says_the_same() {
    for (label, edit, fields) in REFUSED {
        let store = MemoryStore::new();
        let world = World::over(store.clone()).await;
        let (session, ask) = (world.session("otto"), edit(&world, world.enrollment("api.example.com")));
        let before = everything(&store).await;
        let dry = session.dry_run(&ask).await.unwrap().unwrap_err();
        assert_eq!(everything(&store).await, before, "{label}: a dry run writes nothing");
        let refusal = refused(session.submit(&ask).await);
        assert_eq!(refusal, dry, "{label}");
        let seen: Vec<&str> = reasons(&refusal).iter().map(|(field, _)| *field).collect();
        assert!(fields.iter().all(|field| seen.contains(field)), "{label}: {refusal}");
        assert!(seen.iter().all(|field| fields.contains(field)), "{label}: {refusal}");
        let mut after = everything(&store).await;
        after.retain(|key, _| !before.contains_key(key));
        let [(key, (_, body))] = after.iter().collect::<Vec<_>>()[..] else { panic!("{label}: {after:?}") };
        let event: chancery::domain::Event = serde_json::from_str(body).unwrap();
        assert_eq!((key.kind.as_ref(), event.application), ("event", Some(world.application.id)), "{label}");
        let told = EventKind::IssuanceRefused {
            profile: world.profile.id,
            policy: Some((world.profile.policy, 1)),
            violations: refusal.violations,
        };
        assert_eq!(event.kind, told, "{label}");
    }
}

#[tokio::test]
async fn a_dry_run_that_permits_says_what_will_be_issued() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let ask = world.enrollment("api.example.com").common_name("api.example.com");
    let before = everything(&store).await;
    let draft = world.session("otto").dry_run(&ask).await.unwrap().unwrap();
    assert_eq!(everything(&store).await, before);
    let issued = issued(world.session("otto").submit(&ask).await);
    assert_eq!(*issued.certificate().content(), draft.content);
    issued.certificate().verify_issued_by(issued.chain.root().unwrap()).unwrap();
}

#[tokio::test]
async fn a_policy_that_was_tightened_under_a_profile_is_drift_and_not_clamped() {
    let world = World::over(MemoryStore::new()).await;
    world.session("root").save_policy(policy(Span::days(30))).await.unwrap();
    let refusal = refused(world.session("otto").submit(&world.enrollment("api.example.com")).await);
    let [(field, rule)] = reasons(&refusal)[..] else { panic!("{refusal}") };
    assert!(field == "ttl" && rule.contains("drift"), "{refusal}");
    // The request's own time wins over the default.
    let own = world.enrollment("api.example.com").ttl(Span::days(20));
    let own = issued(world.session("otto").submit(&own).await);
    let validity = own.record.validity;
    assert_eq!(validity.not_after() - validity.not_before(), Duration::DAY * 20);
}

#[tokio::test]
async fn defaults_fill_what_is_absent_and_null_clears_them() {
    let world = World::over(MemoryStore::new()).await;
    let mut spec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    spec.defaults.subject.0.insert(Attribute::CommonName, "default.example.com".into());
    let saved = world.session("root").save_profile(spec).await.unwrap();
    assert_eq!((saved.id, saved.revision), (world.profile.id, 2), "the same profile, a new revision");
    let ask = || world.enrollment("api.example.com");
    for (ask, common_name) in [
        (ask(), Some("default.example.com")),
        (ask().common_name("own.example.com"), Some("own.example.com")),
        (ask().without(Attribute::CommonName), None),
    ] {
        let issued = issued(world.session("otto").submit(&ask).await);
        assert_eq!(issued.record.subject.common_name(), common_name);
        assert_eq!(issued.record.profile, Some((saved.id, 2)));
        // Oracle 8: 2.5.29.17 is critical where there is no subject: OID, then BOOLEAN TRUE.
        let critical = [0x06, 0x03, 0x55, 0x1d, 0x11, 0x01, 0x01, 0xff];
        let is_critical = issued.certificate().der().windows(critical.len()).any(|window| window == critical);
        assert_eq!(is_critical, common_name.is_none(), "{common_name:?}");
    }
}

#[tokio::test]
async fn a_certificate_request_brings_names_and_key_and_unknown_extensions_stay_out() {
    let world = World::over(MemoryStore::new()).await;
    let csr = csr(|params| {
        params.distinguished_name.push(DnType::CommonName, "csr.example.com");
        unknown(params, false);
    });
    let key = csr.public_key().clone();
    let ask = Enrollment::csr(world.application.id, world.profile.id, csr).ttl(Span::days(5));
    let issued = issued(world.session("otto").submit(&ask).await);
    let certificate = issued.certificate();
    assert_eq!(*certificate.public_key(), key);
    assert_eq!(certificate.content().subject.common_name(), Some("csr.example.com"));
    assert_eq!(certificate.content().sans[0].value(), "csr.example.com");
    let validity = certificate.content().validity;
    assert_eq!(validity.not_after() - validity.not_before(), Duration::DAY * 5, "the request's time to live counts");
    assert_eq!(certificate.unknown_extensions(), []);
    assert_eq!(issued.ignored_extensions[0].oid, "1.3.6.1.4.1.55555.1");
    assert!(issued.private_key.is_none() && issued.record.custody == KeyCustody::Client);
}

#[tokio::test]
async fn a_blocked_key_is_refused() {
    let (clock, csr) = (Arc::new(chancery::clock::ManualClock::new(START)), csr(|_| {}));
    let mut blocked = BlockedKeys::new();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, csr.public_key().spki_der());
    blocked.insert(digest.as_ref().try_into().unwrap());
    let builder = builder(MemoryStore::new(), &clock, 1).block_keys(&blocked);
    let world = World::of(builder, clock).await;
    let ask = Enrollment::csr(world.application.id, world.profile.id, csr);
    let refusal = refused(world.session("otto").submit(&ask).await);
    assert_eq!(reasons(&refusal), [("csr.public_key", "engine.blocked_keys")]);
}

#[tokio::test]
async fn a_profile_that_is_not_attached_tells_nothing_of_its_policy() {
    let world = World::over(MemoryStore::new()).await;
    let product = world.session("root");
    world.issue("warm.example.com").await;
    product.detach_profile(world.application.id, world.profile.id).await.unwrap();
    let ask = world.enrollment("api.example.com").ttl(Span::days(4000));
    let refusal = refused(world.session("otto").submit(&ask).await);
    let [(field, rule)] = reasons(&refusal)[..] else { panic!("{refusal}") };
    assert!(field == "profile" && rule.starts_with("application.attachments"), "{refusal}");
}

#[tokio::test]
async fn edits_take_effect_at_once_in_a_second_engine_with_a_warm_cache_and_every_revision_is_kept() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let second = builder(store, &world.clock, 2).build().await.unwrap();
    let (otto, ask) =
        (second.acting_as(support::user("otto")), world.enrollment("api.example.com").ttl(Span::days(60)));
    let product = world.session("root");
    for (revision, days) in [(1, 90), (2, 30), (3, 90), (4, 59), (5, 60)] {
        let saved = product.save_policy(policy(Span::days(days))).await.unwrap();
        assert_eq!(saved.revision, revision);
        match otto.submit(&ask).await.unwrap() {
            Outcome::Issued(issued) => {
                assert!(days >= 60, "{days} days");
                assert_eq!(issued.record.policy, Some((saved.id, revision)));
            }
            Outcome::Refused(refusal) => assert!(days < 60, "{days} days: {refusal}"),
            Outcome::Pending(pending) => panic!("{pending:?}"),
        }
    }
    for (revision, days) in [(1, 90), (2, 30), (3, 90), (4, 59), (5, 60)] {
        let kept = product.policy_revision(world.profile.policy, revision).await.unwrap();
        assert_eq!((kept.revision, kept.spec.validity.max), (revision, Some(Span::days(days))));
    }
    let unchanged = product.save_policy(policy(Span::days(60))).await.unwrap();
    assert_eq!(unchanged.revision, 5, "saying the same is no new revision");
}

/// Lets somebody else act between a decision and its commit, once.
#[derive(Debug)]
struct Meddler {
    inner: MemoryStore,
    other: Engine,
    armed: Arc<AtomicBool>,
    deed: Deed,
}

#[derive(Clone, Debug)]
enum Deed {
    Tighten,
    SwitchRereadingOff(ApplicationId),
}

#[async_trait]
impl Store for Meddler {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        self.inner.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        self.inner.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        self.inner.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        if self.armed.swap(false, Ordering::SeqCst) {
            match self.deed {
                Deed::Tighten => {
                    let product = self.other.acting_as(support::user("root"));
                    product.save_policy(policy(Span::days(30))).await.unwrap();
                }
                Deed::SwitchRereadingOff(id) => {
                    let alice = self.other.acting_as(support::user("alice"));
                    alice.edit_application(id, String::new(), KeyRereading::DisabledForGood).await.unwrap();
                }
            }
        }
        self.inner.commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.inner.claim(claim).await
    }
}

/// The Operator's session in an engine into which somebody meddles when it is armed.
async fn meddled(inner: &MemoryStore, world: &World, deed: Deed) -> (Session, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let meddler = Meddler { inner: inner.clone(), other: world.engine.clone(), armed: Arc::clone(&armed), deed };
    let engine = builder(meddler, &world.clock, 2).build().await.unwrap();
    (engine.acting_as(support::user("otto")), armed)
}

#[tokio::test]
async fn imports_and_readings_of_keys_are_not_decided_on_what_has_just_changed() {
    let inner = MemoryStore::new();
    let world = World::over(inner.clone()).await;
    let first = world.issue("api.example.com").await;
    let (certificate, metadata) = (first.certificate().clone(), Default::default());
    let (application, profile) = (world.application.id, Some(world.profile.id));
    let import = Import { application, profile, certificate, chain: Vec::new(), key: None, metadata };
    let (otto, armed) = meddled(&inner, &world, Deed::Tighten).await;
    armed.store(true, Ordering::SeqCst);
    let error = otto.import_certificate(import).await.unwrap_err();
    assert!(matches!(error, Error::Contended), "{error:?}");

    let (otto, armed) = meddled(&inner, &world, Deed::SwitchRereadingOff(application)).await;
    otto.private_key(first.record.id).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    let error = otto.private_key(first.record.id).await.unwrap_err();
    assert!(matches!(error, Error::Contended), "{error:?}");
}

#[tokio::test]
async fn a_policy_that_changes_between_judgement_and_commit_is_not_missed() {
    let inner = MemoryStore::new();
    let world = World::over(inner.clone()).await;
    let (otto, armed) = meddled(&inner, &world, Deed::Tighten).await;
    issued(otto.submit(&world.enrollment("api.example.com")).await);
    armed.store(true, Ordering::SeqCst);
    let refusal = refused(otto.submit(&world.enrollment("late.example.com")).await);
    assert!(!armed.load(Ordering::SeqCst) && refusal.to_string().contains("drift"), "{refusal}");
    let certificates = bodies(&inner, "certificate").await;
    assert_eq!(certificates.iter().filter(|each| each["origin"] == "profile").count(), 1);
}

#[tokio::test]
async fn concurrent_repetitions_with_one_key_give_one_certificate() {
    let store = MemoryStore::new();
    let world = World::over(support::Yielding(store.clone())).await;
    let (session, ask) = (world.session("otto"), world.enrollment("api.example.com").idempotency_key("one"));
    let outcomes = futures_util::future::join_all((0..32).map(|_| session.submit(&ask))).await;
    let ids: std::collections::BTreeSet<_> = outcomes.into_iter().map(|each| issued(each).record.id).collect();
    assert_eq!(ids.len(), 1);
    let told = events(&store).await;
    assert_eq!(told.iter().filter(|event| *event == "certificate-issued").count(), 1);
    let other = session.submit(&world.enrollment("other.example.com").idempotency_key("one")).await;
    assert!(matches!(other, Err(Error::IdempotencyKey { .. })), "{other:?}");
    // Kept per requester, and for a day.
    let alice = issued(world.session("alice").submit(&ask).await);
    assert!(!ids.contains(&alice.record.id));
    world.clock.advance(Duration::hours(25));
    assert!(!ids.contains(&issued(session.submit(&ask).await).record.id));
    assert_eq!(world.engine.run_due(10).await.unwrap().removed, 1, "alice's, for that of otto was replaced");
}

#[tokio::test]
async fn idempotency_keys_never_meet_across_requesters_and_may_be_long() {
    let world = World::over(MemoryStore::new()).await;
    let product = world.session("root");
    let operator = |name: &str| chancery::domain::Member {
        principal: support::principal(&format!("user:{name}")),
        role: chancery::domain::Role::Operator,
    };
    let long = "p".repeat(200);
    for name in ["a", "a|b", &long] {
        product.set_member(world.application.id, operator(name)).await.unwrap();
    }
    let ask = |key: &str| world.enrollment("api.example.com").idempotency_key(key);
    let left = issued(world.session("a").submit(&ask("b|c")).await);
    let right = issued(world.session("a|b").submit(&ask("c")).await);
    assert_ne!(left.record.id, right.record.id);
    issued(world.session(&long).submit(&ask(&"\u{1F511}".repeat(200))).await);
}

#[tokio::test]
async fn a_self_signed_profile_signs_with_the_subjects_own_managed_key() {
    let world = World::over(MemoryStore::new()).await;
    let product = world.session("root");
    let mut spec = ProfileSpec::new(slug("own"), IssuerChoice::SelfSigned, slug("web"));
    spec.defaults = Preset::TlsServer.defaults();
    let own = product.save_profile(spec).await.unwrap();
    product.attach_profile(world.application.id, own.id).await.unwrap();
    let acme = Methods { acme: Some(Default::default()), ..Methods::api() };
    let refusal = world.session("alice").set_methods(world.application.id, own.id, acme).await.unwrap_err();
    assert!(matches!(refusal, Error::Invalid { .. }), "{refusal:?}");
    world.session("alice").set_methods(world.application.id, own.id, Methods::api()).await.unwrap();
    let managed =
        Enrollment::managed(world.application.id, own.id).common_name("own.example.com").dns("own.example.com");
    let issued = issued(world.session("otto").submit(&managed).await);
    issued.certificate().verify_issued_by(issued.certificate()).unwrap();
    assert_eq!((issued.record.issuer, issued.chain.certificates(chancery::engine::Root::Include).count()), (None, 1));
    let ask = Enrollment::csr(world.application.id, own.id, csr(|_| {}));
    let refusal = refused(world.session("otto").submit(&ask).await);
    assert!(reasons(&refusal).contains(&("csr", "profile.issuer")), "{refusal}");
}

#[tokio::test]
async fn without_a_sealer_a_managed_key_is_a_clear_error_and_a_brought_key_is_none() {
    let clock = Arc::new(chancery::clock::ManualClock::new(START));
    let root = SoftwareSigner::generate(KeyAlgorithm::P256).unwrap();
    let builder = Engine::builder()
        .store(MemoryStore::new())
        .clock(Arc::clone(&clock))
        .administrator(support::principal("user:root"))
        .signer(slug("root"), root);
    let world = World::of(builder, clock).await;
    let error = world.session("otto").submit(&world.enrollment("api.example.com")).await.unwrap_err();
    assert!(matches!(error, Error::Seal(SealError::NotConfigured)), "{error:?}");
    let ask = Enrollment::csr(world.application.id, world.profile.id, csr(|_| {}));
    issued(world.session("otto").submit(&ask).await);
}

#[tokio::test]
async fn a_managed_key_is_answered_once_read_again_audited_and_switched_off_for_good() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let ask = world.enrollment("api.example.com").idempotency_key("one");
    let first = issued(world.session("otto").submit(&ask).await);
    let key = first.private_key.as_ref().unwrap();
    let signer = SoftwareSigner::from_pkcs8_der(key.pkcs8_der().expose()).unwrap();
    assert_eq!(signer.public_key(), first.certificate().public_key());
    let audits = async || events(&store).await.iter().filter(|event| *event == "private-key-read").count();
    assert_eq!(audits().await, 0, "the answer that issued it is no re-reading");
    // An Auditor sees the request, and no key.
    let seen = issued(world.session("audra").request(first.request).await);
    assert!(seen.private_key.is_none() && audits().await == 0);
    let again = world.session("otto").private_key(first.record.id).await.unwrap();
    assert_eq!(again.pkcs8_der().expose(), key.pkcs8_der().expose());
    assert_eq!(audits().await, 1);
    let repeated = issued(world.session("otto").submit(&ask).await);
    assert!(repeated.private_key.is_some() && audits().await == 2, "a repetition re-reads it, and that is audited");

    let (alice, id) = (world.session("alice"), world.application.id);
    alice.edit_application(id, String::new(), KeyRereading::DisabledForGood).await.unwrap();
    for name in ["alice", "otto"] {
        let error = world.session(name).private_key(first.record.id).await.unwrap_err();
        assert!(matches!(error, Error::PrivateKey { .. }), "{error:?}");
    }
    assert!(issued(world.session("otto").submit(&ask).await).private_key.is_none());
    let back = alice.edit_application(id, String::new(), KeyRereading::Allowed).await.unwrap_err();
    assert!(matches!(back, Error::Invalid { .. }), "{back:?}");
    assert_eq!(audits().await, 2);
}

#[tokio::test]
async fn nothing_printable_shows_a_key() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let first = world.issue("api.example.com").await;
    let key = first.private_key.as_ref().unwrap();
    let octets = key.pkcs8_der().expose().to_vec();
    let signer = SoftwareSigner::from_pkcs8_der(&octets).unwrap();
    let mut printed = format!("{first:?} {key:?} {:?} {:?} {signer:?}", key.pem(), key.pkcs8_der());
    printed += &format!("{:?} {:?} {store:?} {:?}", world.engine, world.session("otto"), world.root);
    printed += &format!("{:?}", world.session("otto").request(first.request).await);
    // The private scalar of a P-256 key stands behind its octet string's header 04 20.
    let at = octets.windows(2).position(|pair| pair == [0x04, 0x20]).unwrap() + 2;
    let scalar = &octets[at..at + 32];
    let hex: String = scalar.iter().map(|octet| format!("{octet:02x}")).collect();
    let list = format!("{scalar:?}");
    let text = String::from_utf8(key.pem().expose().to_vec()).unwrap();
    let body = text.lines().nth(1).unwrap();
    for form in [hex.as_str(), list.trim_matches(['[', ']']), body] {
        assert!(!printed.contains(form), "{form}");
    }
    // Nor does the store hold it in the clear.
    let all = format!("{:?}", everything(&store).await);
    assert!(!all.contains(&body[..40]), "the store holds a key in the clear");
}
