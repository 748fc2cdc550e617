//! Notifiers against real receivers: an HTTP server, and a mail server of other people's.
#![cfg(all(feature = "conformance", feature = "webhook", feature = "slack", feature = "pagerduty", feature = "smtp"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use chancery::clock::{Clock, ManualClock};
use chancery::domain::{AlertOn, AlertSpec, Channel, ChannelKind, Confidential, Delivery, DestinationRules, Loopback};
use chancery::engine::EngineBuilder;
use chancery::notify::conformance::{self, RecordingNotifier, assert_passed};
use chancery::notify::{
    Destination, HttpClient, HttpSettings, Notifier, NotifyError, PagerDutyNotifier, PrivateAddresses, SlackNotifier,
    SmtpNotifier, SmtpSettings, WebhookNotifier,
};
use chancery::sealer::Secret;
use chancery::store::MemoryStore;
use engine::{HOURS, START, World, builder, slug};
use serde_json::Value;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request that came.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    headers: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.to_lowercase().starts_with(&format!("{name}:"));
        self.headers.lines().find(named).map(|line| line.split_once(':').unwrap().1.trim())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that answers as told, `200` when it was told nothing, and never where it was told nothing to say.
#[derive(Clone)]
struct Receiver {
    port: u16,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self { port, answers: Arc::default(), requests: Arc::default() };
        let server = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        receiver
    }

    async fn serve(self, mut stream: TcpStream) {
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut chunk).await.unwrap_or_default();
            if count == 0 {
                return;
            }
            read.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let (first, headers) = head.split_once("\r\n").unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            let request = Request { path, headers: headers.to_owned(), body: body.to_owned() };
            let length: usize = request.header("content-length").unwrap().parse().unwrap();
            if body.len() < length {
                continue;
            }
            self.requests.lock().unwrap().push(request);
            let answer = self.answers.lock().unwrap().pop_front().unwrap_or("200 OK");
            if answer.is_empty() {
                return std::future::pending().await;
            }
            let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
            read.clear();
        }
    }

    fn will(&self, answers: impl IntoIterator<Item = &'static str>) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn webhook(&self) -> Destination {
        Destination::Webhook { url: self.url("/hook"), secret: Some(Secret::new(b"s3cret".to_vec())) }
    }
}

fn client() -> HttpClient {
    let private_addresses = PrivateAddresses::Allowed;
    let timeout = Duration::seconds(2);
    HttpClient::new(&HttpSettings { private_addresses, timeout, ..HttpSettings::default() }).unwrap()
}

async fn world(with: impl FnOnce(EngineBuilder, &Arc<ManualClock>) -> EngineBuilder) -> World {
    let clock = Arc::new(ManualClock::new(START));
    let builder = builder(MemoryStore::new(), &clock, 1);
    let rules = DestinationRules { loopback: Loopback::Accepted, slack_hosts: vec!["127.0.0.1".to_owned()] };
    World::of(with(builder.destinations(rules), &clock), clock).await
}

async fn issue_with(world: &World, channels: Vec<Channel<Confidential>>) -> chancery::domain::Alert {
    let spec = channels.into_iter().fold(AlertSpec::new(slug("issued"), AlertOn::Issuance), AlertSpec::channel);
    let alert = world.session("alice").save_alert(Some(world.application.id), spec).await.unwrap();
    world.issue("api.example.com").await;
    for _ in 0..2 {
        world.engine.run_due(10).await.unwrap();
    }
    alert
}

/// What somebody else's HMAC says of a body.
fn openssl_hmac(secret: &str, text: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("signed"), text).unwrap();
    let said = support::text(directory.path(), "openssl", &["dgst", "-sha256", "-hmac", secret, "signed"])?;
    Some(said.trim().rsplit(' ').next().unwrap().to_owned())
}

