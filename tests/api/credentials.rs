//! Who asks: bearer tokens with their scopes, client certificates, and several ways at once.

use bytes::Bytes;
use chancery::domain::{Action, Actor, Scope, Span, TokenSpec};
use chancery::front::api::Api;
use chancery::front::{AnyOf, BearerTokens, ClientCertificate, ClientRule, MutualTls};
use chancery::store::MemoryStore;
use chancery::x509::San;
use http::{Method, Request};
use serde_json::{Value, json};
use time::Duration;

use crate::scene::{Front, Reply, plain, unbounded};
use crate::support::{World, bodies, events, principal, user};

async fn world() -> (MemoryStore, World, Front) {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let front = Front::with(Api::new(&world.engine, BearerTokens::of(&world.engine)).limits(unbounded()));
    (store, world, front)
}

async fn made(world: &World, spec: TokenSpec) -> String {
    world.session("root").create_token(spec).await.unwrap().1.expose_text().to_owned()
}

async fn send(front: &Front, token: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    let request = Request::builder().method(method).uri(format!("/api/v1/cert-manager{path}"));
    let request = request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    front.send(request.body(body.into()).unwrap()).await
}

async fn get(front: &Front, token: &str, path: &str) -> Reply {
    send(front, token, Method::GET, path, None).await
}

#[tokio::test]
async fn a_token_is_shown_once_kept_as_a_hash_and_good_until_it_ends_or_is_revoked() {
    let (store, world, front) = world().await;
    let token = made(&world, TokenSpec::new("first", principal("user:otto"))).await;
    assert!(token.starts_with("chy_") && token.len() == 74, "{token}");
    let secret = token.rsplit('_').next().unwrap();
    let all = crate::support::everything(&store).await;
    assert!(all.values().all(|(_, body)| !body.contains(secret)), "the secret is stored");
    let known = get(&front, &token, "/whoami").await.good();
    assert_eq!(known["principal"], "user:otto");
    for wrong in ["", "chy_", &token[..73], &format!("{token}A"), &token.replacen("chy_", "chy_0", 1), "Bearer"] {
        assert_eq!(get(&front, wrong, "/whoami").await.code(), "unauthenticated", "{wrong}");
    }
    // Another secret behind the same id.
    let mut forged = token.clone().into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    assert_eq!(get(&front, std::str::from_utf8(&forged).unwrap(), "/whoami").await.code(), "unauthenticated");

    let id = get(&front, &token, "/tokens").await.good()["items"][0]["id"].as_str().unwrap().to_owned();
    let revoked = send(&front, &token, Method::DELETE, &format!("/tokens/{id}"), None).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(get(&front, &token, "/whoami").await.code(), "unauthenticated");

    let short =
        made(&world, TokenSpec { ttl: Span::hours(1), ..TokenSpec::new("short", principal("user:otto")) }).await;
    world.clock.advance(Duration::minutes(59));
    get(&front, &short, "/whoami").await.good();
    world.clock.advance(Duration::minutes(1));
    assert_eq!(get(&front, &short, "/whoami").await.code(), "unauthenticated");
    assert_eq!(bodies(&store, "token").await.len(), 1);
    world.engine.run_due(1000).await.unwrap();
    assert!(bodies(&store, "token").await.is_empty(), "due work removes it");
    let told = events(&store).await;
    assert_eq!(told.iter().filter(|event| *event == "token-made").count(), 2);
    assert_eq!(told.iter().filter(|event| *event == "token-revoked").count(), 1);
}

