//! RFC 8555 and its companions, step by step over the router.

use chancery::challenge::scripted::Answer;
use chancery::domain::acme::{BindingSpec, ChallengeKind, ValidationFault};
use chancery::domain::{AcmeChecks, AcmeLimits, AcmeSettings, Span};
use chancery::front::Rate;
use chancery::front::acme::AcmeBounds;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, HOST, Key, binding, csr, encoded, leaf, signed};
use crate::scene::{Scene, acme, issue, mounted, prove};
use crate::world::{START, builder, everything};

fn unbound() -> AcmeSettings {
    AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }
}

#[tokio::test]
async fn the_directory() {
    let settings = AcmeSettings {
        terms: Some("https://ca.example.com/terms".to_owned()),
        website: Some("https://ca.example.com/".to_owned()),
        caa: vec!["ca.example.com".to_owned()],
        ..AcmeSettings::default()
    };
    let scene = Scene::with(settings).await;
    let client = scene.client().await;
    for name in ["newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo"] {
        assert!(client.url(name).starts_with(scene.directory.trim_end_matches("directory")), "{name}");
    }
    let meta = &client.directory["meta"];
    assert_eq!(meta["termsOfService"], "https://ca.example.com/terms");
    assert_eq!(meta["website"], "https://ca.example.com/");
    assert_eq!(meta["caaIdentities"], json!(["ca.example.com"]));
    assert_eq!(meta["externalAccountRequired"], true);
    assert!(meta["profiles"]["web"].is_string(), "{meta}");
    assert!(client.directory.get("newAuthz").is_none());
    let head = client.ask(Method::HEAD, &scene.directory).await;
    assert!(head.status.is_success());
    assert_eq!(client.get(&client.url("newNonce")).await.status, 204);
}

#[tokio::test]
async fn caa_records_are_judged_for_the_account_url_that_its_client_has() {
    let scene = Scene::with(AcmeSettings { caa: vec!["ca.example.com".to_owned()], ..unbound() }).await;
    let client = scene.account().await;
    issue(&scene, &client, &["a.example.com"]).await;
    let asked = scene.verifier.caa_asked();
    assert_eq!((asked.len(), &asked[0].account_url), (1, &client.kid));
}

#[tokio::test]
async fn an_attachment_without_acme_has_no_directory() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    let other = crate::world::application(&scene.world.engine, "other", &["web"]).await;
    let url = scene.directory.replace(&scene.world.application.id.to_string(), &other.id.to_string());
    assert_eq!(client.get(&url).await.status, 404);
    assert_eq!(client.get(&url.replace("prof-", "app-")).await.status, 404);
}

