//! Every page and every form by everybody: what is seen, what is not, and that nothing was written where it is refused.

use http::StatusCode;

use crate::scene::{EVERYBODY, Scene};
use crate::support::everything;

const OK: u16 = 200;
const FORBIDDEN: u16 = 403;
const HIDDEN: u16 = 404;

/// Pages, and what everybody gets: Admin, Operator, Auditor, Operator through a group, product administrator, stranger.
const PAGES: &[(&str, [u16; 6])] = &[
    ("/certificates", [OK, OK, OK, OK, OK, OK]),
    ("/certificates?application=all", [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, OK, FORBIDDEN]),
    ("/certificates?application={app}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}/certificate.pem", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}/chain.pem", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}/key", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}/revoke", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/certificates/{cert}/renew", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/requests", [OK, OK, OK, OK, OK, OK]),
    ("/requests?application={app}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/requests/{req}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/requests/new?application={app}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/syncs?application={app}", [OK, OK, OK, OK, FORBIDDEN, HIDDEN]),
    ("/syncs/{sync}", [OK, OK, OK, OK, FORBIDDEN, HIDDEN]),
    ("/alerts?application={app}", [OK, OK, OK, OK, FORBIDDEN, HIDDEN]),
    ("/alerts?application=product", [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, OK, FORBIDDEN]),
    ("/alerts/{alert}", [OK, OK, OK, OK, FORBIDDEN, HIDDEN]),
    ("/applications", [OK, OK, OK, OK, OK, OK]),
    ("/applications/{app}", [OK, OK, OK, OK, OK, HIDDEN]),
    ("/account", [OK, OK, OK, OK, OK, OK]),
];

/// Whether a form is past the door.
const PAST: u16 = 0;

type Fields = &'static [(&'static str, &'static str)];

/// Forms with their fields, and what everybody gets.
const FORMS: &[(&str, Fields, [u16; 6])] = &[
    ("/certificates/{cert}/revoke", &[("reason", "superseded"), ("sure", "yes")], OPERATORS),
    ("/certificates/{cert}/release", &[], OPERATORS),
    ("/certificates/{cert}/key", &[], OPERATORS),
    ("/certificates/{cert}/pkcs12", &[("password", "correct horse")], OPERATORS),
    ("/certificates/{cert}/renew", &[("key", "new")], OPERATORS),
    ("/requests/new", ASKED, OPERATORS),
    ("/requests/new/verdict", ASKED, OPERATORS),
    ("/requests/{req}/approve", &[], READERS),
    ("/requests/{req}/reject", &[], READERS),
    ("/requests/{req}/cancel", &[], READERS),
    ("/requests/{req}/collect", &[], [PAST, PAST, PAST, PAST, PAST, HIDDEN]),
    ("/syncs/{sync}/now", &[], OPERATORS),
];

const OPERATORS: [u16; 6] = [PAST, PAST, FORBIDDEN, PAST, FORBIDDEN, HIDDEN];
const READERS: [u16; 6] = [PAST, PAST, PAST, PAST, FORBIDDEN, HIDDEN];
const ASKED: Fields =
    &[("application", "{app}"), ("profile", "{profile}"), ("source", "managed"), ("names", "new.example.com")];

fn filled(scene: &Scene, text: &str) -> String {
    text.replace("{app}", &scene.world.application.id.to_string())
        .replace("{profile}", &scene.world.profile.id.to_string())
        .replace("{cert}", &scene.valid.record.id.to_string())
        .replace("{req}", &scene.waiting.to_string())
        .replace("{sync}", &scene.sync.to_string())
        .replace("{alert}", &scene.alert.to_string())
}

#[tokio::test]
async fn every_page_is_seen_by_those_who_may() {
    let scene = Scene::new().await;
    for (at, who) in EVERYBODY.into_iter().enumerate() {
        let visitor = scene.visitor(who).await;
        for (path, expected) in PAGES {
            let reply = visitor.get(&filled(&scene, path)).await;
            assert_eq!(reply.status.as_u16(), expected[at], "{who} at {path}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn every_form_is_for_those_who_may_and_writes_nothing_for_others() {
    for (at, who) in EVERYBODY.into_iter().enumerate() {
        for (path, fields, expected) in FORMS {
            let scene = Scene::new().await;
            let visitor = scene.visitor(who).await;
            let filled_in: Vec<_> = fields.iter().map(|(name, value)| (*name, filled(&scene, value))).collect();
            let fields: Vec<_> = filled_in.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let before = everything(&scene.store).await;
            let reply = visitor.post(&filled(&scene, path), &fields).await;
            let status = reply.status.as_u16();
            match expected[at] {
                // What is no approver's, not one's own, or not as things stand, has passed the door.
                PAST => assert!(matches!(status, 200 | 303 | 409), "{who} at {path}: {status} {}", reply.text),
                refused => {
                    assert_eq!(status, refused, "{who} at {path}: {}", reply.text);
                    assert_eq!(everything(&scene.store).await, before, "{who} at {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_unknown_looks_like_what_is_forbidden() {
    let scene = Scene::new().await;
    let (mallory, made_up) = (scene.visitor("mallory").await, "0".repeat(26));
    let page = async |path: String| {
        let reply = mallory.get(&path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        let id = reply.header("x-request-id").to_owned();
        reply.text.replace(&id, "").replace(&mallory.mark, "")
    };
    let hidden = page(format!("/certificates/{}", scene.valid.record.id)).await;
    for path in [
        format!("/certificates/cert-{made_up}"),
        "/certificates/no-id".to_owned(),
        format!("/requests/{}", scene.waiting),
        format!("/syncs/{}", scene.sync),
        format!("/applications/{}", scene.world.application.id),
    ] {
        assert_eq!(page(path).await, hidden);
    }
}

#[tokio::test]
async fn pages_offer_what_the_engine_allows() {
    let scene = Scene::new().await;
    let path = format!("/certificates/{}", scene.valid.record.id);
    let offers = ["Private key or PKCS#12", ">Renew<", ">Revoke<"];
    for (who, expected) in [("alice", true), ("otto", true), ("audra", false), ("root", false)] {
        let page = scene.visitor(who).await.get(&path).await.page();
        for offer in offers {
            assert_eq!(page.contains(offer), expected, "{who}: {offer}");
        }
        assert!(page.contains("api.example.com") && page.contains("Test Root"), "{who}");
    }
    for (who, may_ask) in [("otto", true), ("audra", false)] {
        let visitor = scene.visitor(who).await;
        let page = visitor.get("/certificates").await.page();
        assert_eq!(page.contains("Ask for a certificate"), may_ask, "{who}");
        let form = visitor.get(&format!("/requests/new?application={}", scene.world.application.id)).await.page();
        assert_eq!(form.contains("name=\"names\""), may_ask, "{who}");
    }
    let members = format!("/applications/{}", scene.world.application.id);
    assert!(scene.visitor("alice").await.get(&members).await.page().contains("user:audra"));
    assert!(!scene.visitor("otto").await.get(&members).await.page().contains("user:audra"));
}