#[tokio::test]
async fn a_scope_bounds_applications_and_actions() {
    let (_, world, front) = world().await;
    let other = crate::support::application(&world.engine, "other", &["web"]).await;
    let scope = Scope {
        applications: Some(vec![world.application.id]),
        actions: Some(vec![Action::ApplicationRead, Action::CertificatesList]),
    };
    let token = made(&world, TokenSpec { scope, ..TokenSpec::new("reader", principal("user:alice")) }).await;
    let list = |id| format!("/certificates?applicationId={id}");
    get(&front, &token, &list(world.application.id)).await.good();
    // Alice is an Admin of both; her token does not reach the other, as if there were none.
    assert_eq!(get(&front, &token, &list(other.id)).await.code(), "not-found");
    let applications = get(&front, &token, "/applications").await.good();
    assert_eq!(applications["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        get(&front, &token, &format!("/applications/{}/members", world.application.id)).await.code(),
        "forbidden"
    );
    let permissions = get(&front, &token, &format!("/applications/{}/permissions", world.application.id)).await.good();
    assert_eq!(permissions["permissions"], json!(["application.read", "certificates.list"]));
    assert_eq!(get(&front, &token, "/tokens").await.code(), "forbidden", "a bounded right is no means to others");
    let ask = send(&front, &token, Method::POST, "/tokens", Some(json!({ "name": "wider" }))).await;
    assert_eq!(ask.code(), "forbidden");

    // An administrator's token of bounded scope administers nothing.
    let scope = Scope { applications: Some(vec![other.id]), actions: None };
    let token = made(&world, TokenSpec { scope, ..TokenSpec::new("one", principal("user:root")) }).await;
    assert_eq!(get(&front, &token, "/certificate-policies").await.code(), "forbidden");
    assert_eq!(get(&front, &token, "/certificates").await.code(), "forbidden");
    get(&front, &token, &list(other.id)).await.good();
    assert_eq!(get(&front, &token, &list(world.application.id)).await.code(), "not-found");
    let seen = get(&front, &token, "/applications").await.good();
    assert_eq!(seen["items"][0]["id"], json!(other.id));
    // What belongs to no Application is out of its reach, too.
    let own = world.session("root").certificates(&Default::default(), None).await.unwrap().items;
    let root = own.iter().find(|record| record.application.is_none()).unwrap();
    assert_eq!(get(&front, &token, &format!("/certificates/{}", root.id)).await.code(), "not-found");
}

#[tokio::test]
async fn nobody_makes_a_token_that_reaches_further_than_they_do() {
    let (_, world, front) = world().await;
    let own = TokenSpec { ttl: Span::hours(2), ..TokenSpec::new("mine", principal("user:otto")) };
    let token = made(&world, own).await;
    let make = |body: Value| {
        let (front, token) = (front.clone(), token.clone());
        async move { send(&front, &token, Method::POST, "/tokens", Some(body)).await }
    };
    let longer = make(json!({ "name": "longer", "ttl": "3h" })).await;
    assert_eq!((longer.code().as_str(), longer.fields()), ("invalid-value", vec!["ttl".to_owned()]));
    let group = make(json!({ "name": "group", "ttl": "1h", "groups": ["group:ops"] })).await;
    assert_eq!(group.fields(), ["groups[0]"]);
    let other = make(json!({ "name": "other", "ttl": "1h", "principal": "user:alice" })).await;
    assert_eq!(other.code(), "forbidden");
    let shorter =
        make(json!({ "name": "shorter", "ttl": "1h", "scope": { "actions": ["certificates.read"] } })).await.good();
    assert_eq!(shorter["token"]["principal"], "user:otto");
    let faults = make(json!({ "name": "", "ttl": "400d", "principal": "user:otto" })).await;
    assert_eq!(faults.fields(), ["name", "ttl", "ttl"]);
    let theirs = get(&front, &token, "/tokens?principal=user:alice").await;
    assert_eq!(theirs.code(), "forbidden");
    // Groups come with a token that an administrator made.
    let spec = TokenSpec { groups: vec![principal("group:ops")], ..TokenSpec::new("gina", principal("user:gina")) };
    let gina = made(&world, spec).await;
    get(&front, &gina, &format!("/applications/{}", world.application.id)).await.good();
    let strange = Actor::machine("ci").unwrap();
    assert!(world.engine.acting_as(strange).create_token(TokenSpec::new("x", principal("machine:ci"))).await.is_ok());
}

#[tokio::test]
async fn client_certificates_stand_for_actors() {
    let (world, _) = plain().await;
    let (first, second) = (world.issue("agent.example.com").await, world.issue("other.example.com").await);
    let third = world.issue("stranger.example.com").await;
    let known = MutualTls::new()
        .knows(ClientRule::Fingerprint(*first.certificate().fingerprint()), user("otto"))
        .knows(ClientRule::San(San::dns("other.example.com").unwrap()), user("audra"));
    let either = AnyOf::new().or(known).or(BearerTokens::of(&world.engine));
    let front = Front::with(Api::new(&world.engine, either));
    let with = |der: &[u8]| {
        let request = Request::builder().uri("/api/v1/cert-manager/whoami");
        let request = request.extension(ClientCertificate(Bytes::copy_from_slice(der)));
        request.body(axum::body::Body::empty()).unwrap()
    };
    assert_eq!(front.send(with(first.certificate().der())).await.good()["principal"], "user:otto");
    assert_eq!(front.send(with(second.certificate().der())).await.good()["principal"], "user:audra");
    assert_eq!(front.send(with(third.certificate().der())).await.code(), "unauthenticated");
    assert_eq!(front.send(with(b"no certificate")).await.code(), "unauthenticated");
    let token = made(&world, TokenSpec::new("a", principal("user:alice"))).await;
    assert_eq!(get(&front, &token, "/whoami").await.good()["principal"], "user:alice");
}
