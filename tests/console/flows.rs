//! What people do at the console, form by form, without a script.

use chancery::domain::{CertificateState, KeyRereading};
use chancery::engine::CertificateQuery;
use chancery::x509::RevocationReason;
use http::StatusCode;

use crate::scene::{Scene, Visitor, hidden};
use crate::support::events;

async fn fields(scene: &Scene, visitor: &Visitor, names: &str) -> Vec<(&'static str, String)> {
    let id = scene.world.application.id.to_string();
    let page = visitor.get(&format!("/requests/new?application={id}")).await.page();
    vec![
        ("application", id),
        ("profile", scene.world.profile.id.to_string()),
        ("once", hidden(&page, "once")),
        ("source", "managed".to_owned()),
        ("names", names.to_owned()),
    ]
}

fn with<'a>(fields: &'a [(&'static str, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn checking_tells_every_reason_and_does_nothing() {
    let scene = Scene::new().await;
    let otto = scene.visitor("otto").await;
    let fields = fields(&scene, &otto, "not a name\n*.*.example.com\napi.example.com").await;
    let before = events(&scene.store).await;
    let checked = [("ttl", "4000d"), ("do", "check")];
    let page = otto.post("/requests/new", &with(&fields, &checked)).await.page();
    for said in ["Refused", "Name 1", "not a name", "Name 2", "Lifetime", "aria-live=\"polite\"", "Rule"] {
        assert!(page.contains(said), "{said} in {page}");
    }
    assert!(page.contains(">not a name\n*.*.example.com\napi.example.com</textarea>"), "the form keeps what was typed");
    let fragment = otto.post("/requests/new/verdict", &with(&fields, &checked)).await.page();
    assert!(fragment.contains("Refused") && !fragment.contains("<html"));
    let good = otto.post("/requests/new/verdict", &with(&fields[..4], &[("names", "b.example.com")])).await.page();
    assert!(good.contains("Permitted") && good.contains("b.example.com"));
    assert_eq!(events(&scene.store).await, before, "nothing was recorded");
    // What can not be read at all is said as well.
    let page = otto.post("/requests/new", &with(&fields, &[("ttl", "3m"), ("tags", "x")])).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Not complete") && page.text.contains("Lifetime") && page.text.contains("Tags"));
}

#[tokio::test]
async fn a_managed_key_is_shown_once() {
    let scene = Scene::new().await;
    let otto = scene.visitor("otto").await;
    let fields = fields(&scene, &otto, "new.example.com, 192.0.2.7").await;
    let asked = with(&fields, &[("tags", "env=prod"), ("do", "ask")]);
    let reply = otto.post("/requests/new", &asked).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let page = reply.page();
    assert!(page.contains("-----BEGIN PRIVATE KEY-----") && page.contains("download=\"private-key.pem\""));
    // To send the form again is a reading again, by those who may, and told; it never issues twice.
    assert!(otto.post("/requests/new", &asked).await.page().contains("PRIVATE KEY-----"));
    assert!(events(&scene.store).await.contains(&"private-key-read".to_owned()));
    let (admin, id) = (scene.world.session("alice"), scene.world.application.id);
    admin.edit_application(id, String::new(), KeyRereading::DisabledForGood).await.unwrap();
    let again = otto.post("/requests/new", &asked).await.place();
    let page = otto.get(&again).await.page();
    assert!(page.contains("new.example.com") && page.contains("env") && !page.contains("PRIVATE KEY-----"));
    let found = scene.world.session("otto").certificates(&all(&scene), None).await.unwrap().items;
    assert_eq!(
        found.iter().filter(|each| !each.sans.is_empty() && each.sans[0].value() == "new.example.com").count(),
        1
    );
}

fn all(scene: &Scene) -> CertificateQuery {
    CertificateQuery { application: Some(scene.world.application.id), ..CertificateQuery::default() }
}

#[tokio::test]
async fn a_certificate_request_brings_its_own_key() {
    let scene = Scene::new().await;
    let otto = scene.visitor("otto").await;
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::new(vec!["mine.example.com".to_owned()]).unwrap();
    let csr = csr.serialize_request(&key).unwrap().pem().unwrap();
    let fields = fields(&scene, &otto, "ignored beside a request").await;
    let fields = with(&fields[..3], &[("source", "csr"), ("csr", &csr)]);
    let place = otto.post("/requests/new", &fields).await.place();
    assert!(otto.get(&place).await.page().contains("with the client"));
    let broken = otto.post("/requests/new", &[&fields[..4], &[("csr", "-----BEGIN")]].concat()).await;
    assert!(broken.status == StatusCode::UNPROCESSABLE_ENTITY && broken.text.contains("Certificate request"));
}

#[tokio::test]
async fn a_request_is_decided_on_by_those_who_see_why() {
    let scene = Scene::new().await;
    let (otto, gina) = (scene.visitor("otto").await, scene.visitor("gina").await);
    let path = format!("/requests/{}", scene.waiting);
    let page = gina.get(&path).await.page();
    for shown in ["pay.example.com", "user:otto", "group:ops", "Permitted", "Nobody has voted yet", "payments"] {
        assert!(page.contains(shown), "{shown}");
    }
    let digest = hidden(&page, "digest");
    let wrong = gina.post(&format!("{path}/approve"), &[("digest", "else")]).await;
    assert_eq!(wrong.status, StatusCode::CONFLICT, "a vote is on what was shown");
    let own = otto.post(&format!("{path}/approve"), &[("digest", &digest)]).await;
    assert_eq!(own.status, StatusCode::CONFLICT, "requesters do not decide");
    let voted = gina.post(&format!("{path}/approve"), &[("digest", &digest), ("comment", "as agreed")]).await;
    assert_eq!(voted.place(), path);
    // To look at the request, even as its requester, does not spend the key.
    for visitor in [&gina, &otto, &otto] {
        let page = visitor.get(&path).await.page();
        assert!(page.contains("Issued") && page.contains("as agreed") && !page.contains("PRIVATE KEY-----"));
    }
    let other = scene.visitor("audra").await.post(&format!("{path}/collect"), &[]).await;
    assert!(other.place().starts_with("/certificates/"), "it is not hers");
    let page = otto.post(&format!("{path}/collect"), &[]).await.page();
    assert!(page.contains("-----BEGIN PRIVATE KEY-----"));
}

#[tokio::test]
async fn a_rejection_says_why_and_a_requester_may_think_better() {
    let scene = Scene::new().await;
    let (otto, gina) = (scene.visitor("otto").await, scene.visitor("gina").await);
    let path = format!("/requests/{}", scene.waiting);
    let digest = hidden(&gina.get(&path).await.page(), "digest");
    gina.post(&format!("{path}/reject"), &[("digest", &digest), ("comment", "not in production")]).await.place();
    let page = otto.get(&path).await.page();
    assert!(page.contains("Rejected") && page.contains("not in production") && !page.contains("Your vote"));
    let scene = Scene::new().await;
    let (otto, path) = (scene.visitor("otto").await, format!("/requests/{}", scene.waiting));
    otto.post(&format!("{path}/cancel"), &[]).await.place();
    assert!(otto.get(&path).await.page().contains("Taken back"));
}

#[tokio::test]
async fn keys_are_read_again_by_those_who_may_and_each_reading_is_told() {
    let scene = Scene::new().await;
    let otto = scene.visitor("otto").await;
    let path = format!("/certificates/{}", scene.valid.record.id);
    let reads = || async { events(&scene.store).await.iter().filter(|event| *event == "private-key-read").count() };
    otto.get(&format!("{path}/key")).await.page();
    assert_eq!(reads().await, 0, "to look at the form reads nothing");
    assert!(otto.post(&format!("{path}/key"), &[]).await.page().contains("-----BEGIN PRIVATE KEY-----"));
    let short = otto.post(&format!("{path}/pkcs12"), &[("password", "short")]).await;
    assert_eq!((short.status, reads().await), (StatusCode::UNPROCESSABLE_ENTITY, 1));
    let container = otto.post(&format!("{path}/pkcs12"), &[("password", "correct horse")]).await;
    assert_eq!(container.header("content-type"), "application/x-pkcs12");
    assert!(container.header("content-disposition").contains("certificate.p12"));
    assert_eq!((container.header("cache-control"), reads().await), ("no-store", 2));
    let description = String::new();
    let admin = scene.world.session("alice");
    admin.edit_application(scene.world.application.id, description, KeyRereading::DisabledForGood).await.unwrap();
    assert_eq!(otto.post(&format!("{path}/key"), &[]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_certificate_is_revoked_with_a_reason_and_a_confirmation() {
    let scene = Scene::new().await;
    let (otto, id) = (scene.visitor("otto").await, scene.valid.record.id);
    let path = format!("/certificates/{id}");
    let state = || async { scene.world.session("otto").certificate(id).await.unwrap().state };
    for fields in [&[("reason", "keyCompromise")][..], &[("sure", "yes")], &[("reason", "x"), ("sure", "yes")]] {
        let reply = otto.post(&format!("{path}/revoke"), fields).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(state().await, CertificateState::Active);
    }
    let held = [("reason", "certificateHold"), ("sure", "yes")];
    assert_eq!(otto.post(&format!("{path}/revoke"), &held).await.place(), path);
    assert!(otto.get(&path).await.page().contains("Lift the hold"));
    otto.post(&format!("{path}/release"), &[]).await.place();
    assert_eq!(state().await, CertificateState::Active);
    otto.post(&format!("{path}/revoke"), &[("reason", "keyCompromise"), ("sure", "yes")]).await.place();
    assert!(matches!(state().await, CertificateState::Revoked { reason: RevocationReason::KeyCompromise, .. }));
    let page = otto.get(&path).await.page();
    assert!(page.contains("Revoked") && page.contains("in other hands") && !page.contains(">Revoke<"));
}

#[tokio::test]
async fn a_certificate_is_renewed_and_the_two_name_each_other() {
    let scene = Scene::new().await;
    let (otto, id) = (scene.visitor("otto").await, scene.valid.record.id);
    let path = format!("/certificates/{id}");
    otto.get(&format!("{path}/renew")).await.page();
    let bad = otto.post(&format!("{path}/renew"), &[("key", "csr"), ("csr", "none")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(otto.post(&format!("{path}/renew"), &[("key", "new")]).await.page().contains("PRIVATE KEY-----"));
    let successor = scene.world.session("otto").certificate(id).await.unwrap().replaced_by.unwrap();
    let page = otto.get(&path).await.page();
    assert!(page.contains("Renewed") && page.contains(&successor.to_string()));
    assert!(otto.get(&format!("/certificates/{successor}")).await.page().contains(&id.to_string()));
}

#[tokio::test]
async fn the_inventory_is_searched_and_paged() {
    let scene = Scene::new().await;
    for number in 0..60 {
        scene.world.issue(&format!("n{number}.pages.example.com")).await;
    }
    let (otto, id) = (scene.visitor("otto").await, scene.world.application.id);
    let names = |page: &str| page.matches(".pages.example.com</a>").count();
    let first = otto.get(&format!("/certificates?application={id}&name=pages.example.com")).await.page();
    assert_eq!(names(&first), 50);
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = otto.get(&format!("/certificates{next}")).await.page();
    assert_eq!(names(&second), 10);
    assert!(second.contains("First page") && !second.contains("Next page"));
    let exact = otto.get(&format!("/certificates?application={id}&name=n7.pages.example.com&match=exact")).await;
    assert_eq!(names(&exact.page()), 1);
    let record = &scene.valid.record;
    for text in [record.serial.to_string(), record.fingerprint.clone()] {
        let found = otto.get(&format!("/certificates?application={id}&name={text}")).await.page();
        assert!(found.contains(">api.example.com</a>"), "{text}");
    }
    let tagged = otto.get(&format!("/certificates?application={id}&tag=sync%3Dedge")).await.page();
    assert!(tagged.contains(">api.example.com</a>") && names(&tagged) == 0);
    let revoked = otto.get(&format!("/certificates?application={id}&status=revoked")).await.page();
    assert!(revoked.contains("No certificate is found"));
    let broken = otto.get(&format!("/certificates?application={id}&after=x")).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn syncs_and_alerts_show_how_they_stand() {
    let scene = Scene::new().await;
    while scene.world.engine.run_due(1000).await.unwrap().total() > 0 {}
    let audra = scene.visitor("audra").await;
    let sync = audra.get(&format!("/syncs/{}", scene.sync)).await.page();
    assert!(sync.contains("Everything is there") && sync.contains("Delivered"), "{sync}");
    let alert = audra.get(&format!("/alerts/{}", scene.alert)).await.page();
    assert!(alert.contains("A certificate is issued") && alert.contains("recorder: "), "{alert}");
    let certificate = audra.get(&format!("/certificates/{}", scene.valid.record.id)).await.page();
    assert!(certificate.contains("Where it goes") && certificate.contains("edge"));
    assert!(certificate.contains("Issued a certificate"), "its events");
}
