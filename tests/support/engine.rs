//! An engine over a given store with a clock that stands still, a root, a profile and members in every role.
#![allow(dead_code, reason = "each test uses its part")]

#[path = "stores.rs"]
pub(crate) mod stores;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chancery::clock::ManualClock;
use chancery::domain::acme::{AccountKey, BindingSpec, BindingUses};
use chancery::domain::{
    AcmeAccountId, AcmeBindingId, AcmeSettings, Actor, Application, ApplicationSpec, Enrollment, IssuerRecord,
    IssuerSpec, MethodSettings, Methods, Preset, Principal, Profile, Role, Slug,
};
use chancery::engine::acme::{NewAccount, Terms};
use chancery::engine::{Engine, EngineBuilder, Error, Issued, Outcome, Refusal, Session};
use chancery::entropy::SeededEntropy;
use chancery::sealer::AeadSealer;
use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::store::faulty::Fault;
use chancery::store::{Batch, Claim, Document, Hit, Key, Over, Scan, Schema, Store, StoreError, Version};
use chancery::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(crate) const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// Every kind of document that the engine writes.
pub(crate) const KINDS: &[&str] = &[
    "acme_account",
    "acme_authorization",
    "acme_binding",
    "acme_meter",
    "acme_nonce_key",
    "acme_order",
    "alert",
    "alert_watch",
    "alert_window",
    "application",
    "audit_block",
    "audit_head",
    "certificate",
    "crl",
    "crl_part",
    "deployment",
    "event",
    "housekeeping",
    "idempotency",
    "incident",
    "issuer",
    "name",
    "notification",
    "ocsp_answer",
    "ocsp_responder",
    "policy",
    "policy_revision",
    "private_key",
    "profile",
    "profile_revision",
    "remote_name",
    "renewal",
    "renewal_meter",
    "renewal_walk",
    "request",
    "revocation",
    "serial",
    "under_incident",
    "sync",
    "sync_task",
    "sync_walk",
    "target_lease",
    "token",
    "transfer",
];

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

pub(crate) fn user(name: &str) -> Actor {
    Actor::user(name).unwrap()
}

pub(crate) fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

/// An engine's parts; engines with different seeds may share one store.
pub(crate) fn builder(store: impl Store, clock: &Arc<ManualClock>, seed: u64) -> EngineBuilder {
    Engine::builder()
        .store(store)
        .sealer(AeadSealer::new(&[7; 32]))
        .clock(Arc::clone(clock))
        .entropy(SeededEntropy::new(seed))
        .administrator(principal("user:root"))
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) root: IssuerRecord,
    pub(crate) profile: Profile,
    pub(crate) application: Application,
}

impl World {
    pub(crate) async fn over(store: impl Store) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self::of(builder(store, &clock, 1), clock).await
    }

    /// Root, policy and profile `web`, and the Application `payments`, of which `user:root` is no member.
    pub(crate) async fn of(builder: EngineBuilder, clock: Arc<ManualClock>) -> Self {
        let engine = builder.build().await.unwrap();
        let product = engine.acting_as(user("root"));
        let root = product.create_root(IssuerSpec::new(slug("root"), "Test Root")).await.unwrap();
        product.save_policy(Preset::TlsServer.policy(slug("web"))).await.unwrap();
        let spec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
        let profile = product.save_profile(spec).await.unwrap();
        let application = application(&engine, "payments", &["web"]).await;
        Self { engine, clock, root, profile, application }
    }

    pub(crate) fn session(&self, name: &str) -> Session {
        self.engine.acting_as(user(name))
    }

    pub(crate) fn enrollment(&self, name: &str) -> Enrollment {
        Enrollment::managed(self.application.id, self.profile.id).dns(name)
    }

    /// Issues on a managed key for `name`, asked by the Operator.
    pub(crate) async fn issue(&self, name: &str) -> Issued {
        issued(self.session("otto").submit(&self.enrollment(name)).await)
    }
}

/// A binding key, and an account that was made with it.
pub(crate) async fn acme(world: &World) -> (AcmeBindingId, AcmeAccountId) {
    let (application, profile) = (world.application.id, world.profile.id);
    let alice = world.session("alice");
    let settings = MethodSettings::Acme(Some(AcmeSettings::default()));
    alice.set_method(application, profile, settings).await.unwrap();
    let spec = BindingSpec { uses: BindingUses::Many, ..BindingSpec::new("fleet") };
    let (binding, _) = alice.create_acme_binding(application, profile, spec).await.unwrap();
    let outside = world.issue("account.example.com").await;
    let key = AccountKey::new([1; 32], outside.certificate().public_key());
    let new = NewAccount { key, contacts: Vec::new(), terms: Terms::Agreed, binding: Some(binding.clone()) };
    let made = world.engine.acme(application, profile).create_account(new).await.unwrap();
    (binding.id, made.into_inner().id)
}

/// An Application with a member in every role and one through a group, and without the product administrator.
pub(crate) async fn application(engine: &Engine, name: &str, profiles: &[&str]) -> Application {
    let product = engine.acting_as(user("root"));
    let spec = ApplicationSpec::new(slug(name))
        .member(principal("user:alice"), Role::Admin)
        .member(principal("user:otto"), Role::Operator)
        .member(principal("user:audra"), Role::Auditor)
        .member(principal("group:ops"), Role::Operator);
    let spec = profiles.iter().fold(spec, |spec, profile| spec.attach(slug(profile), Methods::api()));
    let made = product.create_application(spec).await.unwrap();
    product.remove_member(made.id, &principal("user:root")).await.unwrap()
}

