//! Each way to spoil a request, at each resource: the error type of the RFC, a fresh nonce, and nothing changed.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Key, encoded};
use crate::scene::{Scene, issue};
use crate::world::everything;

/// A good request: its resource, its URL, and its payload; an empty one reads.
struct Good {
    name: &'static str,
    url: String,
    payload: String,
    brings_key: bool,
}

/// One of each resource, in a state in which the request would change something, where it can.
async fn resources(scene: &Scene, client: &Client) -> Vec<Good> {
    let (certificate, _) = issue(scene, client, &["issued.example.com"]).await;
    let (open_at, open) = client.order(&["open.example.com"]).await;
    let authorization = open["authorizations"][0].as_str().unwrap().to_owned();
    let challenge = client.read(&authorization).await.good(200)["challenges"][0]["url"].as_str().unwrap().to_owned();
    let account = client.kid.clone().unwrap();
    let good = |name, url: &str, payload: &str| Good {
        name,
        url: url.to_owned(),
        payload: payload.to_owned(),
        brings_key: name == "newAccount",
    };
    let order = json!({ "identifiers": [{ "type": "dns", "value": "new.example.com" }] }).to_string();
    vec![
        good("newAccount", &client.url("newAccount"), r#"{"termsOfServiceAgreed":true}"#),
        good("account", &account, r#"{"contact":["mailto:changed@example.com"]}"#),
        good("orders", &format!("{account}/orders"), ""),
        good("keyChange", &client.url("keyChange"), &rollover(client, &account)),
        good("newOrder", &client.url("newOrder"), &order),
        good("order", &open_at, ""),
        good("finalize", open["finalize"].as_str().unwrap(), r#"{"csr":"AAAA"}"#),
        good("authorization", &authorization, r#"{"status":"deactivated"}"#),
        good("challenge", &challenge, "{}"),
        good("certificate", &certificate, ""),
        good("alternate", &format!("{certificate}/alternate/1"), ""),
        good("revokeCert", &client.url("revokeCert"), r#"{"certificate":"AAAA"}"#),
        good("directory", &client.directory["newNonce"].as_str().unwrap().replace("new-nonce", "directory"), ""),
        good("newNonce", &client.url("newNonce"), ""),
    ]
}

fn rollover(client: &Client, account: &str) -> String {
    let (new, url) = (Key::new(), client.url("keyChange"));
    let header = json!({ "alg": "ES256", "jwk": new.jwk(), "url": url });
    let payload = json!({ "account": account, "oldKey": client.key.jwk() });
    crate::client::signed(&header, &payload.to_string(), |message| new.sign(message)).to_string()
}

/// What is sent instead.
struct Sent {
    media: Option<&'static str>,
    body: Vec<u8>,
}

fn jose(body: impl ToString) -> Sent {
    Sent { media: Some("application/jose+json"), body: body.to_string().into_bytes() }
}

/// How a request is spoiled, and what must come of it.
type Spoil = Box<dyn Fn(&Client, &Good, Value) -> Sent>;

fn with_header(change: impl Fn(&mut Value) + 'static) -> Spoil {
    Box::new(move |client, good, mut header| {
        change(&mut header);
        jose(client.sign(&header, &good.payload))
    })
}

fn with_body(change: impl Fn(&mut Value) + 'static) -> Spoil {
    Box::new(move |client, good, header| {
        let mut body = client.sign(&header, &good.payload);
        change(&mut body);
        jose(body)
    })
}

fn with_bytes(change: impl Fn(Vec<u8>) -> Sent + 'static) -> Spoil {
    Box::new(move |client, good, header| change(client.sign(&header, &good.payload).to_string().into_bytes()))
}

fn spoils() -> Vec<(&'static str, u16, &'static str, Spoil)> {
    let with_media = |media| with_bytes(move |body| Sent { media, body });
    let remove = |member: &'static str| with_header(move |header| drop(header.as_object_mut().unwrap().remove(member)));
    let set = |member: &'static str, value: Value| with_header(move |header| header[member] = value.clone());
    let algorithm = |name: &'static str| set("alg", name.into());
    let stranger = Key::new();
    let with_stranger: Spoil = Box::new(move |_, good, mut header| {
        if header["jwk"].is_object() {
            // Of a key that the request brings, only the signature can be somebody else's.
            header["jwk"] = Key::new().jwk();
        }
        jose(crate::client::signed(&header, &good.payload, |message| stranger.sign(message)))
    });
    vec![
        ("plain text", 415, "malformed", with_media(Some("text/plain"))),
        ("plain JSON", 415, "malformed", with_media(Some("application/json"))),
        ("no media type", 415, "malformed", with_media(None)),
        ("no body", 400, "malformed", with_bytes(|_| jose(""))),
        ("half a body", 400, "malformed", with_bytes(|body| jose(String::from_utf8_lossy(&body[..body.len() / 2])))),
        (
            "two bodies",
            400,
            "malformed",
            with_bytes(|body| jose(String::from_utf8([&*body, &*body].concat()).unwrap())),
        ),
        (
            "not UTF-8",
            400,
            "malformed",
            with_bytes(|_| Sent { media: Some("application/jose+json"), body: vec![0xff] }),
        ),
        ("too long", 413, "malformed", with_bytes(|_| jose(" ".repeat(200 * 1024)))),
        ("general serialization", 400, "malformed", with_body(|body| *body = json!({ "signatures": [body] }))),
        (
            "a list",
            400,
            "malformed",
            with_body(|body| *body = json!([body["protected"], body["payload"], body["signature"]])),
        ),
        ("unprotected header", 400, "malformed", with_body(|body| body["header"] = json!({ "kid": "x" }))),
        ("padding", 400, "malformed", with_body(|body| body["payload"] = "e30=".into())),
        ("another payload", 400, "malformed", with_body(|body| body["payload"] = encoded(r#"{"x":1}"#).into())),
        ("no signature", 400, "malformed", with_body(|body| body["signature"] = "".into())),
        ("another signature", 400, "malformed", with_body(|body| body["signature"] = encoded([7; 64]).into())),
        ("another's signature", 400, "malformed", with_stranger),
        ("no nonce", 400, "badNonce", remove("nonce")),
        ("empty nonce", 400, "badNonce", set("nonce", "".into())),
        ("made-up nonce", 400, "badNonce", set("nonce", encoded([7; 28]).into())),
        ("nonce of no text", 400, "malformed", set("nonce", 7.into())),
        ("no URL", 400, "malformed", remove("url")),
        (
            "another URL",
            403,
            "unauthorized",
            with_header(|header| header["url"] = format!("{}x", header["url"].as_str().unwrap()).into()),
        ),
        (
            "URL of another host",
            403,
            "unauthorized",
            with_header(|header| header["url"] = header["url"].as_str().unwrap().replace("ca.", "cb.").into()),
        ),
        (
            "URL without TLS",
            403,
            "unauthorized",
            with_header(|header| header["url"] = header["url"].as_str().unwrap().replace("https:", "http:").into()),
        ),
        ("no algorithm", 400, "malformed", remove("alg")),
        ("algorithm none", 400, "badSignatureAlgorithm", algorithm("none")),
        ("algorithm HS256", 400, "badSignatureAlgorithm", algorithm("HS256")),
        ("algorithm of another key", 400, "badSignatureAlgorithm", algorithm("RS256")),
        ("algorithm of another curve", 400, "badSignatureAlgorithm", algorithm("ES384")),
        ("crit", 400, "malformed", set("crit", json!(["exp"]))),
        ("b64", 400, "malformed", set("b64", false.into())),
        (
            "jwk and kid",
            400,
            "malformed",
            with_header(|header| {
                header["kid"] = "https://ca.example.com/acme/account/1".into();
                header["jwk"] = Key::new().jwk();
            }),
        ),
        (
            "neither jwk nor kid",
            400,
            "malformed",
            with_header(|header| {
                header.as_object_mut().unwrap().remove("kid");
                header.as_object_mut().unwrap().remove("jwk");
            }),
        ),
    ]
}

/// Those that are about whose key it is.
fn spoils_of_keys(good: &Good) -> Vec<(&'static str, u16, &'static str, Spoil)> {
    let kid = |change: fn(&str) -> String| {
        with_header(move |header| header["kid"] = change(header["kid"].as_str().unwrap()).into())
    };
    let with_jwk = |change: fn(&mut Value)| with_header(move |header| change(&mut header["jwk"]));
    if good.brings_key {
        return vec![
            (
                "kid instead of jwk",
                400,
                "malformed",
                with_header(|header| {
                    header.as_object_mut().unwrap().remove("jwk");
                    header["kid"] = "https://ca.example.com/acme/account/1".into();
                }),
            ),
            ("private key", 400, "badPublicKey", with_jwk(|jwk| jwk["d"] = encoded([7; 32]).into())),
            ("no point", 400, "badPublicKey", with_jwk(|jwk| jwk["x"] = encoded([7; 32]).into())),
            ("unknown curve", 400, "badPublicKey", with_jwk(|jwk| jwk["crv"] = "secp256k1".into())),
            ("half a key", 400, "malformed", with_jwk(|jwk| drop(jwk.as_object_mut().unwrap().remove("y")))),
        ];
    }
    let mut spoils = vec![
        ("another's account", 400, "accountDoesNotExist", kid(|kid| kid.replace("acct-0", "acct-7"))),
        ("account elsewhere", 400, "accountDoesNotExist", kid(|kid| kid.replace("ca.example.com", "cb.example.com"))),
        ("no account", 400, "accountDoesNotExist", kid(|_| "1".to_owned())),
    ];
    if good.name != "revokeCert" {
        spoils.push((
            "jwk instead of kid",
            400,
            "malformed",
            Box::new(|client: &Client, good: &Good, mut header: Value| {
                header.as_object_mut().unwrap().remove("kid");
                header["jwk"] = client.key.jwk();
                jose(client.sign(&header, &good.payload))
            }) as Spoil,
        ));
    }
    spoils
}

/// Those that are about the payload: signed well, and not what the resource takes.
fn payloads(good: &Good) -> Vec<(&'static str, Spoil)> {
    let with = |payload: &'static str| {
        Box::new(move |client: &Client, _: &Good, header: Value| jose(client.sign(&header, payload))) as Spoil
    };
    match good.payload.as_str() {
        "" => vec![("an object", with("{}")), ("a text", with("\"x\""))],
        _ => vec![("a list", with("[]")), ("null", with("null")), ("garbage", with("{")), ("a number", with("7"))],
    }
}

async fn spoiled(client: &Client, newcomer: &Client, good: &Good, spoil: &Spoil) -> Sent {
    let signer = if good.brings_key { newcomer } else { client };
    let header = signer.header(&good.url).await;
    spoil(signer, good, header)
}

#[tokio::test]
async fn spoiled_requests_change_nothing() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let newcomer = client.other(Key::new());
    let resources = resources(&scene, &client).await;
    let mut seen = BTreeMap::new();
    for good in &resources {
        let before = everything(&scene.store).await;
        let payloads = payloads(good).into_iter().map(|(what, spoil)| (what, 400, "malformed", spoil));
        for (what, status, kind, spoil) in spoils().into_iter().chain(spoils_of_keys(good)).chain(payloads) {
            let sent = spoiled(&client, &newcomer, good, &spoil).await;
            let reply = client.post_bytes(&good.url, sent.media, sent.body).await;
            assert_eq!(reply.problem(), (status, kind.to_owned()), "{}: {what}: {}", good.name, reply.text());
            assert_eq!(reply.links("index").len(), usize::from(good.name != "directory"), "{}", good.name);
            assert_eq!(everything(&scene.store).await, before, "{}: {what}", good.name);
            *seen.entry(kind).or_insert(0) += 1;
        }
    }
    assert!(seen.len() >= 6 && seen.values().sum::<i32>() > 400, "{seen:?}");
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let newcomer = client.other(Key::new());
    for good in &resources(&scene, &client).await {
        let signer = if good.brings_key { &newcomer } else { &client };
        let nonce = client.nonce().await;
        let mut spend = client.header(&client.kid.clone().unwrap()).await;
        spend["nonce"] = nonce.as_str().into();
        client.post_body(&client.kid.clone().unwrap(), &client.sign(&spend, "")).await.good(200);
        let before = everything(&scene.store).await;
        let mut header = signer.header(&good.url).await;
        header["nonce"] = nonce.into();
        let reply = client.post_body(&good.url, &signer.sign(&header, &good.payload)).await;
        assert_eq!(reply.problem(), (400, "badNonce".to_owned()), "{}", good.name);
        assert_eq!(everything(&scene.store).await, before, "{}", good.name);
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    for good in &resources(&scene, &client).await {
        let is_open = matches!(good.name, "directory" | "newNonce");
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            if is_open && method == Method::GET {
                continue;
            }
            let reply = client.ask(method.clone(), &good.url).await;
            assert_eq!(reply.problem(), (405, "malformed".to_owned()), "{} {method}", good.name);
            assert_eq!(reply.header("allow"), if is_open { "GET, HEAD, POST" } else { "POST" });
        }
    }
    for path in ["x", "account", "order/1/x", "directory/x"] {
        let url = client.url("newNonce").replace("new-nonce", path);
        assert_eq!(client.get(&url).await.problem(), (404, "malformed".to_owned()), "{path}");
    }
}
