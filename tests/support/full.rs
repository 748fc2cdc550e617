//! A state with a document of every kind, as a year of use leaves behind: what moves, and what later versions must open.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use chancery::clock::{Clock, ManualClock};
use chancery::domain::acme::{AccountKey, BindingSpec, ChallengeKind, IdentifierSpec};
use chancery::domain::{
    AcmeLimits, AcmeSettings, AlertOn, AlertSpec, ApiSettings, ApprovalPolicySpec, ApprovalStep, Channel, ChannelKind,
    CrlSettings, IncidentSelection, IncidentSpec, MethodSettings, Methods, OcspResponder, OcspSettings, Rate,
    RenewalBudget, Repeat, Selection, Span, StatusSettings, SyncSpec, TokenSpec,
};
use chancery::engine::acme::{NewAccount, NewOrder, Terms};
use chancery::engine::{Engine, EngineBuilder, Outcome};
use chancery::notify::conformance::RecordingNotifier;
use chancery::store::Store;
use chancery::target::memory::MemoryTarget;
use chancery::x509::{Certificate, RevocationReason, Serial};
use time::{Duration, OffsetDateTime};

use crate::support::{World, builder, principal, slug};

pub(crate) const DAY: Duration = Duration::days(1);

/// What an engine stands on beside its store.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) target: MemoryTarget,
    pub(crate) recorder: RecordingNotifier,
}

impl Surroundings {
    pub(crate) fn at(now: OffsetDateTime) -> Self {
        let (target, recorder) = (MemoryTarget::default(), RecordingNotifier::new());
        Self { clock: Arc::new(ManualClock::new(now)), target, recorder }
    }

    pub(crate) fn builder(&self, store: impl Store, seed: u64) -> EngineBuilder {
        builder(store, &self.clock, seed)
            .target(slug("edge"), self.target.clone())
            .notifier(ChannelKind::Custom(slug("recorder")), self.recorder.clone())
    }
}

/// Works until nothing is due at this moment.
pub(crate) async fn settle(engine: &Engine) {
    for _ in 0..60 {
        if engine.run_due(100).await.unwrap().total() == 0 {
            return;
        }
    }
    panic!("due work never ends");
}

/// Fills an empty store. Ends between two pieces of work, so that there is work of every kind.
pub(crate) async fn fill(store: impl Store, around: &Surroundings) -> World {
    let world = World::of(around.builder(store, 1), Arc::clone(&around.clock)).await;
    let (product, alice, otto) = (world.session("root"), world.session("alice"), world.session("otto"));
    let ocsp = OcspSettings { responder: OcspResponder::Delegated, ..OcspSettings::default() };
    let status = StatusSettings { crl: Some(CrlSettings::default()), ocsp: Some(ocsp) };
    product.set_issuer_status(world.root.id, status).await.unwrap();
    let budget = RenewalBudget { per_minute: Some(60), concurrent: Some(4) };
    product.set_renewal_budget(world.root.id, budget).await.unwrap();
    let application = world.application.id;
    alice.set_methods(application, world.profile.id, renewing("30d")).await.unwrap();
    let channel = || Channel::Custom { notifier: slug("recorder"), to: "desk".into() };
    let ends = AlertOn::Expiration { before: Span::days(80) };
    let ends = AlertSpec { repeat: Repeat::Daily, ..AlertSpec::new(slug("ends"), ends).channel(channel()) };
    alice.save_alert(Some(application), ends).await.unwrap();
    let issued = AlertSpec::new(slug("issued"), AlertOn::Issuance).channel(channel());
    alice.save_alert(Some(application), issued).await.unwrap();
    let sync = SyncSpec::new(slug("edge"), slug("edge"), Selection::profile(world.profile.id));
    let sync = alice.save_sync(application, sync).await.unwrap();
    let mut records = Vec::new();
    for name in ["a", "b", "c"] {
        let ask = world.enrollment(&format!("{name}.example.com")).ttl(Span::days(90));
        records.push(crate::support::issued(otto.submit(&ask).await).record);
        settle(&world.engine).await;
    }
    around.clock.advance(71 * DAY);
    settle(&world.engine).await;
    otto.revoke(records[2].id, RevocationReason::Superseded).await.unwrap();
    around.clock.advance(Duration::minutes(1));
    settle(&world.engine).await;

    let serial = world.session("otto").certificate(records[0].id).await.unwrap().serial;
    let own = world.engine.issuer_certificate(world.root.id).await.unwrap().unwrap();
    world.engine.ocsp(&ask(&Certificate::from_der(&own).unwrap(), &serial)).await;

    let steps = [ApprovalStep::new(1, [principal("user:alice")])];
    let policy = ApprovalPolicySpec::new(slug("all"), steps);
    alice.save_approval_policy(application, policy).await.unwrap();
    for (name, agrees) in [("agreed.example.com", true), ("waits.example.com", false)] {
        let ask = world.enrollment(name).idempotency_key(name);
        let Outcome::Pending(pending) = otto.submit(&ask).await.unwrap() else { panic!("it does not wait") };
        if agrees {
            let digest = alice.approval_request(pending.id).await.unwrap().approval.digest;
            alice.approve(pending.id, &digest, "").await.unwrap();
        }
    }
    alice.create_token(TokenSpec::new("automation", principal("user:alice"))).await.unwrap();
    let select = IncidentSelection { application: Some(application), ..IncidentSelection::default() };
    product
        .open_incident(IncidentSpec {
            reason: RevocationReason::Superseded,
            select,
            deadline: around.clock.now() + 10 * DAY,
            spread: Span::hours(10),
            explanation: None,
            note: String::new(),
        })
        .await
        .unwrap();
    // Enough to seal what happened and to select for the incident, and not enough to finish what follows.
    world.engine.run_due(3).await.unwrap();
    otto.revoke(records[0].id, RevocationReason::Superseded).await.unwrap();
    world.engine.run_due(1).await.unwrap();
    alice.sync_now(sync.id).await.unwrap();
    alice.set_methods(application, world.profile.id, renewing("25d")).await.unwrap();
    order(&world).await;
    world
}