#[tokio::test]
async fn accounts_live_and_end() {
    let settings = AcmeSettings { terms: Some("https://ca.example.com/terms".to_owned()), ..unbound() };
    let scene = Scene::with(settings).await;
    let mut client = scene.client().await;
    let (new, unknown) = (client.url("newAccount"), json!({ "onlyReturnExisting": true }));
    assert_eq!(client.post(&new, &unknown).await.problem(), (400, "accountDoesNotExist".to_owned()));
    assert_eq!(client.post(&new, &json!({})).await.problem(), (403, "userActionRequired".to_owned()));
    for (contact, kind) in [("tel:+1", "unsupportedContact"), ("mailto:a@b@c", "invalidContact")] {
        let payload = json!({ "termsOfServiceAgreed": true, "contact": [contact] });
        assert_eq!(client.post(&new, &payload).await.problem(), (400, kind.to_owned()));
    }
    let payload = json!({ "termsOfServiceAgreed": true, "contact": ["mailto:a@example.com"], "unknown": 1 });
    let account = client.register(payload.clone()).await.good(201);
    assert_eq!((&account["status"], &account["contact"]), (&json!("valid"), &json!(["mailto:a@example.com"])));
    let url = client.kid.clone().unwrap();
    assert_eq!(account["orders"], format!("{url}/orders"));

    let key = std::mem::replace(&mut client.key, Key::new());
    let again = client.other(key);
    for payload in [payload, unknown] {
        let reply = again.post(&new, &payload).await;
        assert_eq!((reply.good(200)["status"].as_str(), reply.header("location")), (Some("valid"), &*url));
    }
    client.key = again.key;
    let changed = client.post(&url, &json!({ "contact": ["mailto:b@example.com"] })).await.good(200);
    assert_eq!(changed["contact"], json!(["mailto:b@example.com"]));
    assert_eq!(client.post(&url, &json!({})).await.good(200)["contact"], json!(["mailto:b@example.com"]));
    assert_eq!(client.read(&url).await.good(200)["contact"], json!(["mailto:b@example.com"]));
    assert_eq!(client.post(&url, &json!({ "status": "revoked" })).await.problem().0, 400);

    let gone = client.post(&url, &json!({ "status": "deactivated" })).await.good(200);
    assert_eq!(gone["status"], "deactivated");
    assert_eq!(client.read(&url).await.problem(), (403, "unauthorized".to_owned()));
    client.kid = None;
    let payload = json!({ "termsOfServiceAgreed": true });
    assert_eq!(client.post(&new, &payload).await.problem(), (403, "unauthorized".to_owned()));
}

#[tokio::test]
async fn accounts_with_keys_of_every_kind() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    for algorithm in ["ES256", "ES384", "ES512", "EdDSA", "RS256"] {
        let mut other = client.other(Key::of(algorithm));
        other.register(json!({})).await.good(201);
        other.read(&other.kid.clone().unwrap()).await.good(200);
    }
}

#[tokio::test]
async fn accounts_are_bound_by_keys_of_the_office() {
    let scene = Scene::with(AcmeSettings::default()).await;
    let client = scene.client().await;
    let new = client.url("newAccount");
    assert_eq!(client.post(&new, &json!({})).await.problem(), (403, "externalAccountRequired".to_owned()));
    let (kid, secret) = scene.binding(BindingSpec::new("fleet")).await;
    let other = encoded([7; 64]);
    let with = |binding: Value| json!({ "externalAccountBinding": binding });
    let good = binding(&new, &kid, &secret, &client.key);
    let mut half = good.clone();
    half["signature"] = "AAAA".into();
    for (what, status, kind, binding) in [
        ("another secret", 403, "unauthorized", binding(&new, &kid, &other, &client.key)),
        ("another kid", 403, "unauthorized", binding(&new, "eab-1", &secret, &client.key)),
        ("another key", 400, "malformed", binding(&new, &kid, &secret, &Key::new())),
        ("another URL", 400, "malformed", binding(&client.url("newOrder"), &kid, &secret, &client.key)),
        ("half a code", 403, "unauthorized", half),
        ("no binding", 400, "malformed", json!("x")),
    ] {
        let before = everything(&scene.store).await;
        let reply = client.post(&new, &with(binding)).await;
        assert_eq!(reply.problem(), (status, kind.to_owned()), "{what}: {}", reply.text());
        assert_eq!(everything(&scene.store).await, before, "{what}");
    }
    client.post(&new, &with(good.clone())).await.good(201);
    // Who has an account needs none: a client that lost the answer asks again.
    client.post(&new, &with(good)).await.good(200);
    let second = client.other(Key::new());
    let used = second.post(&new, &with(binding(&new, &kid, &secret, &second.key))).await;
    assert_eq!(used.problem(), (403, "unauthorized".to_owned()));
}

