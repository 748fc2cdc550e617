//! Every endpoint by everybody: what the matrix grants is done, anything else is forbidden, or not even told of.

use chancery::domain::{Action, Role, Standing};
use http::StatusCode;

use crate::samples::{Operation, body, operations, path};
use crate::scene::{Reply, Scene};
use crate::support::everything;

/// Everybody, with all capacities in which they act on the Application.
const EVERYBODY: [(&str, &[Standing]); 7] = [
    ("alice", &[Standing::Member(Role::Admin)]),
    ("otto", &[Standing::Member(Role::Operator)]),
    ("audra", &[Standing::Member(Role::Auditor)]),
    ("root", &[Standing::ProductAdministrator]),
    ("root/ops", &[Standing::ProductAdministrator, Standing::Member(Role::Operator)]),
    ("gina/ops", &[Standing::Member(Role::Operator)]),
    ("mallory/others", &[]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Past,
    Forbidden,
    Hidden,
}

fn expected(operation: &Operation, who: &str, standings: &[Standing]) -> Expected {
    let is_product = standings.contains(&Standing::ProductAdministrator);
    match operation.needs.as_str() {
        // The scene's token is Mallory's: she and the administrators may revoke it.
        "authenticated" if operation.id == "revokeToken" && !is_product && !who.starts_with("mallory") => {
            Expected::Hidden
        }
        "authenticated" => Expected::Past,
        // What is revoked at once over Applications is product administrators' business in each of them, too.
        "certificates.delete" if is_product && operation.id.ends_with("Incident") => Expected::Past,
        "product-administrator" if is_product => Expected::Past,
        "product-administrator" => Expected::Forbidden,
        name => {
            let action = Action::ALL.iter().find(|action| action.as_str() == name).unwrap();
            match standings.iter().any(|standing| action.is_granted_to(*standing)) {
                true => Expected::Past,
                false if standings.is_empty() => Expected::Hidden,
                false => Expected::Forbidden,
            }
        }
    }
}

fn seen(operation: &Operation, reply: &Reply) -> Expected {
    match reply.status {
        StatusCode::FORBIDDEN => Expected::Forbidden,
        StatusCode::NOT_FOUND => Expected::Hidden,
        // These got past the door: who is no approver, or did not ask, and what can not be as things stand.
        StatusCode::CONFLICT => Expected::Past,
        status if status.is_success() => Expected::Past,
        status => panic!("{}: {status}: {}", operation.id, reply.text()),
    }
}

async fn ask(operation: &Operation, scene: &Scene, who: &str) -> Reply {
    let body = body(operation, scene).await;
    scene.front.call(who, operation.method.clone(), &path(operation, scene), body).await
}

#[tokio::test]
async fn every_endpoint_by_everybody() {
    for operation in operations() {
        let denied = Scene::new().await;
        for (who, standings) in EVERYBODY {
            let expected = expected(&operation, who, standings);
            let reply = match expected {
                // What only reads leaves the world as it is for the next.
                Expected::Past if operation.method == http::Method::GET => ask(&operation, &denied, who).await,
                Expected::Past => ask(&operation, &Scene::new().await, who).await,
                _ => {
                    let before = everything(&denied.store).await;
                    let reply = ask(&operation, &denied, who).await;
                    assert_eq!(
                        everything(&denied.store).await,
                        before,
                        "{} by {who} was denied, and wrote",
                        operation.id
                    );
                    reply
                }
            };
            assert_eq!(seen(&operation, &reply), expected, "{} by {who}: {}", operation.id, reply.text());
        }
    }
}

#[tokio::test]
async fn nobody_gets_anywhere_without_credentials() {
    let scene = Scene::new().await;
    let before = everything(&scene.store).await;
    for operation in operations() {
        let body = body(&operation, &scene).await;
        let mut request = crate::scene::request("", operation.method.clone(), &path(&operation, &scene), body);
        request.headers_mut().remove("x-actor");
        let reply = scene.front.send(request).await;
        assert_eq!(reply.code(), "unauthenticated", "{}", operation.id);
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(everything(&scene.store).await, before);
}

#[tokio::test]
async fn what_is_secret_sounds_like_what_does_not_exist() {
    let scene = Scene::new().await;
    let hidden = scene.valid.record.id.to_string();
    let unknown = chancery::domain::CertificateId::new(crate::support::START, [9; 10]).to_string();
    for suffix in ["", "/certificate", "/private-key", "/bundle", "/renewal"] {
        let of = |id: &str| format!("/certificates/{id}{suffix}");
        let (secret, absent) =
            (scene.front.get("mallory", &of(&hidden)).await, scene.front.get("mallory", &of(&unknown)).await);
        assert_eq!(secret.status, absent.status);
        let same = |reply: &Reply, id: &str| {
            let mut problem = reply.json();
            problem.as_object_mut().unwrap().remove("requestId");
            problem.to_string().replace(id, "…")
        };
        assert_eq!(same(&secret, &hidden), same(&absent, &unknown), "{suffix}");
    }
}
