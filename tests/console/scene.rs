//! A world behind the console, and somebody with a browser of the simplest kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use chancery::clock::ManualClock;
use chancery::domain::{
    AlertId, AlertOn, AlertSpec, ApprovalPolicySpec, ApprovalStep, Channel, ChannelKind, Enrollment, RequestId,
    Selection, Span, SyncId, SyncSpec, TokenSpec,
};
use chancery::engine::{Issued, Outcome};
use chancery::front::console::{Console, PREFIX, Transport};
use chancery::front::{Limits, Rate};
use chancery::notify::conformance::RecordingNotifier;
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use chancery::x509::SanKind;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{self, HOURS, START, World, principal, slug};

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where a redirect leads, within the console.
    #[track_caller]
    pub(crate) fn place(&self) -> String {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.header("location").strip_prefix(PREFIX).unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn page(self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        self.text
    }
}

/// Somebody at the console.
#[derive(Clone)]
pub(crate) struct Visitor {
    router: Router,
    pub(crate) cookie: String,
    /// What the forms of the session hold.
    pub(crate) mark: String,
}

/// The value of the first hidden field of a name.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let at = page.find(&start).unwrap_or_else(|| panic!("no field {name} in {page}")) + start.len();
    page[at..].split('"').next().unwrap().to_owned()
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .fold(form_urlencoded::Serializer::new(String::new()), |mut form, (name, value)| {
            form.append_pair(name, value);
            form
        })
        .finish()
}

impl Visitor {
    pub(crate) fn stranger(router: &Router) -> Self {
        Self { router: router.clone(), cookie: String::new(), mark: String::new() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) fn request(&self, method: Method, path: &str, body: String) -> Request<Body> {
        let request = Request::builder().method(method).uri(format!("{PREFIX}{path}")).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("sec-fetch-site", "same-origin").body(Body::from(body)).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path, String::new())).await
    }

    /// Sends a form as a page of the session would.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let fields = [fields, &[("mark", self.mark.as_str())]].concat();
        self.send(self.request(Method::POST, path, form(&fields))).await
    }

    /// Signs in, and reads what the forms hold.
    pub(crate) async fn enter(router: &Router, token: &str) -> Self {
        let mut visitor = Self::stranger(router);
        let reply = visitor.post("/sign-in", &[("token", token)]).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
        visitor.cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        visitor.mark = hidden(&visitor.get("/account").await.page(), "mark");
        visitor
    }
}

pub(crate) fn unbounded() -> Limits {
    Limits { page: 50, reads: Rate::UNBOUNDED, writes: Rate::UNBOUNDED, ..Limits::default() }
}

pub(crate) fn mounted(console: Console) -> Router {
    Router::new().nest(PREFIX, console.router())
}

/// Everybody: Admin, Operator, Auditor, Operator through a group, product administrator, and nobody in particular.
pub(crate) const EVERYBODY: [&str; 6] = ["alice", "otto", "audra", "gina", "root", "mallory"];

pub(crate) struct Scene {
    pub(crate) store: MemoryStore,
    pub(crate) world: World,
    pub(crate) router: Router,
    pub(crate) tokens: BTreeMap<&'static str, String>,
    pub(crate) valid: Issued,
    /// Asked by the Operator, and waits for one of the group `ops`.
    pub(crate) waiting: RequestId,
    pub(crate) sync: SyncId,
    pub(crate) alert: AlertId,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::new(START));
        let recorder = ChannelKind::Custom(slug("recorder"));
        let builder = support::builder(store.clone(), &clock, 1).target(slug("edge"), MemoryTarget::default());
        let world = World::of(builder.notifier(recorder, RecordingNotifier::new()), clock).await;
        let (admin, id) = (world.session("alice"), world.application.id);
        let mut guarded = ApprovalPolicySpec::new(slug("payments"), [ApprovalStep::new(1, [principal("group:ops")])]);
        guarded.conditions.sans.0.insert(SanKind::DnsName, vec!["pay.example.com".to_owned()]);
        admin.save_approval_policy(id, guarded).await.unwrap();
        let channel = Channel::Custom { notifier: slug("recorder"), to: "desk".into() };
        let alert = AlertSpec::new(slug("issues"), AlertOn::Issuance).channel(channel);
        let alert = admin.save_alert(Some(id), alert).await.unwrap().id;
        let sync = SyncSpec::new(slug("edge"), slug("edge"), Selection::tag("sync", "edge"));
        let sync = admin.save_sync(id, sync).await.unwrap().id;
        let valid = ask(&world, world.enrollment("api.example.com").tag("sync", "edge")).await;
        let waiting = world.session("otto").submit(&world.enrollment("pay.example.com")).await;
        let Ok(Outcome::Pending(waiting)) = waiting else { panic!("{waiting:?}") };
        world.engine.run_due(1000).await.unwrap();
        // Old enough to be renewed.
        world.clock.advance(HOURS);
        let tokens = tokens(&world).await;
        let console = Console::new(&world.engine).limits(unbounded()).attempts(Rate::UNBOUNDED);
        let router = mounted(console.transport(Transport::LoopbackHttp));
        Self { store, world, router, tokens, valid, waiting: waiting.id, sync, alert }
    }

    pub(crate) async fn visitor(&self, who: &str) -> Visitor {
        Visitor::enter(&self.router, &self.tokens[who]).await
    }
}

async fn ask(world: &World, enrollment: Enrollment) -> Issued {
    support::issued(world.session("otto").submit(&enrollment).await)
}

async fn tokens(world: &World) -> BTreeMap<&'static str, String> {
    let mut tokens = BTreeMap::new();
    for who in EVERYBODY {
        let mut spec = TokenSpec::new(who, principal(&format!("user:{who}")));
        spec.ttl = Span::days(1);
        if who == "gina" {
            spec.groups = vec![principal("group:ops")];
        }
        let made = world.session("root").create_token(spec).await.unwrap();
        tokens.insert(who, made.1.expose_text().to_owned());
    }
    tokens
}
