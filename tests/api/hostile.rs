//! Broken, strange and malicious requests: a clear answer, nothing stored, and never a fault of the server.

use std::sync::LazyLock;

use axum::body::Body;
use chancery::store::MemoryStore;
use http::{Method, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::contract::eligible;
use crate::samples::{body, operations, path};
use crate::scene::{Front, Reply, Scene, plain, unbounded};
use crate::support::{World, everything};

const PATH: &str = "/api/v1/cert-manager/certificates";

/// What, the body, the status, the code, and the field that is told of.
type Broken<'a> = (&'a str, Vec<u8>, u16, &'a str, Option<&'a str>);

fn raw(content_type: Option<&str>, body: Vec<u8>) -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri(PATH).header("x-actor", "otto");
    let request = content_type.into_iter().fold(request, |request, media| request.header("content-type", media));
    request.body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn every_broken_body_gets_its_problem_and_stores_nothing() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let front = Front::of(&world, unbounded());
    let profile = world.profile.id.to_string();
    let before = everything(&store).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested =
        format!(r#"{{"profileId":"{profile}","attributes":{{"commonName":{}}}}}"#, "[".repeat(500) + &"]".repeat(500));
    let table: Vec<Broken> = vec![
        ("empty", Vec::new(), 400, "malformed", None),
        ("cut", b"{\"profileId\":".to_vec(), 400, "malformed", None),
        ("not UTF-8", b"{\"profileId\":\"\xff\xfe\"}".to_vec(), 400, "malformed", None),
        ("more than one", format!(r#"{{"profileId":"{profile}"}} {{}}"#).into_bytes(), 400, "malformed", None),
        ("deep", deep.into_bytes(), 400, "invalid-request", None),
        ("deep inside", nested.into_bytes(), 400, "invalid-request", Some("attributes.commonName")),
        ("a list", b"[]".to_vec(), 400, "invalid-request", Some("")),
        ("null", b"null".to_vec(), 400, "invalid-request", Some("")),
        ("no profile", b"{}".to_vec(), 400, "invalid-request", Some("")),
        (
            "unknown field",
            format!(r#"{{"profileId":"{profile}","profile":1}}"#).into_bytes(),
            400,
            "invalid-request",
            Some("profile"),
        ),
        ("wrong type", br#"{"profileId":5}"#.to_vec(), 400, "invalid-request", Some("profileId")),
        (
            "another id",
            br#"{"profileId":"app-00000000000000000000000000"}"#.to_vec(),
            400,
            "invalid-request",
            Some("profileId"),
        ),
        (
            "twice",
            format!(r#"{{"profileId":"{profile}","profileId":"{profile}"}}"#).into_bytes(),
            400,
            "invalid-request",
            Some(""),
        ),
        (
            "unknown word",
            format!(r#"{{"profileId":"{profile}","attributes":{{"keyAlgorithm":"DSA"}}}}"#).into_bytes(),
            400,
            "invalid-request",
            Some("attributes.keyAlgorithm"),
        ),
        (
            "unknown kind",
            format!(r#"{{"profileId":"{profile}","attributes":{{"altNames":[{{"type":"x","value":"y"}}]}}}}"#)
                .into_bytes(),
            400,
            "invalid-request",
            Some("attributes.altNames[0].type"),
        ),
        (
            "months",
            format!(r#"{{"profileId":"{profile}","attributes":{{"ttl":"3M"}}}}"#).into_bytes(),
            400,
            "invalid-request",
            Some("attributes.ttl"),
        ),
        (
            "a date",
            format!(r#"{{"profileId":"{profile}","attributes":{{"notAfter":"soon"}}}}"#).into_bytes(),
            400,
            "invalid-request",
            Some("attributes.notAfter"),
        ),
    ];
    for (what, body, status, code, field) in table {
        let reply = front.send(raw(Some("application/json"), body)).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{what}: {}", reply.text());
        if let Some(field) = field {
            let fields = reply.fields();
            assert!(fields.iter().any(|each| each.starts_with(field)) && fields.len() == 1, "{what}: {}", reply.text());
        }
        assert!(reply.bytes.len() < 2000, "{what}: the answer is as long as the fault is");
    }
    let good = json!({ "profileId": profile }).to_string().into_bytes();
    for media in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/json; charset=latin1"),
        Some("application/jsonx"),
    ] {
        let reply = front.send(raw(media, good.clone())).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (415, "unsupported-media-type"), "{media:?}");
    }
    assert_eq!(everything(&store).await, before);
    let reply = front.send(raw(Some("Application/JSON; charset=\"UTF-8\""), good)).await;
    assert_eq!(reply.code(), "refused", "read, and then judged");
}

#[tokio::test]
async fn other_methods_and_paths_are_told_apart() {
    let (world, front) = plain().await;
    let reply = front.call("otto", Method::PUT, "/certificates", None).await;
    assert_eq!(reply.code(), "method-not-allowed");
    let allowed = reply.headers["allow"].to_str().unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert!(reply.headers.contains_key("x-request-id"));
    for path in ["/nothing", "/certificates/x/y/z", "/certificates/not-an-id", "/applications/%ff", "/certificates/%00"]
    {
        assert_eq!(front.get("otto", path).await.code(), "not-found", "{path}");
    }
    for query in
        ["?limit=0", "?limit=101", "?limit=many", "?surprise=1", "?limit=1&limit=2", "?status=lost", "?applicationId=x"]
    {
        let reply = front.get("root", &format!("/certificates{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid-request"), "{query}");
    }
    let list = format!("/certificates?applicationId={}&after=bogus", world.application.id);
    assert_eq!(front.get("otto", &list).await.code(), "invalid-value");
}

#[tokio::test]
async fn long_bodies_are_refused_whether_they_say_so_or_not() {
    let (_, front) = plain().await;
    let long = vec![b' '; 256 * 1024 + 1];
    let reply = front.send(raw(Some("application/json"), long.clone())).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "body-too-large"));
    // In pieces, without a length.
    let pieces = futures_util::stream::iter(
        long.chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>(),
    );
    let mut request = raw(Some("application/json"), Vec::new());
    *request.body_mut() = Body::from_stream(pieces);
    assert_eq!(front.send(request).await.code(), "body-too-large");
    let broken = futures_util::stream::iter([Ok(b"{".to_vec()), Err(std::io::Error::other("gone"))]);
    let mut request = raw(Some("application/json"), Vec::new());
    *request.body_mut() = Body::from_stream(broken);
    assert_eq!(front.send(request).await.code(), "malformed");
}

/// Values that no field expects.
fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("\u{0}"),
        json!("x".repeat(5000)),
        json!("../../etc/passwd"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "": null }),
    ]
}

/// Every body that differs from a good one in one place.
fn spoiled(good: &Value) -> Vec<Value> {
    fn places(value: &Value, at: String, found: &mut Vec<String>) {
        found.push(at.clone());
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, value)| places(value, format!("{at}/{key}"), found))
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, value)| places(value, format!("{at}/{n}"), found))
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(good, String::new(), &mut found);
    let mut spoiled = Vec::new();
    for place in &found {
        for oddity in oddities() {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap() = oddity;
            spoiled.push(bad);
        }
    }
    spoiled
}