#[tokio::test]
async fn keys_roll_over() {
    let scene = Scene::new().await;
    let mut client = scene.account().await;
    let (url, account) = (client.url("keyChange"), client.kid.clone().unwrap());
    let inner = |new: &Key, header: Value, payload: Value| -> Value {
        let mut full = json!({ "alg": new.algorithm(), "jwk": new.jwk(), "url": url });
        full.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        signed(&full, &payload.to_string(), |message| new.sign(message))
    };
    let (new, old) = (Key::of("ES384"), client.key.jwk());
    let payload = json!({ "account": account, "oldKey": old });
    let mut forged = inner(&new, json!({}), payload.clone());
    forged["signature"] = encoded([7; 96]).into();
    for (what, body) in [
        ("a nonce", inner(&new, json!({ "nonce": "AAAA" }), payload.clone())),
        ("another URL", inner(&new, json!({ "url": account }), payload.clone())),
        ("another account", inner(&new, json!({}), json!({ "account": format!("{account}x"), "oldKey": old }))),
        ("another old key", inner(&new, json!({}), json!({ "account": account, "oldKey": new.jwk() }))),
        ("no old key", inner(&new, json!({}), json!({ "account": account }))),
        ("a forged inner signature", forged),
    ] {
        let before = everything(&scene.store).await;
        assert_eq!(client.post(&url, &body).await.problem(), (400, "malformed".to_owned()), "{what}");
        assert_eq!(everything(&scene.store).await, before, "{what}");
    }
    let other = scene.account().await;
    let taken = client.post(&url, &inner(&other.key, json!({}), payload.clone())).await;
    assert_eq!((taken.problem().0, taken.header("location")), (409, other.kid.as_deref().unwrap()));

    client.post(&url, &inner(&new, json!({}), payload)).await.good(200);
    assert_eq!(client.read(&account).await.problem().0, 400, "the old key signs no more");
    client.key = new;
    client.read(&account).await.good(200);
}

#[tokio::test]
async fn from_order_to_certificate() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let (url, pending) = client.order(&["a.example.com", "b.example.com"]).await;
    assert_eq!(pending["status"], "pending");
    let early = client.finalize(&pending, &["a.example.com", "b.example.com"]).await;
    assert_eq!(early.problem(), (403, "orderNotReady".to_owned()));
    let authorization = client.read(pending["authorizations"][0].as_str().unwrap()).await.good(200);
    let kinds: Vec<_> = authorization["challenges"].as_array().unwrap().iter().map(|each| &each["type"]).collect();
    assert_eq!(kinds, ["http-01", "dns-01", "tls-alpn-01"]);
    assert!(authorization.get("wildcard").is_none());

    let ready = prove(&scene, &client, &(url.clone(), pending), "http-01").await;
    assert_eq!(ready["status"], "ready");
    for (names, kind) in [
        (&["a.example.com"][..], "badCSR"),
        (&["a.example.com", "b.example.com", "c.example.com"], "badCSR"),
        (&["a.example.com", "c.example.com"], "badCSR"),
    ] {
        assert_eq!(client.finalize(&ready, names).await.problem(), (400, kind.to_owned()), "{names:?}");
    }
    for bad in [json!({ "csr": "AAAA" }), json!({ "csr": "=" })] {
        let reply = client.post(ready["finalize"].as_str().unwrap(), &bad).await;
        assert_eq!(reply.problem(), (400, "badCSR".to_owned()));
    }
    let valid = client.finalize(&ready, &["B.example.com", "a.example.com"]).await.good(200);
    assert_eq!(valid["status"], "valid");
    let chain = client.read(valid["certificate"].as_str().unwrap()).await.text();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "with its root, for there is nothing between");
    assert_eq!(client.read(&url).await.good(200)["certificate"], valid["certificate"]);

    let stranger = scene.account().await;
    for url in [&url, valid["certificate"].as_str().unwrap(), valid["authorizations"][0].as_str().unwrap()] {
        assert!((400..=404).contains(&stranger.read(url).await.problem().0), "{url}");
    }
}

