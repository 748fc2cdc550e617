//! A world behind the API, with one of everything that endpoints are about.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use chancery::clock::ManualClock;
use chancery::domain::{
    AcmeAccountId, AcmeBindingId, Actor, AlertId, AlertOn, AlertSpec, ApprovalPolicySpec, ApprovalStep, CertificateId,
    Channel, ChannelKind, IncidentId, IncidentSelection, IncidentSpec, IssuerSpec, RequestId, Selection, SyncId,
    SyncSpec, TokenId, TokenSpec,
};
use chancery::engine::{Issued, Outcome};
use chancery::front::api::{Api, PREFIX};
use chancery::front::{Authenticator, Limits, Unauthenticated};
use chancery::notify::conformance::RecordingNotifier;
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{self, HOURS, START, World, principal, slug, user};

/// Takes whoever the header `x-actor` names, with the groups behind a slash: `gina/ops`.
#[derive(Debug)]
pub(crate) struct ByName;

pub(crate) fn actor(name: &str) -> Actor {
    match name.split_once('/') {
        Some((name, group)) => user(name).in_group(group).unwrap(),
        None => user(name),
    }
}

#[async_trait]
impl Authenticator for ByName {
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated> {
        let name = request.headers.get("x-actor").ok_or(Unauthenticated::Absent)?;
        Ok(actor(name.to_str().unwrap()))
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body of a good answer.
    #[track_caller]
    pub(crate) fn good(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self.json()
    }

    /// The code of a problem, which must come with its status and media type.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        problem["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn fields(&self) -> Vec<String> {
        let violations = self.json()["violations"].as_array().cloned().unwrap_or_default();
        violations.iter().map(|each| each["field"].as_str().unwrap().to_owned()).collect()
    }
}

/// A router to talk to.
#[derive(Clone)]
pub(crate) struct Front(Router);

impl Front {
    pub(crate) fn of(world: &World, limits: Limits) -> Self {
        Self::with(Api::new(&world.engine, ByName).limits(limits))
    }

    pub(crate) fn with(api: Api) -> Self {
        Self(Router::new().nest(PREFIX, api.router()))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.0.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn call(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(request(who, method, path, body)).await
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Reply {
        self.call(who, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Reply {
        self.call(who, Method::POST, path, Some(body)).await
    }
}

pub(crate) fn request(who: &str, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(format!("{PREFIX}{path}")).header("x-actor", who);
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

/// A world and a front without bounds.
pub(crate) async fn plain() -> (World, Front) {
    let world = World::over(MemoryStore::new()).await;
    let front = Front::of(&world, unbounded());
    (world, front)
}

pub(crate) fn unbounded() -> Limits {
    use chancery::front::Rate;
    Limits { reads: Rate::UNBOUNDED, writes: Rate::UNBOUNDED, ..Limits::default() }
}

pub(crate) struct Scene {
    pub(crate) store: MemoryStore,
    pub(crate) world: World,
    pub(crate) front: Front,
    /// Expired, so that it may be deleted.
    pub(crate) expired: Issued,
    pub(crate) valid: Issued,
    /// Asked by the Operator, and waits for approval.
    pub(crate) waiting: RequestId,
    pub(crate) digest: String,
    pub(crate) sync: SyncId,
    pub(crate) alert: AlertId,
    /// Of `user:mallory`, who can do nothing else.
    pub(crate) token: TokenId,
    /// Of certificates that end in a far future, which are none.
    pub(crate) incident: IncidentId,
    /// Waits for its certificate from outside.
    pub(crate) awaiting: chancery::domain::IssuerRecord,
    pub(crate) idle_policy: chancery::domain::PolicyId,
    pub(crate) held: CertificateId,
    pub(crate) binding: AcmeBindingId,
    pub(crate) account: AcmeAccountId,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::new(START));
        let recorder = ChannelKind::Custom(slug("recorder"));
        let builder = support::builder(store.clone(), &clock, 1).target(slug("edge"), MemoryTarget::default());
        let world = World::of(builder.notifier(recorder, RecordingNotifier::new()), clock).await;
        let (admin, product, id) = (world.session("alice"), world.session("root"), world.application.id);
        let expired = world.issue("old.example.com").await;
        world.clock.advance(HOURS * 12 * 100);
        let (valid, held) = (world.issue("api.example.com").await, world.issue("held.example.com").await.record.id);
        let reason = chancery::x509::RevocationReason::CertificateHold;
        admin.revoke(held, reason).await.unwrap();
        let (binding, account) = support::acme(&world).await;
        let channel = Channel::Custom { notifier: slug("recorder"), to: "desk".into() };
        let alert = AlertSpec::new(slug("alert"), AlertOn::Issuance).channel(channel);
        let alert = admin.save_alert(Some(id), alert).await.unwrap().id;
        let mut guarded = ApprovalPolicySpec::new(slug("guarded"), [ApprovalStep::new(1, [principal("group:ops")])]);
        let names = vec!["pay.example.com".to_owned()];
        guarded.conditions.sans.0.insert(chancery::x509::SanKind::DnsName, names);
        admin.save_approval_policy(id, guarded).await.unwrap();
        let waiting = world.session("otto").submit(&world.enrollment("pay.example.com")).await;
        let Ok(Outcome::Pending(waiting)) = waiting else { panic!("{waiting:?}") };
        let digest = admin.approval_request(waiting.id).await.unwrap().approval.digest;
        let sync = SyncSpec::new(slug("edge"), slug("edge"), Selection::tag("sync", "edge"));
        let sync = admin.save_sync(id, sync).await.unwrap().id;
        let token = TokenSpec::new("hers", principal("user:mallory"));
        let token = product.create_token(token).await.unwrap().0.id;
        let awaiting = product.request_issuer(IssuerSpec::new(slug("below"), "Below")).await.unwrap();
        let idle = chancery::domain::Preset::Dual.policy(slug("idle"));
        let idle_policy = product.save_policy(idle).await.unwrap().id;
        let far = START + HOURS * 24 * 9000;
        let select = IncidentSelection { application: Some(id), ends_from: Some(far), ..Default::default() };
        let (reason, spread) = (chancery::x509::RevocationReason::Superseded, chancery::domain::Span::minutes(0));
        let incident = IncidentSpec { reason, select, deadline: far, spread, explanation: None, note: String::new() };
        let incident = admin.open_incident(incident).await.unwrap().id;
        world.engine.run_due(1000).await.unwrap();
        // Old enough to be renewed.
        world.clock.advance(HOURS);
        let front = Front::of(&world, unbounded());
        let waiting = waiting.id;
        Self {
            store,
            world,
            front,
            expired,
            valid,
            waiting,
            digest,
            sync,
            alert,
            token,
            incident,
            awaiting,
            idle_policy,
            held,
            binding,
            account,
        }
    }
}