#[track_caller]
fn holds(what: &str, reply: &Reply) {
    assert!(!reply.status.is_server_error(), "{what}: {}", reply.text());
    if !reply.status.is_success() {
        reply.code();
    }
}

/// One world for each endpoint: most of these requests do nothing, and what the others do hurts none of them.
#[tokio::test]
async fn no_spoiled_body_of_any_endpoint_is_a_fault_of_the_server() {
    for operation in operations() {
        let scene = Scene::new().await;
        let Some(good) = body(&operation, &scene).await else { continue };
        let path = path(&operation, &scene);
        for bad in spoiled(&good) {
            let reply =
                scene.front.call(eligible(&operation), operation.method.clone(), &path, Some(bad.clone())).await;
            holds(&format!("{} with {bad}", operation.id), &reply);
        }
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
static PLAIN: LazyLock<(World, Front)> = LazyLock::new(|| RUNTIME.block_on(plain()));

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(Value::from("90d")),
        Just(json!(PLAIN.0.profile.id)),
    ];
    let name = prop_oneof![
        Just("profileId".to_owned()),
        Just("attributes".to_owned()),
        Just("altNames".to_owned()),
        Just("type".to_owned()),
        Just("value".to_owned()),
        Just("ttl".to_owned()),
        Just("metadata".to_owned()),
        "[a-zA-Z]{0,10}",
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|members| Value::from(serde_json::Map::from_iter(members))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_octets_panic_or_are_a_fault_of_the_server(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let reply = RUNTIME.block_on(PLAIN.1.send(raw(Some("application/json"), octets)));
        prop_assert!(reply.status.is_client_error());
    }

    #[test]
    fn no_json_panics_or_is_a_fault_of_the_server(value in json_value()) {
        let mut whole = json!({ "profileId": PLAIN.0.profile.id, "attributes": {} });
        let reply = RUNTIME.block_on(PLAIN.1.post("otto", "/certificates", value.clone()));
        prop_assert!(reply.status.is_client_error(), "{}", reply.text());
        whole["attributes"] = value;
        let reply = RUNTIME.block_on(PLAIN.1.post("otto", "/certificates", whole));
        prop_assert!(!reply.status.is_server_error(), "{}", reply.text());
    }

    #[test]
    fn no_path_or_query_is_a_fault_of_the_server(path in "(/[a-z%0-9{}.-]{0,12}){1,5}", query in "[a-zA-Z0-9=&%+]{0,30}") {
        let uri = format!("/api/v1/cert-manager{path}?{query}");
        let Ok(request) = Request::builder().uri(uri).header("x-actor", "otto").body(Body::empty()) else { return Ok(()) };
        let reply = RUNTIME.block_on(PLAIN.1.send(request));
        prop_assert!(!reply.status.is_server_error(), "{}", reply.text());
    }
}