#[tokio::test]
async fn wildcards_and_addresses() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let placed = client.order(&["*.example.com"]).await;
    let shown = client.read(placed.1["authorizations"][0].as_str().unwrap()).await.good(200);
    assert_eq!((&shown["identifier"]["value"], &shown["wildcard"]), (&json!("example.com"), &json!(true)));
    let challenges = shown["challenges"].as_array().unwrap();
    assert_eq!((challenges.len(), &challenges[0]["type"]), (1, &json!("dns-01")));

    let identifiers = json!([{ "type": "ip", "value": "192.0.2.1" }]);
    let order = client.post(&client.url("newOrder"), &json!({ "identifiers": identifiers })).await.good(201);
    let shown = client.read(order["authorizations"][0].as_str().unwrap()).await.good(200);
    assert_eq!(shown["identifier"], identifiers[0]);
    let kinds: Vec<_> = shown["challenges"].as_array().unwrap().iter().map(|each| &each["type"]).collect();
    assert_eq!(kinds, ["http-01", "tls-alpn-01"]);
}

#[tokio::test]
async fn orders_that_are_refused() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let new = client.url("newOrder");
    let dns = |name: &str| json!([{ "type": "dns", "value": name }]);
    for (what, kind, payload) in [
        ("none", "malformed", json!({})),
        ("empty", "malformed", json!({ "identifiers": [] })),
        ("a text", "malformed", json!({ "identifiers": "www.example.com" })),
        ("unknown type", "unsupportedIdentifier", json!({ "identifiers": [{ "type": "email", "value": "a@b" }] })),
        ("unknown profile", "invalidProfile", json!({ "identifiers": dns("a.example.com"), "profile": "other" })),
        ("no date", "malformed", json!({ "identifiers": dns("a.example.com"), "notAfter": "tomorrow" })),
    ] {
        let before = everything(&scene.store).await;
        let reply = client.post(&new, &payload).await;
        assert_eq!(reply.problem(), (400, kind.to_owned()), "{what}: {}", reply.text());
        assert_eq!(everything(&scene.store).await, before, "{what}");
    }
    let identifiers = json!([{ "type": "dns", "value": "a.example.com" }, { "type": "dns", "value": "not a name" }]);
    let reply = client.post(&new, &json!({ "identifiers": identifiers })).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[tokio::test]
async fn a_failed_challenge_says_why() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    scene.verifier.will(std::iter::repeat_n(Answer::Failed(ValidationFault::IncorrectResponse), 3));
    let (url, order) = client.order(&["a.example.com"]).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    let shown = client.read(authorization).await.good(200);
    client.post(shown["challenges"][0]["url"].as_str().unwrap(), &json!({})).await.good(200);
    for _ in 0..5 {
        scene.work().await;
        scene.clock.advance(time::Duration::minutes(1));
    }
    let failed = client.read(authorization).await.good(200);
    assert_eq!(failed["status"], "invalid");
    let error = failed["challenges"].as_array().unwrap().iter().find_map(|each| each.get("error")).unwrap();
    assert_eq!(error["type"], "urn:ietf:params:acme:error:incorrectResponse");
    let order = client.read(&url).await.good(200);
    assert_eq!(order["status"], "invalid");
    let part = &order["error"]["subproblems"][0];
    assert_eq!(part["identifier"]["value"], "a.example.com", "{order}");
    assert_eq!(part["type"], "urn:ietf:params:acme:error:incorrectResponse");
    assert!(scene.verifier.asked().iter().all(|asked| asked.kind == ChallengeKind::Http01));
}

#[tokio::test]
async fn authorizations_are_given_up() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let (url, order) = client.order(&["a.example.com"]).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    assert_eq!(client.post(authorization, &json!({ "status": "valid" })).await.problem().0, 400);
    let gone = client.post(authorization, &json!({ "status": "deactivated" })).await.good(200);
    assert_eq!(gone["status"], "deactivated");
    assert_eq!(client.read(&url).await.good(200)["status"], "invalid");
}