#[tokio::test]
async fn oracle_26_a_webhook_gets_a_signed_cloud_event_and_the_same_again_after_a_failure() {
    let receiver = Receiver::open().await;
    receiver.will(["503 Service Unavailable\r\nRetry-After: 120"]);
    let world = world(|builder, clock| {
        builder.notifier(ChannelKind::Webhook, WebhookNotifier::new(client()).clock(Arc::clone(clock)))
    })
    .await;
    let secret = Some(Confidential::new("s3cret"));
    let alert = issue_with(&world, vec![Channel::Webhook { url: receiver.url("/hook?a=b"), secret }]).await;
    assert_eq!(receiver.requests().len(), 1);
    world.clock.advance(Duration::seconds(119));
    world.engine.run_due(10).await.unwrap();
    assert_eq!(receiver.requests().len(), 1, "it wanted to be left alone for 120 seconds");
    world.clock.advance(Duration::SECOND);
    assert_eq!(world.engine.run_due(10).await.unwrap().notified, 1);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body, "the same event with the same id");
    let request = &requests[1];
    assert_eq!(request.path, "/hook?a=b");
    assert!(request.header("content-type").unwrap().starts_with("application/cloudevents+json"));
    let event = request.json();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "chancery.certificate.issuance");
    assert_eq!(event["source"], format!("/applications/{}/alerts/{}", world.application.id, alert.id));
    assert_eq!(event["time"], "2026-11-22T12:00:00Z");
    assert_eq!(event["data"]["alert"]["name"], "issued");
    assert_eq!(event["data"]["items"][0]["title"], "api.example.com");
    assert_eq!(event["subject"], event["data"]["items"][0]["id"]);
    let signature = request.header("chancery-signature").unwrap();
    let milliseconds = world.clock.now().unix_timestamp() * 1000;
    let (t, v1) = signature.split_once(",v1=").unwrap();
    assert_eq!(t, format!("t={milliseconds}"));
    if let Some(expected) = openssl_hmac("s3cret", &format!("{milliseconds}.{}", request.body)) {
        assert_eq!(v1, expected);
    }
}

