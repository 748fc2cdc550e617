//! Text of people that would be more than text: in names, tags, comments, descriptions and queries.

use chancery::domain::{Enrollment, Metadata};
use chancery::x509::RevocationReason;
use http::StatusCode;

use crate::scene::Scene;
use crate::support::issued;

const EVIL: &str = "\"><img src=x onerror=alert(1)><script>alert(1)</script>";

#[track_caller]
fn is_text(page: &str) {
    assert!(!page.contains("<img") && !page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn whatever_people_write_stays_text() {
    let scene = Scene::new().await;
    let (alice, id) = (scene.visitor("alice").await, scene.world.application.id);
    let admin = scene.world.session("alice");
    let shown = |page: &str| page.contains("&lt;img src=x onerror=alert(1)&gt;");
    // A common name and tags.
    let enrollment: Enrollment = scene.world.enrollment("evil.example.com").tag("note", EVIL);
    let certificate = issued(scene.world.session("otto").submit(&enrollment).await).record.id;
    let page = alice.get(&format!("/certificates/{certificate}")).await.page();
    is_text(&page);
    assert!(shown(&page));
    let tags = std::collections::BTreeMap::from([("note".to_owned(), EVIL.to_owned())]);
    admin.tag_certificate(scene.valid.record.id, Metadata::try_from(tags).unwrap()).await.unwrap();
    // A description.
    let rereading = scene.world.application.key_rereading;
    admin.edit_application(id, EVIL.to_owned(), rereading).await.unwrap();
    for path in ["/applications".to_owned(), format!("/applications/{id}")] {
        let page = alice.get(&path).await.page();
        is_text(&page);
        assert!(shown(&page), "{path}");
    }
    // A comment, which the requester reads as the reason.
    let gina = scene.visitor("gina").await;
    let path = format!("/requests/{}", scene.waiting);
    let digest = crate::scene::hidden(&gina.get(&path).await.page(), "digest");
    gina.post(&format!("{path}/reject"), &[("digest", &digest), ("comment", EVIL)]).await.place();
    let page = scene.visitor("otto").await.get(&path).await.page();
    is_text(&page);
    assert!(shown(&page));
    // What was typed comes back in forms, verdicts and errors.
    let profile = scene.world.profile.id.to_string();
    let fields =
        [("application", &*id.to_string()), ("profile", &profile), ("names", EVIL), ("tags", EVIL), ("ttl", EVIL)];
    for (path, status) in
        [("/requests/new", StatusCode::UNPROCESSABLE_ENTITY), ("/requests/new/verdict", StatusCode::OK)]
    {
        let reply = alice.post(path, &fields).await;
        assert_eq!(reply.status, status);
        is_text(&reply.text);
        assert!(shown(&reply.text), "{path}");
    }
    let evil = form_urlencoded::byte_serialize(EVIL.as_bytes()).collect::<String>();
    for path in [
        format!("/certificates?name={evil}&tag={evil}&application={evil}&within={evil}"),
        format!("/certificates?application={id}&name={evil}"),
        format!("/certificates?application={id}&from={evil}"),
        format!("/certificates?application={id}&after={evil}"),
        format!("/requests?status={evil}&application={id}"),
        format!("/sign-in?next={evil}"),
        format!("/certificates/{evil}"),
    ] {
        is_text(&alice.get(&path).await.text);
    }
    admin.revoke(scene.valid.record.id, RevocationReason::KeyCompromise).await.unwrap();
    is_text(&alice.get(&format!("/certificates?application={id}")).await.page());
}
