//! Asking for certificates over HTTP: the requests of the API enrollment page as they stand there, and what follows.

use chancery::domain::{ApprovalPolicySpec, ApprovalStep, Methods, PolicySpec, Preset};
use chancery::x509::{Certificate, KeyAlgorithm};
use http::{Method, Request};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::scene::{Front, plain, request};
use crate::support::{World, principal, slug};

/// The body of the first curl command, with the profile's id filled in.
fn managed(world: &World) -> String {
    r#"{
        "profileId": "<certificate-profile-id>",
        "attributes": {
          "commonName": "api.example.com",
          "ttl": "90d",
          "keyAlgorithm": "RSA_2048",
          "altNames": [
            { "type": "DNS", "value": "api.example.com" },
            { "type": "DNS", "value": "www.api.example.com" }
          ]
        },
        "metadata": [
          { "key": "env", "value": "production" },
          { "key": "service", "value": "payments-api" }
        ]
      }"#
    .replace("<certificate-profile-id>", &world.profile.id.to_string())
}

fn csr(name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec![name.to_owned()]).unwrap().serialize_request(&key).unwrap().pem().unwrap()
}

/// The body of the second curl command.
fn by_csr(world: &World) -> String {
    r#"{
        "profileId": "<certificate-profile-id>",
        "csr": "<csr>",
        "attributes": {
          "ttl": "90d"
        }
      }"#
    .replace("<certificate-profile-id>", &world.profile.id.to_string())
    .replace("<csr>", &csr("api.example.com").replace('\n', "\\n"))
}

