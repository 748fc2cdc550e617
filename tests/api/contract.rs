//! The document and the server say the same.

use std::collections::BTreeSet;

use chancery::front::api::Api;
use serde_json::{Value, json};

use crate::samples::{Operation, body, operations, path};
use crate::scene::{Front, Reply, Scene, plain};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/front/api/openapi.json");

#[test]
fn the_document_that_is_kept_is_the_one_that_is_made() {
    let made = Api::document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(KEPT, format!("{}\n", serde_json::to_string_pretty(&made).unwrap())).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(KEPT).unwrap_or("null".into())).unwrap();
    assert!(kept == made, "src/front/api/openapi.json is out of date: run this test with UPDATE_OPENAPI=1");
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let (_, front) = plain().await;
    let reply = front.get("nobody", "/openapi.json").await;
    assert_eq!(reply.json(), Api::document());
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let operations = operations();
    let names: BTreeSet<&str> = operations.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(names.len(), operations.len());
    for operation in &operations {
        assert!(!operation.value["summary"].as_str().unwrap().is_empty(), "{}", operation.id);
        let placeholders = operation.path.matches('{').count();
        let parameters = operation.value["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|each| each["in"] == "path").count();
        assert_eq!(in_path, placeholders, "{}", operation.id);
    }
}

/// A validator of one schema of the document. Answers may hold nothing that it does not tell of.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut whole = document.clone();
    let schemas = whole["components"]["schemas"].as_object_mut().unwrap();
    for schema in schemas.values_mut() {
        if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
    }
    let mut root = schema.clone();
    root["components"] = whole["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&root).unwrap()
}

#[track_caller]
fn hold(document: &Value, operation: &Operation, reply: &Reply) {
    let responses = &operation.value["responses"];
    let status = reply.status.as_u16().to_string();
    let response = match responses.get(&status) {
        Some(response) => response,
        None => &responses[format!("{}XX", &status[..1])],
    };
    let Some(content) = response.get("content") else {
        assert!(reply.bytes.is_empty(), "{}: {status}: {}", operation.id, reply.text());
        return;
    };
    let media = reply.headers["content-type"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let schema = content.get(&media).unwrap_or_else(|| panic!("{}: {media}: {}", operation.id, reply.text()));
    if !media.ends_with("json") {
        return;
    }
    let body = reply.json();
    let faults: Vec<String> = validator(document, &schema["schema"])
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{}: {faults:?} in {body}", operation.id);
}

/// Who gets a good answer.
pub(crate) fn eligible(operation: &Operation) -> &'static str {
    match operation.id.as_str() {
        "approve" | "reject" => "gina/ops",
        "cancelCertificateRequest" => "otto",
        _ => match operation.needs.as_str() {
            "product-administrator" | "authenticated" | "application.manage-profiles" => "root",
            _ => "alice",
        },
    }
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let document = Api::document();
    for operation in operations() {
        let scene = Scene::new().await;
        let (path, body) = (path(&operation, &scene), body(&operation, &scene).await);
        let takes_body = operation.value.get("requestBody");
        assert_eq!(takes_body.is_some(), body.is_some(), "{}", operation.id);
        if let (Some(takes), Some(body)) = (takes_body, &body) {
            let schema = &takes["content"]["application/json"]["schema"];
            assert!(validator(&document, schema).is_valid(body), "{}: {body}", operation.id);
        }
        let send = |who: &'static str, body: Option<Value>| {
            let (front, method, path): (Front, _, _) = (scene.front.clone(), operation.method.clone(), path.clone());
            async move { front.call(who, method, &path, body).await }
        };
        let stranger = send("zoe/others", body.clone()).await;
        hold(&document, &operation, &stranger);
        if takes_body.is_some() {
            let broken = send(eligible(&operation), Some(json!({ "surprise": true }))).await;
            assert!(broken.status.is_client_error(), "{}", operation.id);
            hold(&document, &operation, &broken);
        }
        if operation.id == "deleteApplication" {
            // Nothing of it may be in use.
            scene.world.session("alice").delete_sync(scene.sync).await.unwrap();
            for _ in 0..5 {
                scene.world.engine.run_due(1000).await.unwrap();
                scene.world.clock.advance(time::Duration::MINUTE);
            }
        }
        let reply = send(eligible(&operation), body).await;
        let is_odd = operation.id == "expediteRenewal" && reply.status == 409;
        assert!(reply.status.is_success() || is_odd, "{}: {}: {}", operation.id, reply.status, reply.text());
        hold(&document, &operation, &reply);
        assert_eq!(reply.headers["cache-control"], "no-store", "{}", operation.id);
    }
}