#[tokio::test]
async fn lists_of_orders_have_pages() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let mut placed = Vec::new();
    for number in 0..103 {
        placed.push(client.order(&[&format!("a{number}.example.com")]).await.0);
        scene.clock.advance(time::Duration::seconds(1));
    }
    let first = client.read(&format!("{}/orders", client.kid.as_ref().unwrap())).await;
    let next = first.links("next");
    let mut seen: Vec<_> = first.good(200)["orders"].as_array().unwrap().clone();
    assert_eq!((seen.len(), next.len()), (100, 1));
    let second = client.read(&next[0]).await;
    assert!(second.links("next").is_empty());
    seen.extend(second.good(200)["orders"].as_array().unwrap().clone());
    placed.reverse();
    assert_eq!(seen, placed);
}

#[tokio::test]
async fn certificates_are_revoked() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let revoke = client.url("revokeCert");
    let (_, first) = issue(&scene, &client, &["a.example.com"]).await;
    let payload = |pem: &str, reason: u64| json!({ "certificate": encoded(leaf(pem)), "reason": reason });
    assert_eq!(client.post(&revoke, &payload(&first, 7)).await.problem(), (400, "badRevocationReason".to_owned()));
    let stranger = scene.account().await;
    assert_eq!(stranger.post(&revoke, &payload(&first, 1)).await.problem(), (403, "unauthorized".to_owned()));
    let reply = client.post(&revoke, &payload(&first, 4)).await;
    assert_eq!((reply.status.as_u16(), reply.bytes.len()), (200, 0));
    assert_eq!(client.post(&revoke, &payload(&first, 4)).await.problem(), (400, "alreadyRevoked".to_owned()));

    // By an account that holds proofs of control of all names.
    let (_, second) = issue(&scene, &client, &["b.example.com"]).await;
    issue(&scene, &stranger, &["b.example.com"]).await;
    assert_eq!(stranger.post(&revoke, &payload(&second, 1)).await.status, 200);
    let garbage = json!({ "certificate": "AAAA" });
    assert_eq!(client.post(&revoke, &garbage).await.problem(), (400, "malformed".to_owned()));
}

#[tokio::test]
async fn who_has_the_key_revokes_the_certificate() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let (url, order) = client.order(&["a.example.com"]).await;
    let ready = prove(&scene, &client, &(url, order), "dns-01").await;
    let (der, key) = csr(&["a.example.com"]);
    let valid = client.post(ready["finalize"].as_str().unwrap(), &json!({ "csr": encoded(der) })).await.good(200);
    let pem = client.read(valid["certificate"].as_str().unwrap()).await.text();
    let revoke = client.url("revokeCert");
    let payload = json!({ "certificate": encoded(leaf(&pem)), "reason": 1 });
    let thief = client.other(Key::new());
    assert_eq!(thief.post(&revoke, &payload).await.problem(), (403, "unauthorized".to_owned()));
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &key.serialize_der(),
    );
    let holder = client.other(Key::Ec("ES256", "P-256", pair.unwrap()));
    assert_eq!(holder.post(&revoke, &payload).await.status, 200);
}

#[tokio::test]
async fn renewal_information() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let (_, pem) = issue(&scene, &client, &["a.example.com"]).await;
    let id = cert_id(&pem);
    let ask = async |id: &str| client.get(&format!("{}/{id}", client.url("renewalInfo"))).await;
    let reply = ask(&id).await;
    let window = reply.good(200)["suggestedWindow"].clone();
    let at = |name: &str| {
        let format = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(window[name].as_str().unwrap(), format).unwrap()
    };
    assert!(START < at("start") && at("start") < at("end"), "{window}");
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
    for wrong in ["x", "AAAA.AAAA", &id[..id.len() - 4]] {
        assert!((400..=404).contains(&ask(wrong).await.problem().0), "{wrong}");
    }

    let order = json!({ "identifiers": [{ "type": "dns", "value": "a.example.com" }], "replaces": id });
    let placed = client.post(&client.url("newOrder"), &order).await.good(201);
    assert_eq!(placed["replaces"], id);
    let again = client.post(&client.url("newOrder"), &order).await;
    assert_eq!(again.problem(), (409, "alreadyReplaced".to_owned()));
    let stranger = scene.account().await;
    assert!(stranger.post(&stranger.url("newOrder"), &order).await.problem().0 >= 400);
}