async fn post(front: &Front, who: &str, body: String) -> crate::scene::Reply {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/cert-manager/certificates")
        .header("x-actor", who)
        .header("content-type", "application/json");
    front.send(request.body(body.into()).unwrap()).await
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn guard(world: &World) {
    let step = ApprovalStep::new(1, [principal("group:ops")]);
    let policy = ApprovalPolicySpec::new(slug("all"), [step]);
    world.session("alice").save_approval_policy(world.application.id, policy).await.unwrap();
}

#[tokio::test]
async fn the_managed_request_of_the_seed() {
    let (world, front) = plain().await;
    let answer = post(&front, "otto", managed(&world)).await.good();
    assert_eq!(keys(&answer), ["certificate", "certificateRequestId"]);
    let view = &answer["certificate"];
    let expected =
        ["certificate", "certificateChain", "certificateId", "issuingCaCertificate", "privateKey", "serialNumber"];
    assert_eq!(keys(view), expected);
    let certificate = &Certificate::from_pem_chain(view["certificate"].as_str().unwrap()).unwrap()[0];
    let content = certificate.content();
    assert_eq!(content.key_algorithm, KeyAlgorithm::Rsa2048);
    assert_eq!(
        content.sans.iter().map(|san| san.value()).collect::<Vec<_>>(),
        ["api.example.com", "www.api.example.com"]
    );
    assert_eq!(content.validity.span(), time::Duration::days(90));
    assert!(view["privateKey"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(view["certificateChain"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(view["serialNumber"], certificate.serial().to_string());
    let id = view["certificateId"].as_str().unwrap();
    let details = front.get("audra", &format!("/certificates/{id}")).await.good();
    let tags = json!([{ "key": "env", "value": "production" }, { "key": "service", "value": "payments-api" }]);
    assert_eq!(details["certificate"]["metadata"], tags);
    assert_eq!(details["certificate"]["status"], "active");
}

#[tokio::test]
async fn the_certificate_request_of_the_seed() {
    let (world, front) = plain().await;
    let answer = post(&front, "otto", by_csr(&world)).await.good();
    assert_eq!(keys(&answer), ["certificate", "certificateRequestId"]);
    assert!(answer["certificate"].get("privateKey").is_none(), "the key is the client's");
    let certificate = &Certificate::from_pem_chain(answer["certificate"]["certificate"].as_str().unwrap()).unwrap()[0];
    assert_eq!(certificate.content().sans[0].value(), "api.example.com");
    let id = answer["certificate"]["certificateId"].as_str().unwrap();
    assert_eq!(front.get("otto", &format!("/certificates/{id}/private-key")).await.code(), "private-key-unavailable");
    let bundle = front.get("otto", &format!("/certificates/{id}/bundle")).await.good();
    assert_eq!(bundle["privateKey"], Value::Null);
}

#[tokio::test]
async fn what_needs_approval_is_null_until_people_agree_and_then_brings_its_key_once() {
    let (world, front) = plain().await;
    guard(&world).await;
    let reply = post(&front, "otto", managed(&world)).await;
    assert!(reply.headers.contains_key("retry-after"));
    let answer = reply.good();
    assert_eq!((&answer["certificate"], &answer["status"]), (&Value::Null, &json!("pending_approval")));
    let id = answer["certificateRequestId"].as_str().unwrap();
    let path = format!("/certificates/certificate-requests/{id}");
    let waiting = front.get("otto", &path).await.good();
    assert_eq!((&waiting["status"], &waiting["certificate"]), (&json!("pending_approval"), &Value::Null));
    assert_eq!(waiting["request"]["commonName"], "api.example.com");

    let shown = front.get("gina/ops", &format!("/approval-requests/{id}")).await.good();
    assert_eq!(shown["violations"], json!([]));
    let vote = json!({ "digest": shown["digest"] });
    let other = front.post("gina/ops", &format!("/approval-requests/{id}/approve"), json!({ "digest": "0" })).await;
    assert_eq!(other.code(), "vote-refused");
    let agreed = front.post("gina/ops", &format!("/approval-requests/{id}/approve"), vote).await.good();
    assert_eq!(agreed["status"], "issued");

    let first = front.get("otto", &path).await.good();
    assert!(first["privateKey"].as_str().unwrap().contains("PRIVATE KEY"));
    assert_eq!(first["certificateId"], agreed["certificateId"]);
    let auditor = front.get("audra", &path).await.good();
    assert!(auditor.get("privateKey").is_none() && auditor["certificate"].is_string());
}

#[tokio::test]
async fn rejected_cancelled_and_expired_requests_say_so() {
    let (world, front) = plain().await;
    guard(&world).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = post(&front, "otto", managed(&world)).await.good();
        ids.push(answer["certificateRequestId"].as_str().unwrap().to_owned());
    }
    let shown = front.get("gina/ops", &format!("/approval-requests/{}", ids[0])).await.good();
    let vote = json!({ "digest": shown["digest"], "comment": "not now" });
    front.post("gina/ops", &format!("/approval-requests/{}/reject", ids[0]), vote).await.good();
    let cancel = format!("/certificates/certificate-requests/{}/cancel", ids[1]);
    assert_eq!(front.call("alice", Method::POST, &cancel, None).await.code(), "vote-refused");
    front.call("otto", Method::POST, &cancel, None).await.good();
    world.clock.advance(time::Duration::days(8));
    for (id, status) in ids.iter().zip(["rejected", "cancelled", "expired"]) {
        let polled = front.get("otto", &format!("/certificates/certificate-requests/{id}")).await.good();
        assert_eq!(polled["status"], status);
        assert!(polled["errorMessage"].is_string() && polled["certificate"].is_null(), "{polled}");
    }
    let list = format!("/certificates/certificate-requests?applicationId={}&status=rejected", world.application.id);
    let listed = front.get("audra", &list).await.good();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], json!(ids[0]));
}

#[tokio::test]
async fn a_refusal_tells_everything_with_the_fields_as_they_were_written() {
    let (world, front) = plain().await;
    let body = json!({
        "profileId": world.profile.id, "metadata": [{ "key": "no spaces", "value": "" }],
        "attributes": {
            "commonName": "x".repeat(65), "ttl": "9999d", "keyUsages": ["key_agreement"],
            "altNames": [{ "type": "dns_name", "value": "fine.example.com" }, { "type": "dns_name", "value": "not a name" }],
        },
    });
    let reply = front.post("otto", "/certificates", body).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "refused"));
    let fields = reply.fields();
    for field in
        ["attributes.commonName", "attributes.altNames[1]", "attributes.ttl", "attributes.keyUsages", "metadata"]
    {
        assert!(fields.iter().any(|each| each == field), "{field} is not among {fields:?}");
    }
    let beside =
        json!({ "profileId": world.profile.id, "csr": csr("a.example.com"), "attributes": { "commonName": "b" } });
    assert_eq!(front.post("otto", "/certificates", beside).await.fields(), ["attributes"]);
    let broken = json!({ "profileId": world.profile.id, "csr": "-----BEGIN CERTIFICATE REQUEST-----\n" });
    let reply = front.post("otto", "/certificates", broken).await;
    assert_eq!((reply.code().as_str(), reply.fields()), ("invalid-value", vec!["csr".to_owned()]));
}

#[tokio::test]
async fn what_a_request_would_come_to_is_told_without_doing_it() {
    let (world, front) = plain().await;
    let ask = |ttl: &str| json!({ "profileId": world.profile.id, "attributes": { "ttl": ttl, "altNames": [{ "type": "DNS", "value": "a.example.com" }] } });
    let good = front.post("otto", "/certificates/dry-run", ask("10d")).await.good();
    assert_eq!((&good["permitted"], &good["draft"]["keyAlgorithm"]), (&json!(true), &json!("EC_prime256v1")));
    let bad = front.post("otto", "/certificates/dry-run", ask("9999d")).await.good();
    assert_eq!(bad["permitted"], false);
    let violations = bad["violations"].as_array().unwrap();
    assert!(violations.iter().any(|each| each["field"] == "attributes.ttl"), "{bad}");
    let told = front.post("otto", "/certificates/explain", ask("9999d")).await;
    assert!(told.text().starts_with("refused for "), "{}", told.text());
    let list = format!("/certificates?applicationId={}", world.application.id);
    assert_eq!(front.get("otto", &list).await.good()["items"], json!([]));
}