#[track_caller]
pub(crate) fn issued(outcome: Result<Outcome, Error>) -> Issued {
    match outcome {
        Ok(Outcome::Issued(issued)) => *issued,
        other => panic!("not issued: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(outcome: Result<Outcome, Error>) -> Refusal {
    match outcome {
        Ok(Outcome::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The fields and rules of a refusal, for comparison.
pub(crate) fn reasons(refusal: &Refusal) -> Vec<(&str, &str)> {
    refusal.violations.iter().map(|each| (each.field.as_str(), each.rule.as_str())).collect()
}

/// All that a store holds, so that before and after can be compared.
pub(crate) async fn everything(store: &impl Store) -> BTreeMap<Key, (Version, String)> {
    let mut all = BTreeMap::new();
    for kind in KINDS.iter().copied() {
        let mut scan = Scan::new(Over::Kind(kind.into()), 1000);
        loop {
            let hits = store.scan(&scan).await.unwrap();
            for Hit { document: Document { key, version, body }, .. } in &hits {
                all.insert(key.clone(), (*version, String::from_utf8(body.to_vec()).unwrap()));
            }
            match hits.last() {
                Some(last) if hits.len() == scan.limit => scan.after = Some(last.cursor()),
                _ => break,
            }
        }
    }
    all
}

/// The bodies of one kind.
pub(crate) async fn bodies(store: &impl Store, kind: &str) -> Vec<serde_json::Value> {
    let all = everything(store).await;
    let of_kind = all.iter().filter(|(key, _)| key.kind == kind);
    of_kind.map(|(_, (_, body))| serde_json::from_str(body).unwrap()).collect()
}

/// The names of the events, in the order of their ids.
pub(crate) async fn events(store: &impl Store) -> Vec<String> {
    bodies(store, "event").await.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

/// How a signer answers one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Signs,
    Unavailable,
    UnknownUndone,
    UnknownDone,
    Refuses,
    WrongKey,
    WrongMessage,
    Garbage,
    NeverAnswers,
    Waits,
}

/// A signer outside the process: counts what it signs, and answers as told, well again when nothing is told.
#[derive(Clone, Debug)]
pub(crate) struct Hand(Arc<State>);

#[derive(Debug)]
struct State {
    key: SoftwareSigner,
    moods: Mutex<VecDeque<Mood>>,
    signed: Mutex<Vec<Vec<u8>>>,
    gate: tokio::sync::Notify,
}

impl Hand {
    pub(crate) fn new() -> Self {
        let key = SoftwareSigner::generate(KeyAlgorithm::P256).unwrap();
        let gate = tokio::sync::Notify::new();
        Self(Arc::new(State { key, moods: Mutex::default(), signed: Mutex::default(), gate }))
    }

    pub(crate) fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.0.moods.lock().unwrap().extend(moods);
        self.0.signed.lock().unwrap().clear();
    }

    /// Every message that a signature was made for, the lost ones too.
    pub(crate) fn signed(&self) -> Vec<Vec<u8>> {
        self.0.signed.lock().unwrap().clone()
    }

    /// Whether every call that it was told of has come.
    pub(crate) fn has_no_mood_left(&self) -> bool {
        self.0.moods.lock().unwrap().is_empty()
    }

    /// Lets a call that waits go on.
    pub(crate) fn release(&self) {
        self.0.gate.notify_one();
    }

    async fn make(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.signed.lock().unwrap().push(message.to_vec());
        self.0.key.sign(algorithm, message).await
    }
}

#[async_trait]
impl Signer for Hand {
    fn public_key(&self) -> &PublicKey {
        self.0.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.0.key.algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::Remote
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mood = self.0.moods.lock().unwrap().pop_front().unwrap_or(Mood::Signs);
        let reason = || "as told".to_owned();
        match mood {
            Mood::Signs => self.make(algorithm, message).await,
            Mood::Unavailable => Err(SignError::Unavailable { reason: reason() }),
            Mood::UnknownUndone => Err(SignError::Unknown { reason: reason() }),
            Mood::UnknownDone => {
                self.make(algorithm, message).await?;
                Err(SignError::Unknown { reason: reason() })
            }
            Mood::Refuses => Err(SignError::Refused { reason: reason() }),
            Mood::WrongKey => SoftwareSigner::generate(KeyAlgorithm::P256).unwrap().sign(algorithm, message).await,
            Mood::WrongMessage => self.0.key.sign(algorithm, b"something else").await,
            Mood::Garbage => Ok(vec![0x30, 0x00]),
            Mood::NeverAnswers => {
                self.make(algorithm, message).await?;
                std::future::pending().await
            }
            Mood::Waits => {
                self.0.gate.notified().await;
                self.make(algorithm, message).await
            }
        }
    }
}

/// A store whose reads let others go first, so that two callers in one task see the same state before either writes.
#[derive(Debug)]
pub(crate) struct Yielding<S>(pub(crate) S);

#[async_trait]
impl<S: Store> Store for Yielding<S> {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        self.0.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let read = self.0.get(keys).await;
        tokio::task::yield_now().await;
        read
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        let read = self.0.scan(scan).await;
        tokio::task::yield_now().await;
        read
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        self.0.commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.0.claim(claim).await
    }
}

pub(crate) const HOURS: Duration = Duration::hours(2);

/// Every way in which a store can fail.
pub(crate) const FAULTS: [Fault; 8] = [
    Fault::Unavailable,
    Fault::Conflict,
    Fault::UnknownUndone,
    Fault::UnknownDone,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::HangBefore,
    Fault::HangAfter,
];
