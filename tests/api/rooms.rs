//! Rooms beside enrollment: what is saved is shown as it was written, and faults are told field by field.

use chancery::store::MemoryStore;
use http::Method;
use serde_json::{Value, json};

use crate::scene::{Scene, plain};
use crate::support::bodies;

#[tokio::test]
async fn a_policy_is_shown_as_it_was_written() {
    let (_, front) = plain().await;
    let policy = json!({
        "name": "strict", "description": "what devices get",
        "subject": [{ "type": "common_name", "allowed": ["*.example.com"] }, { "type": "organization", "required": ["Example GmbH"] }],
        "sans": [{ "type": "dns_name", "allowed": ["*.example.com"], "denied": ["admin.example.com"] }],
        "keyUsages": { "allowed": ["digital_signature"] }, "extendedKeyUsages": { "required": ["server_auth"] },
        "algorithms": { "signature": ["ECDSA-SHA256"], "keyAlgorithm": ["EC_prime256v1"] },
        "validity": { "max": "90d" }, "basicConstraints": { "isCA": "denied" },
    });
    let saved = front.post("root", "/certificate-policies", policy.clone()).await.good();
    assert_eq!((&saved["revision"], &saved["policy"]["sans"]), (&json!(1), &policy["sans"]));
    for (field, value) in policy.as_object().unwrap() {
        if field != "subject" {
            assert_eq!(&saved["policy"][field], value, "{field}");
        }
    }
    let again = front.post("root", "/certificate-policies", saved["policy"].clone()).await.good();
    assert_eq!(again["revision"], 1, "what is shown says the same");
    let mut broken = policy.clone();
    broken["sans"][0]["allowed"] = json!(["not a pattern"]);
    broken["validity"]["min"] = json!("100d");
    let reply = front.post("root", "/certificate-policies", broken).await;
    assert_eq!(reply.code(), "invalid-value");
    assert!(reply.fields().contains(&"sans[dns_name].allowed[0]".to_owned()), "{:?}", reply.fields());
    let mut twice = policy.clone();
    twice["sans"] = json!([{ "type": "dns_name" }, { "type": "DNS" }]);
    assert_eq!(front.post("root", "/certificate-policies", twice).await.fields(), ["sans[1].type"]);
    // Absent, empty and ruled are three things.
    for (sans, expected) in [(None, Value::Null), (Some(json!([])), json!([]))] {
        let mut states = json!({ "name": "states" });
        if let Some(sans) = sans {
            states["sans"] = sans;
        }
        let saved = front.post("root", "/certificate-policies", states).await.good();
        assert_eq!(saved["policy"].get("sans").cloned().unwrap_or_default(), expected);
    }
}

#[tokio::test]
async fn a_new_policy_tells_what_it_would_refuse() {
    let (world, front) = plain().await;
    for number in 0..3 {
        world.issue(&format!("n{number}.example.com")).await;
    }
    let path = format!("/certificate-policies/{}/impact", world.profile.policy);
    let policy = json!({ "name": "web", "sans": [{ "type": "dns_name", "allowed": ["n1.example.com"] }] });
    let told = front.post("root", &path, json!({ "policy": policy })).await.good();
    assert_eq!((told["certificates"].as_array().unwrap().len(), &told["isTruncated"]), (2, &json!(false)));
    let told = front.post("root", &path, json!({ "policy": policy, "limit": 1 })).await.good();
    assert_eq!((told["certificates"].as_array().unwrap().len(), &told["isTruncated"]), (1, &json!(true)));
}