#[tokio::test]
async fn subjects_have_three_states_and_m_means_minutes() {
    let (world, front) = plain().await;
    let product = world.session("root");
    product.save_policy(PolicySpec::new(slug("web"))).await.unwrap();
    let mut spec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    spec.defaults.subject = [(chancery::x509::Attribute::Organization, "Example GmbH".into())].into_iter().collect();
    product.save_profile(spec).await.unwrap();
    let ask = |organization: Option<Value>| {
        let mut attributes = json!({ "ttl": "90m", "altNames": [{ "type": "DNS", "value": "a.example.com" }] });
        if let Some(organization) = organization {
            attributes["organization"] = organization;
        }
        json!({ "profileId": world.profile.id, "attributes": attributes })
    };
    for (asked, expected) in
        [(None, json!(["Example GmbH"])), (Some(Value::Null), Value::Null), (Some(json!("Other")), json!(["Other"]))]
    {
        let draft = front.post("otto", "/certificates/dry-run", ask(asked)).await.good()["draft"].clone();
        assert_eq!(draft["subject"].get("organization").cloned().unwrap_or_default(), expected);
        let parse = |name: &str| {
            let text = draft[name].as_str().unwrap();
            time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
        };
        assert_eq!(parse("notAfter") - parse("notBefore"), time::Duration::minutes(90));
    }
}

#[tokio::test]
async fn a_renewal_brings_its_new_key_and_a_second_one_is_refused() {
    let (world, front) = plain().await;
    let first = world.issue("api.example.com").await.record.id;
    world.clock.advance(time::Duration::hours(2));
    let path = format!("/certificates/{first}/renew");
    let renewed = front.post("otto", &path, json!({})).await.good();
    assert!(renewed["privateKey"].as_str().unwrap().contains("PRIVATE KEY"));
    assert!(renewed["certificate"].is_string() && renewed["certificateRequestId"].is_string());
    let id = renewed["certificateId"].as_str().unwrap();
    let details = front.get("otto", &format!("/certificates/{id}")).await.good();
    assert_eq!(details["certificate"]["renewedFromCertificateId"], json!(first));
    assert_eq!(details["certificate"]["orderId"], json!(first));
    let old = front.get("otto", &format!("/certificates/{first}")).await.good();
    assert_eq!(
        (&old["certificate"]["status"], &old["certificate"]["renewedByCertificateId"]),
        (&json!("renewed"), &json!(id))
    );
    let again = front.post("otto", &path, json!({})).await;
    assert!(again.status.is_client_error(), "{}", again.text());
    world.clock.advance(time::Duration::hours(2));
    let edited = json!({ "attributes": { "altNames": [{ "type": "DNS", "value": "b.example.com" }], "ttl": "5d" } });
    let next = front.post("otto", &format!("/certificates/{id}/renew"), edited).await.good();
    let certificate = &Certificate::from_pem_chain(next["certificate"].as_str().unwrap()).unwrap()[0];
    assert_eq!(certificate.content().sans[0].value(), "b.example.com");
    let mixed = json!({ "renewalKeySource": "reuse", "csr": csr("a.example.com") });
    assert_eq!(front.post("otto", &path, mixed).await.code(), "invalid-value");
}

#[tokio::test]
async fn renewal_is_configured_for_one_certificate() {
    let (world, front) = plain().await;
    let id = world.issue("api.example.com").await.record.id;
    let config = |body: Value| front.call("otto", Method::PATCH, "", Some(body));
    drop(config(json!({})));
    let path = format!("/certificates/{id}/config");
    let patch = |body: Value| {
        let (front, path) = (front.clone(), path.clone());
        async move { front.call("otto", Method::PATCH, &path, Some(body)).await }
    };
    let set = patch(json!({ "renewBeforeDays": 10 })).await.good();
    assert_eq!((&set["renewBeforeDays"], &set["plan"]["state"]), (&json!(10), &json!("scheduled")));
    let off = patch(json!({ "enableAutoRenewal": false })).await.good();
    assert_eq!((&off["ownSetting"]["enabled"], &off["plan"]["state"]), (&json!(false), &json!("off")));
    let part = patch(json!({ "renewal": { "when": "2/3" } })).await.good();
    assert_eq!(part["ownSetting"]["when"], "2/3");
    let left = patch(json!({ "renewal": null })).await.good();
    assert_eq!(left["ownSetting"], Value::Null);
    for body in [
        json!({}),
        json!({ "renewBeforeDays": 31 }),
        json!({ "renewBeforeDays": 0 }),
        json!({ "renewBeforeDays": 5, "enableAutoRenewal": false }),
        json!({ "enableAutoRenewal": true }),
    ] {
        assert_eq!(patch(body.clone()).await.code(), "invalid-value", "{body}");
    }
}

