//! How often, how much at once, and what is told beside the answer.

use std::sync::{Arc, Mutex};

use chancery::front::{Limits, Rate};
use chancery::store::MemoryStore;
use http::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::scene::{Front, Scene, plain, request, unbounded};
use crate::support::World;

#[tokio::test]
async fn who_asks_too_often_waits_and_others_do_not() {
    let world = World::over(MemoryStore::new()).await;
    let limits = Limits {
        reads: Rate { per_minute: 60, burst: 5 },
        writes: Rate { per_minute: 6, burst: 1 },
        ..Limits::default()
    };
    let front = Front::of(&world, limits);
    for _ in 0..5 {
        front.get("otto", "/whoami").await.good();
    }
    let reply = front.get("otto", "/whoami").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (429, "rate-limited"));
    assert_eq!(reply.headers["retry-after"], "1");
    front.get("audra", "/whoami").await.good();
    // Writes are counted apart, before their bodies are read.
    assert_eq!(front.post("otto", "/certificates", json!({})).await.code(), "invalid-request");
    let reply = front.post("otto", "/certificates", json!({})).await;
    assert_eq!((reply.code().as_str(), reply.headers["retry-after"].to_str().unwrap()), ("rate-limited", "10"));
    world.clock.advance(Duration::SECOND);
    front.get("otto", "/whoami").await.good();
    assert_eq!(front.get("otto", "/whoami").await.code(), "rate-limited");
    world.clock.advance(Duration::seconds(9));
    assert_eq!(front.post("otto", "/certificates", json!({})).await.code(), "invalid-request");
}

#[tokio::test]
async fn pages_are_as_long_as_asked_and_lead_through_everything() {
    let (world, front) = plain().await;
    for number in 0..7 {
        world.issue(&format!("n{number}.example.com")).await;
    }
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = front
            .get("audra", &format!("/certificates?applicationId={}&limit=3{after}", world.application.id))
            .await
            .good();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        found.extend(items.iter().map(|item| item["altNames"][0]["value"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    found.sort();
    assert_eq!(found, (0..7).map(|number| format!("n{number}.example.com")).collect::<Vec<_>>());
    let filter = json!({ "applicationId": world.application.id, "name": "n3.example.com" });
    let page = front.post("audra", "/certificates/search", filter).await.good();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let both = json!({ "applicationId": world.application.id, "name": "a", "domain": "b" });
    assert_eq!(front.post("audra", "/certificates/search", both).await.fields(), ["domain"]);
    let page = Limits { page: 2, ..unbounded() };
    let reply = Front::of(&world, page).get("root", "/certificates").await.good();
    assert_eq!(reply["items"].as_array().unwrap().len(), 2, "as the server gives when a request does not say");
}

#[tokio::test]
async fn request_ids_are_taken_over_if_they_are_plain_and_made_otherwise() {
    let (_, front) = plain().await;
    let send = |id: &'static str| {
        let mut request = request("otto", Method::GET, "/certificates/cert-x", None);
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        let front = front.clone();
        async move { front.send(request).await }
    };
    let reply = send("trace-17").await;
    assert_eq!(
        (&reply.headers["x-request-id"], &reply.json()["requestId"]),
        (&"trace-17".parse().unwrap(), &json!("trace-17"))
    );
    let (first, second) = (send("a b").await, send("\"evil\"").await);
    assert_eq!(first.headers["x-request-id"].len(), 24);
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
    assert_eq!(first.headers["cache-control"], "no-store");
    assert_eq!(first.headers["x-content-type-options"], "nosniff");
}

/// Collects everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged() {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || sink.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let scene = Scene::new().await;
    let (front, world) = (&scene.front, &scene.world);
    let body = json!({ "profileId": world.profile.id, "attributes": { "altNames": [{ "type": "DNS", "value": "a.example.com" }] } });
    let issued = front.post("otto", "/certificates", body).await.good();
    let id = issued["certificate"]["certificateId"].as_str().unwrap();
    let key = issued["certificate"]["privateKey"].as_str().unwrap();
    front.post("otto", &format!("/certificates/{id}/pkcs12"), json!({ "password": "hunter22222", "alias": "a" })).await;
    let token = front.post("root", "/tokens", json!({ "name": "a" })).await.good();
    let channel =
        json!({ "channelType": "webhook", "config": { "url": "https://example.com/", "secret": "hunter33333" } });
    let alert = json!({ "name": "hook", "eventType": "issuance", "channels": [channel] });
    front.post("alice", &format!("/applications/{}/alerts", world.application.id), alert).await;
    // A secret where none belongs is not repeated in logs either.
    front
        .post(
            "otto",
            &format!("/certificates/{id}/pkcs12"),
            json!({ "password": { "is": "hunter44444" }, "alias": "a" }),
        )
        .await;
    let import = json!({ "applicationId": world.application.id, "certificatePem": issued["certificate"]["certificate"], "privateKeyPem": key });
    front.post("otto", "/certificates/import-certificate", import).await.good();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("issueCertificate") && logged.contains("user:otto"), "{logged}");
    let middle = key.lines().nth(1).unwrap();
    for secret in ["hunter2", "hunter3", "hunter4", middle, token["accessToken"].as_str().unwrap()] {
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
    assert!(!logged.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_failing_store_is_told_of_without_what_it_said() {
    use chancery::store::faulty::{Fault, FaultyStore, Verb};
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let world = World::over(Arc::clone(&store)).await;
    let front = Front::of(&world, unbounded());
    let body = json!({ "profileId": world.profile.id, "applicationId": world.application.id, "attributes": { "altNames": [{ "type": "DNS", "value": "a.example.com" }] } });
    store.inject(Verb::Commit, store.calls(Verb::Commit) + 1, Fault::Unavailable);
    let reply = front.post("otto", "/certificates", body).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "unavailable"));
    assert!(reply.headers.contains_key("retry-after"));
    let problem: Value = reply.json();
    assert!(!problem["detail"].as_str().unwrap().contains("store"), "{problem}");
}