#[tokio::test]
async fn enrollment_is_set_method_by_method() {
    let (world, front) = plain().await;
    let base = format!("/applications/{}/profiles/{}/enrollment", world.application.id, world.profile.id);
    let put = |method: &str, body: Value| {
        let (front, path) = (front.clone(), format!("{base}/{method}"));
        async move { front.call("alice", Method::PUT, &path, Some(body)).await }
    };
    let set = put("api", json!({ "autoRenew": true, "renewBeforeDays": 14 })).await.good();
    assert_eq!(set["api"], json!({ "autoRenew": true, "renewBeforeDays": 14 }));
    put("acme", json!({ "skipEabBinding": true })).await.good();
    put("scep", json!({ "challengeType": "dynamic", "dynamicChallengeExpiryMinutes": 30 })).await.good();
    let all = front.get("audra", &base).await.good();
    assert_eq!(all["api"]["renewBeforeDays"], 14, "the others stay");
    assert_eq!(all["acme"], json!({ "skipDnsOwnershipVerification": false, "skipEabBinding": true }));
    assert_eq!(all["scep"]["dynamicChallengeExpiryMinutes"], 30);
    assert_eq!(all["est"], Value::Null);
    let table = [
        ("api", json!({ "autoRenew": true }), "renewBeforeDays"),
        ("api", json!({ "autoRenew": true, "renewBeforeDays": 31 }), "renewBeforeDays"),
        ("acme", json!({ "skipEabBinding": true, "skipDnsOwnershipVerification": true }), "skipEabBinding"),
        ("est", json!({}), "caChain"),
    ];
    for (method, body, field) in table {
        let reply = put(method, body).await;
        assert_eq!((reply.code().as_str(), reply.fields()), ("invalid-value", vec![field.to_owned()]), "{method}");
    }
    let gone = front.call("alice", Method::DELETE, &format!("{base}/api"), None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(front.get("audra", &base).await.good()["api"], Value::Null);
    let body = json!({ "profileId": world.profile.id, "attributes": {} });
    assert_eq!(front.post("otto", "/certificates", body).await.fields()[0], "method");
}

#[tokio::test]
async fn members_come_change_and_go_by_their_kind() {
    let (world, front) = plain().await;
    let base = format!("/applications/{}/members", world.application.id);
    front.post("alice", &base, json!({ "principal": "machine:ci", "role": "operator" })).await.good();
    front.call("alice", Method::PUT, &format!("{base}/identities/ci"), Some(json!({ "role": "auditor" }))).await.good();
    let members = front.get("alice", &base).await.good();
    let ci = members["items"].as_array().unwrap().iter().find(|each| each["principal"] == "machine:ci").cloned();
    assert_eq!(ci.unwrap()["role"], "auditor");
    assert_eq!(front.get("otto", &base).await.code(), "forbidden");
    assert_eq!(front.call("alice", Method::DELETE, &format!("{base}/identities/ci"), None).await.status, 204);
    assert_eq!(front.call("alice", Method::DELETE, &format!("{base}/robots/ci"), None).await.code(), "not-found");
    let path = format!("{base}/users/a%0Ab");
    assert_eq!(front.call("alice", Method::DELETE, &path, None).await.code(), "invalid-value");
}

#[tokio::test]
async fn approval_policies_and_alerts_tell_their_faults_as_they_were_written() {
    let scene = Scene::new().await;
    let id = scene.world.application.id;
    let policy = json!({
        "name": "new", "maxRequestTtl": "1min", "conditions": { "sans": [{ "type": "dns_name", "patterns": ["not a pattern"] }] },
        "steps": [{ "requiredApprovals": 0, "approvers": ["user:nobody"] }],
    });
    let reply = scene.front.post("alice", &format!("/applications/{id}/approval-policies"), policy).await;
    let expected = [
        "maxRequestTtl",
        "conditions.sans[dns_name].patterns[0]",
        "steps[0].requiredApprovals",
        "steps[0].approvers[0]",
    ];
    assert_eq!(reply.fields(), expected);
    let alert = json!({
        "name": "new", "eventType": "expiration", "alertBefore": "366d", "filters": [{ "field": "san", "operator": "equals", "value": "" }],
        "channels": [{ "channelType": "email", "config": { "recipients": ["nobody"] } }],
    });
    let reply = scene.front.post("alice", &format!("/applications/{id}/alerts"), alert).await;
    let fields = reply.fields();
    for field in ["alertBefore", "filters[0].value", "channels[0].config.recipients[0]"] {
        assert!(fields.iter().any(|each| each == field), "{field} is not among {fields:?}");
    }
    let sync = json!({ "applicationId": id, "name": "new", "destination": "edge", "filters": {} });
    assert_eq!(scene.front.post("alice", "/syncs", sync).await.fields(), ["filters"]);
    let tested = scene.front.call("alice", Method::POST, &format!("/alerts/{}/test", scene.alert), None).await.good();
    assert_eq!(tested["items"][0]["delivered"], true);
}

#[tokio::test]
async fn events_are_listed_with_their_details() {
    let (world, front) = plain().await;
    let issued = world.issue("api.example.com").await;
    let page = front.get("audra", &format!("/applications/{}/events", world.application.id)).await.good();
    let event =
        page["items"].as_array().unwrap().iter().find(|each| each["event"] == "certificate-issued").cloned().unwrap();
    assert_eq!(event["details"]["certificate"], json!(issued.record.id));
    assert_eq!(event["actor"], "user:otto");
}

#[tokio::test]
async fn an_application_is_made_and_its_keys_are_closed_for_good() {
    let (world, front) = plain().await;
    let body = json!({ "name": "mine", "description": "all mine", "profileIds": [world.profile.id], "members": [{ "principal": "user:otto", "role": "operator" }] });
    let made = front.post("root", "/applications", body.clone()).await.good();
    assert_eq!((&made["profileCount"], &made["memberCount"]), (&json!(1), &json!(2)));
    assert_eq!(front.post("root", "/applications", body).await.code(), "name-taken");
    let path = format!("/applications/{}", made["id"].as_str().unwrap());
    let closed = front.call("root", Method::PATCH, &path, Some(json!({ "keyRereading": false }))).await.good();
    assert_eq!((&closed["keyRereading"], &closed["description"]), (&json!(false), &json!("all mine")));
    let opened = front.call("root", Method::PATCH, &path, Some(json!({ "keyRereading": true }))).await;
    assert_eq!((opened.code().as_str(), opened.fields()), ("invalid-value", vec!["keyRereading".to_owned()]));
}

#[tokio::test]
async fn a_key_can_be_read_again_and_each_reading_is_an_event() {
    let store = MemoryStore::new();
    let world = crate::support::World::over(store.clone()).await;
    let front = crate::scene::Front::of(&world, crate::scene::unbounded());
    let id = world.issue("api.example.com").await.record.id;
    let key = front.get("otto", &format!("/certificates/{id}/private-key")).await.good();
    assert!(key["privateKey"].as_str().unwrap().contains("PRIVATE KEY"));
    let bundle = front.get("otto", &format!("/certificates/{id}/bundle?removeRootsFromChain=true")).await.good();
    assert_eq!((&bundle["privateKey"], &bundle["certificateChain"]), (&key["privateKey"], &json!("")));
    let p12 =
        front.post("otto", &format!("/certificates/{id}/pkcs12"), json!({ "password": "123456", "alias": "a" })).await;
    assert_eq!((p12.status.as_u16(), p12.headers["content-type"].to_str().unwrap()), (200, "application/x-pkcs12"));
    let short =
        front.post("otto", &format!("/certificates/{id}/pkcs12"), json!({ "password": "12345", "alias": "a" })).await;
    assert_eq!(short.fields(), ["password"]);
    let chain = front.get("audra", &format!("/certificates/{id}/chain")).await;
    assert_eq!(chain.text().matches("BEGIN CERTIFICATE").count(), 2);
    let events = bodies(&store, "event").await;
    assert_eq!(events.iter().filter(|event| event["event"] == "private-key-read").count(), 3);
}