/// An account with an order that waits for its proof, under limits.
async fn order(world: &World) {
    let (application, profile) = (world.application.id, world.profile.id);
    let alice = world.session("alice");
    let orders_per_account = Some(Rate { count: 10, per: Span::days(1) });
    let limits = AcmeLimits { orders_per_account, ..AcmeLimits::default() };
    let settings = MethodSettings::Acme(Some(AcmeSettings { limits, ..AcmeSettings::default() }));
    alice.set_method(application, profile, settings).await.unwrap();
    let (binding, _) = alice.create_acme_binding(application, profile, BindingSpec::new("fleet")).await.unwrap();
    let server = world.engine.acme(application, profile);
    server.nonce_key().await.unwrap();
    let own = world.engine.issuer_certificate(world.root.id).await.unwrap().unwrap();
    let key = AccountKey::new([1; 32], Certificate::from_der(&own).unwrap().public_key());
    let new = NewAccount { key, contacts: Vec::new(), terms: Terms::Agreed, binding: Some(binding) };
    let account = server.create_account(new).await.unwrap().into_inner();
    let identifiers = vec![IdentifierSpec { kind: "dns".into(), value: "acme.example.com".into() }];
    let placed = server.new_order(&account, NewOrder { identifiers, ..NewOrder::default() }).await.unwrap();
    server.answer_challenge(&account, placed.order.authorizations[0], ChallengeKind::Dns01).await.unwrap();
}

fn renewing(lead: &str) -> Methods {
    let auto_renew = Some(serde_json::from_str(&format!("{lead:?}")).unwrap());
    Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() }
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut der = vec![tag];
    der.extend(if length < 128 { vec![length as u8] } else { vec![0x81, length as u8] });
    [der, content].concat()
}

/// An OCSP request about one certificate of `CN=Test Root`, with SHA-256.
pub(crate) fn ask(issuer: &Certificate, serial: &Serial) -> Vec<u8> {
    let sha256 = |data: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data).as_ref().to_vec();
    let name = tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&tlv(6, &[&[0x55, 4, 3]]), &tlv(0x0c, &[b"Test Root"])])])]);
    let key = issuer.public_key().spki_der();
    let (name, key) = (sha256(&name), sha256(&key[key.len() - 65..]));
    let algorithm = tlv(0x30, &[&tlv(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    let id = tlv(0x30, &[&algorithm, &tlv(4, &[&name]), &tlv(4, &[&key]), &tlv(2, &[serial.as_octets()])]);
    tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&id])])])])
}