fn cert_id(pem: &str) -> String {
    let der = leaf(pem);
    let certificate = rustls_pki_types::CertificateDer::from(der);
    instant_acme::CertificateIdentifier::try_from(&certificate).unwrap().to_string()
}

#[tokio::test]
async fn profiles_are_chosen_by_name() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let order = json!({ "identifiers": [{ "type": "dns", "value": "a.example.com" }], "profile": "web" });
    let placed = client.post(&client.url("newOrder"), &order).await.good(201);
    assert_eq!(placed["profile"], "web");
}

#[tokio::test]
async fn limits_are_told_with_a_time() {
    let limits = AcmeLimits {
        orders_per_account: Some(chancery::domain::Rate { count: 2, per: Span::hours(1) }),
        ..AcmeLimits::default()
    };
    let scene = Scene::with(AcmeSettings { limits, ..unbound() }).await;
    let client = scene.account().await;
    for name in ["a.example.com", "b.example.com"] {
        client.order(&[name]).await;
    }
    let order = json!({ "identifiers": [{ "type": "dns", "value": "c.example.com" }] });
    let reply = client.post(&client.url("newOrder"), &order).await;
    assert_eq!(reply.problem(), (429, "rateLimited".to_owned()));
    assert!((1..=3600).contains(&reply.header("retry-after").parse::<i32>().unwrap()));
}

#[tokio::test]
async fn addresses_have_limits() {
    let scene = Scene::new().await;
    let few = AcmeBounds {
        requests: Rate { per_minute: 60, burst: 3 },
        new_accounts: Rate { per_minute: 1, burst: 1 },
        ..AcmeBounds::default()
    };
    let header = http::HeaderName::from_static("x-forwarded-for");
    let place = chancery::front::acme::ClientAddress::Header(header);
    let router = mounted(acme(&scene.world.engine).bounds(few).client_address(place));
    let client = Client { router, ..scene.client().await };
    let ask = async |address: &str| {
        let request =
            http::Request::get(scene.directory.strip_prefix(HOST).unwrap()).header("x-forwarded-for", address);
        client.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1").await.status, 200);
    }
    let much = ask("192.0.2.1").await;
    assert_eq!((much.problem(), much.header("retry-after")), ((429, "rateLimited".to_owned()), "1"));
    assert_eq!(ask("192.0.2.2").await.status, 200);
    assert_eq!(ask("192.0.2.2, 192.0.2.1").await.status, 429);
}

#[tokio::test]
async fn a_nonce_of_another_node_is_good() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let other = builder(std::sync::Arc::clone(&scene.store), &scene.clock, 2).build().await.unwrap();
    let there = Client { router: mounted(acme(&other)), ..scene.client().await };
    let url = client.kid.clone().unwrap();
    let header = client.header(&url).await;
    let body = client.sign(&header, "");
    there.post_body(&url, &body).await.good(200);
    assert_eq!(there.post_body(&url, &body).await.problem(), (400, "badNonce".to_owned()));
}

#[tokio::test]
async fn nonces_grow_old() {
    let scene = Scene::new().await;
    let client = scene.account().await;
    let url = client.kid.clone().unwrap();
    let header = client.header(&url).await;
    scene.clock.advance(time::Duration::minutes(61));
    let reply = client.post_body(&url, &client.sign(&header, "")).await;
    assert_eq!(reply.problem(), (400, "badNonce".to_owned()));
}