#[tokio::test]
async fn slack_and_pagerduty_get_what_they_read() {
    let receiver = Receiver::open().await;
    let endpoint = receiver.url("/v2/enqueue");
    let world = world(|builder, _| {
        let pager = PagerDutyNotifier::new(client()).endpoint(endpoint);
        builder.notifier(ChannelKind::Slack, SlackNotifier::new(client())).notifier(ChannelKind::PagerDuty, pager)
    })
    .await;
    let key = "0123456789abcdef0123456789abcdef";
    let slack = Channel::Slack { url: Confidential::new(receiver.url("/services/T/B/x")) };
    let pager = Channel::PagerDuty { routing_key: Confidential::new(key) };
    let alert = issue_with(&world, vec![slack, pager]).await;
    let requests = receiver.requests();
    let to = |path: &str| requests.iter().find(|request| request.path == path).unwrap().json();
    let text = to("/services/T/B/x")["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("api.example.com was issued\n") && text.contains("Serial number"), "{text}");
    let event = to("/v2/enqueue");
    assert_eq!((&event["routing_key"], &event["event_action"]), (&key.into(), &"trigger".into()));
    assert_eq!(event["payload"]["severity"], "info");
    let shown = world.session("alice").notifications(alert.id, None).await.unwrap().items;
    assert_eq!(event["dedup_key"], shown[0].id.to_string());
    assert!(shown[0].channels.iter().all(|each| matches!(each.delivery, Delivery::Delivered { .. })), "{shown:?}");
}

#[tokio::test]
async fn every_notifier_passes_the_kit() {
    let receiver = Receiver::open().await;
    let mail = || Destination::Email { to: vec!["ops@example.com".into()] };
    let webhook = WebhookNotifier::new(client());
    assert_passed(&conformance::run(&webhook, &receiver.webhook(), &mail()).await);
    let shared: Arc<dyn Notifier> = Arc::new(webhook);
    assert_passed(&conformance::run(&shared, &receiver.webhook(), &mail()).await);
    let slack = Destination::Slack { url: Secret::new(receiver.url("/slack").into_bytes()) };
    assert_passed(&conformance::run(&SlackNotifier::new(client()), &slack, &mail()).await);
    let pager = PagerDutyNotifier::new(client()).endpoint(receiver.url("/pager"));
    let key = Destination::PagerDuty { routing_key: Secret::new(vec![b'a'; 32]) };
    assert_passed(&conformance::run(&pager, &key, &mail()).await);
    // A notifier that takes everything breaks the clause on other destinations.
    let findings = conformance::run(&RecordingNotifier::new(), &mail(), &key).await;
    assert_eq!(findings.iter().filter(|finding| finding.failure.is_some()).count(), 1);
}

#[tokio::test]
async fn addresses_inside_are_refused_redirects_not_followed_and_silence_ends() {
    let receiver = Receiver::open().await;
    let message = conformance::message("ntf-1");
    let public = WebhookNotifier::new(HttpClient::new(&HttpSettings::default()).unwrap());
    let to = |url: String| Destination::Webhook { url, secret: None };
    for url in
        [receiver.url("/"), format!("http://[::ffff:127.0.0.1]:{}/", receiver.port), "http://169.254.169.254/".into()]
    {
        let refused = public.notify(&to(url.clone()), &message).await.unwrap_err();
        assert!(matches!(refused, NotifyError::Refused { .. }), "{url}: {refused:?}");
    }
    let by_name = public.notify(&to(format!("http://localhost:{}/", receiver.port)), &message).await.unwrap_err();
    assert!(matches!(by_name, NotifyError::Unavailable { .. }), "{by_name:?}");
    assert_eq!(receiver.requests().len(), 0);

    let webhook = WebhookNotifier::new(client());
    receiver.will(["302 Found\r\nLocation: /elsewhere", "404 Not Found", "500 Oh", "425 Early", ""]);
    for expected in ["302", "404"] {
        let refused = webhook.notify(&receiver.webhook(), &message).await.unwrap_err();
        assert_eq!(refused, NotifyError::Refused { reason: format!("the receiver answered {expected}") });
    }
    for expected in ["500", "425"] {
        let later = webhook.notify(&receiver.webhook(), &message).await.unwrap_err();
        let reason = format!("the receiver answered {expected}");
        assert_eq!(later, NotifyError::Unavailable { reason, retry_after: None });
    }
    assert_eq!(webhook.notify(&receiver.webhook(), &message).await, Err(NotifyError::Unknown), "it fell silent");
    assert!(receiver.requests().iter().all(|request| request.path == "/hook"), "no redirect was followed");
    let nobody = to("http://127.0.0.1:1/".into());
    let down = webhook.notify(&nobody, &message).await.unwrap_err();
    assert!(matches!(down, NotifyError::Unavailable { .. }), "{down:?}");
}

/// A mail server by aiosmtpd, ended with the test.
struct MailServer {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
    root: Vec<u8>,
    _directory: tempfile::TempDir,
}

impl MailServer {
    fn open(answers: &str) -> Option<Self> {
        let python = support::installed("aiosmtpd/bin/python")?;
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/smtp_receiver.py");
        let mut child = Command::new(python)
            .args([script.into(), at("certificate.pem"), at("key.pem"), answers.into()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Some(Self { child, output, port, root: made.cert.der().to_vec(), _directory: directory })
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn settings(&self) -> SmtpSettings {
        let extra_roots = vec![self.root.clone()];
        SmtpSettings { port: self.port, extra_roots, ..SmtpSettings::new("localhost", "certs@example.com") }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_mail_server_gets_the_mail_by_starttls_after_it_was_busy_and_under_one_message_id() {
    let Some(mut server) = MailServer::open("451 4.3.0 try again,250 OK") else { return };
    let notifier = SmtpNotifier::new(server.settings()).unwrap();
    let world = world(|builder, _| builder.notifier(ChannelKind::Email, notifier)).await;
    let to = vec!["ops@example.com".to_owned(), "desk@example.org".to_owned()];
    let alert = issue_with(&world, vec![Channel::Email { to: to.clone() }]).await;
    let first = server.next();
    assert_eq!((&first["tls"], &first["answer"]), (&true.into(), &"451 4.3.0 try again".into()));
    world.clock.advance(HOURS);
    assert_eq!(world.engine.run_due(10).await.unwrap().notified, 1);
    let second = server.next();
    assert_eq!((&second["from"], &second["to"]), (&"certs@example.com".into(), &serde_json::json!(to)));
    let shown = world.session("alice").notifications(alert.id, None).await.unwrap().items;
    let id = format!("Message-ID: <{}@example.com>", shown[0].id);
    for mail in [&first, &second] {
        let content = mail["content"].as_str().unwrap();
        assert!(content.contains(&id), "{content}");
        assert!(content.contains("Subject: api.example.com was issued"), "{content}");
        assert!(content.contains("Date: Sun, 22 Nov 2026 12:00:00 +0000"), "{content}");
    }
    assert!(matches!(shown[0].channels[0].delivery, Delivery::Delivered { .. }), "{shown:?}");
}

#[tokio::test]
async fn mail_passes_the_kit_and_other_certificates_do_not_pass() {
    let Some(mut server) = MailServer::open("250 OK,250 OK,250 OK,550 5.7.1 never") else { return };
    let notifier = SmtpNotifier::new(server.settings()).unwrap();
    let to = Destination::Email { to: vec!["ops@example.com".into()] };
    let other = Destination::Custom { to: String::new() };
    assert_passed(&conformance::run(&notifier, &to, &other).await);
    let [_, _, odd] = [server.next(), server.next(), server.next()];
    let headers = odd["content"].as_str().unwrap().split("\r\n\r\n").next().unwrap().to_owned();
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    let message = conformance::message("ntf-1");
    let refused = notifier.notify(&to, &message).await.unwrap_err();
    assert!(matches!(refused, NotifyError::Refused { .. }), "{refused:?}");
    let strict = SmtpNotifier::new(SmtpSettings { extra_roots: Vec::new(), ..server.settings() }).unwrap();
    let untrusted = strict.notify(&to, &message).await.unwrap_err();
    assert!(matches!(untrusted, NotifyError::Unavailable { .. }), "{untrusted:?}");
}