#[tokio::test]
async fn a_repetition_with_an_idempotency_key_gets_the_same_certificate() {
    let (world, front) = plain().await;
    let ask = |name: &str, key: &str| {
        let body =
            json!({ "profileId": world.profile.id, "attributes": { "altNames": [{ "type": "DNS", "value": name }] } });
        let mut request = request("otto", Method::POST, "/certificates", Some(body));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        request
    };
    let first = front.send(ask("a.example.com", "deploy-1")).await.good();
    let again = front.send(ask("a.example.com", "deploy-1")).await.good();
    assert_eq!(first["certificateRequestId"], again["certificateRequestId"]);
    assert_eq!(first["certificate"]["serialNumber"], again["certificate"]["serialNumber"]);
    let other = front.send(ask("b.example.com", "deploy-1")).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency-key"));
    assert_eq!(front.send(ask("a.example.com", "")).await.code(), "idempotency-key");
    let next = front.send(ask("a.example.com", "deploy-2")).await.good();
    assert_ne!(first["certificateRequestId"], next["certificateRequestId"]);
}

#[tokio::test]
async fn the_application_may_be_left_out_if_only_one_can_be_meant() {
    let (world, front) = plain().await;
    let body = json!({ "profileId": world.profile.id, "attributes": { "altNames": [{ "type": "DNS", "value": "a.example.com" }] } });
    // A member who may not ask, one who administers the product, and a stranger: there is none for them.
    for who in ["audra", "root", "mallory"] {
        assert_eq!(front.post(who, "/certificates", body.clone()).await.code(), "not-found", "{who}");
    }
    front.post("gina/ops", "/certificates", body.clone()).await.good();
    let second = crate::support::application(&world.engine, "second", &["web"]).await;
    let reply = front.post("otto", "/certificates", body.clone()).await;
    assert_eq!(reply.code(), "ambiguous");
    assert!(reply.text().contains(&second.id.to_string()));
    let session = world.session("alice");
    session.set_methods(second.id, world.profile.id, Methods::default()).await.unwrap();
    let mut named = body;
    named["applicationId"] = json!(second.id);
    let reply = front.post("otto", "/certificates", named).await;
    assert_eq!((reply.code().as_str(), reply.fields()), ("refused", vec!["method".to_owned()]));
}

#[tokio::test]
async fn certificates_are_revoked_held_and_released() {
    let (world, front) = plain().await;
    let issued = world.issue("api.example.com").await;
    let path = format!("/certificates/{}", issued.record.id);
    let hold = json!({ "revocationReason": "CERTIFICATE_HOLD" });
    let held = front.post("otto", &format!("{path}/revoke"), hold).await.good();
    assert_eq!(held["serialNumber"], issued.record.serial.to_string());
    assert!(held["revokedAt"].is_string());
    let released = front.call("otto", Method::POST, &format!("{path}/release-hold"), None).await.good();
    assert_eq!(released["revokedAt"], Value::Null);
    let print = issued.record.fingerprint.clone();
    let compromise = json!({ "thumbprint": print, "revocationReason": "KEY_COMPROMISE" });
    front.post("otto", "/certificates/revoke-by-thumbprint", compromise.clone()).await.good();
    assert_eq!(front.get("otto", &path).await.good()["certificate"]["revocationReason"], "KEY_COMPROMISE");
    let other = json!({ "revocationReason": "SUPERSEDED" });
    assert_eq!(front.post("otto", &format!("{path}/revoke"), other).await.code(), "not-revocable");
    assert_eq!(front.post("mallory", "/certificates/revoke-by-thumbprint", compromise).await.code(), "not-found");
    let short = json!({ "thumbprint": "ab:cd", "revocationReason": "SUPERSEDED" });
    assert_eq!(front.post("otto", "/certificates/revoke-by-thumbprint", short).await.code(), "invalid-value");
}

#[test]
fn the_seeds_of_the_fuzzer_are_requests() {
    let application = chancery::domain::ApplicationId::new(crate::support::START, [7; 10]);
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/api_request");
    let mut read = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let body = std::fs::read(seed.unwrap().path()).unwrap();
        let enrollment = chancery::front::api::read_request(&body, application).unwrap();
        serde_json::to_vec(&(&enrollment.names, &enrollment.terms, &enrollment.metadata)).unwrap();
        read += 1;
    }
    assert_eq!(read, 3);
}
