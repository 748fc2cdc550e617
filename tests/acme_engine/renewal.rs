//! Renewal: when clients are told to, and what their successors replace.

use chancery::domain::acme::{Account, CertId, OrderStatus, ProblemKind};
use chancery::domain::{
    CertificateId, CertificateRecord, CertificateStatus, IncidentSelection, IncidentSpec, IssuerSpec, Lead, Preset,
    RenewalSetting, Span,
};
use chancery::engine::acme::NewOrder;
use chancery::x509::RevocationReason;
use time::Duration;

use super::scene::{Scene, ask, csr, kind};
use super::support::slug;

async fn record(scene: &Scene, id: CertificateId) -> CertificateRecord {
    scene.world.session("otto").certificate(id).await.unwrap()
}

async fn cert_id(scene: &Scene, id: CertificateId) -> CertId {
    CertId::of(&record(scene, id).await.certificate().unwrap()).unwrap()
}

fn replacing(names: &[&str], id: &CertId) -> NewOrder {
    NewOrder { replaces: Some(id.to_string()), ..ask(names) }
}

async fn first(scene: &Scene) -> (Account, CertificateId) {
    let account = scene.account(1).await;
    let order = scene.issue(&account, &["a.example.com"]).await;
    (account, order.certificate.unwrap())
}

#[tokio::test]
async fn a_client_is_told_the_window_in_which_the_engine_would_renew() {
    let scene = Scene::trusting().await;
    let (_, certificate) = first(&scene).await;
    let (id, record) = (cert_id(&scene, certificate).await, record(&scene, certificate).await);
    let info = scene.server.renewal_info(&id).await.unwrap();
    let (begin, end) = (record.created_at, record.validity.not_after());
    assert_eq!(info.start, begin + (end - begin) * 2 / 3);
    assert!(info.start < info.end && info.end < end);
    assert_eq!(info.explanation, None);
    // What the attachment says wins.
    let renewal = Some(RenewalSetting::new(Lead::Before(Span::days(9))));
    scene.set(chancery::domain::AcmeSettings { renewal, ..chancery::domain::AcmeSettings::default() }).await;
    let info = scene.server.renewal_info(&id).await.unwrap();
    assert_eq!((info.start, info.end - info.start <= Duration::days(3)), (end - Duration::days(9), true));
    let unknown: CertId = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".parse().unwrap();
    assert_eq!(kind(scene.server.renewal_info(&unknown).await), ProblemKind::Malformed);
}

#[tokio::test]
async fn an_incident_pulls_it_forward_and_a_revocation_is_past() {
    let scene = Scene::trusting().await;
    let (_, certificate) = first(&scene).await;
    let id = cert_id(&scene, certificate).await;
    let now = super::support::START + Duration::days(1);
    scene.world.clock.advance(Duration::days(1));
    let select = IncidentSelection { application: Some(scene.world.application.id), ..IncidentSelection::default() };
    let spec = IncidentSpec {
        reason: RevocationReason::Superseded,
        select,
        deadline: now + Duration::days(4),
        spread: Span::minutes(0),
        explanation: Some("https://ca.example.com/incident".into()),
        note: String::new(),
    };
    scene.world.session("alice").open_incident(spec).await.unwrap();
    scene.work().await;
    let info = scene.server.renewal_info(&id).await.unwrap();
    assert_eq!(info.explanation.as_deref(), Some("https://ca.example.com/incident"));
    assert_eq!((info.start, info.end), (now, now + Duration::days(2)));
    scene.world.clock.advance(Duration::days(5));
    scene.work().await;
    let info = scene.server.renewal_info(&id).await.unwrap();
    assert!(info.end <= now + Duration::days(5), "renew at once: {info:?}");
}

#[tokio::test]
async fn a_successor_continues_the_lineage() {
    let scene = Scene::trusting().await;
    let (account, old) = first(&scene).await;
    let id = cert_id(&scene, old).await;
    let order = scene.server.new_order(&account, replacing(&["a.example.com", "b.example.com"], &id)).await.unwrap();
    assert_eq!(order.order.replaces.as_ref().map(|each| each.named.clone()), Some(id.to_string()));
    let done = scene.finalize(&account, order.order.id, &csr(&["a.example.com", "b.example.com"])).await.unwrap();
    let (old, new) = (record(&scene, old).await, record(&scene, done.certificate.unwrap()).await);
    assert_eq!((old.replaced_by, new.replaces, new.lineage), (Some(new.id), Some(old.id), old.lineage));
    assert_eq!(old.status_at(super::support::START), CertificateStatus::Renewed);
    // Once.
    let again = scene.server.new_order(&account, replacing(&["a.example.com"], &id)).await;
    assert_eq!(kind(again), ProblemKind::AlreadyReplaced);
}

#[tokio::test]
async fn one_order_at_a_time_replaces_a_certificate() {
    let scene = Scene::new().await;
    let (account, old) = first(&scene).await;
    let id = cert_id(&scene, old).await;
    let asks = (0..4).map(|_| scene.server.new_order(&account, replacing(&["a.example.com"], &id)));
    let answers = futures_util::future::join_all(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = scene.server.new_order(&account, replacing(&["a.example.com"], &id)).await;
    assert_eq!(kind(refused), ProblemKind::AlreadyReplaced);
    // One that came to nothing does not stand in the way.
    scene.world.clock.advance(Duration::hours(25));
    scene.server.new_order(&account, replacing(&["a.example.com"], &id)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_replaced_across_accounts_names_or_issuers() {
    let scene = Scene::trusting().await;
    let (account, old) = first(&scene).await;
    let id = cert_id(&scene, old).await;
    let other = scene.account(2).await;
    assert_eq!(
        kind(scene.server.new_order(&other, replacing(&["a.example.com"], &id)).await),
        ProblemKind::Unauthorized
    );
    assert_eq!(
        kind(scene.server.new_order(&account, replacing(&["z.example.com"], &id)).await),
        ProblemKind::Malformed
    );
    let nonsense = NewOrder { replaces: Some("nonsense".into()), ..ask(&["a.example.com"]) };
    assert_eq!(kind(scene.server.new_order(&account, nonsense).await), ProblemKind::Malformed);
    let product = scene.world.session("root");
    product.create_root(IssuerSpec::new(slug("second"), "Second Root")).await.unwrap();
    product.save_profile(Preset::TlsServer.profile(slug("web"), slug("second"), slug("web"))).await.unwrap();
    let order = scene.server.new_order(&account, replacing(&["a.example.com"], &id)).await.unwrap();
    assert_eq!(order.order.replaces, None, "the order stands by itself");
    let done = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await.unwrap();
    assert_eq!(done.status, OrderStatus::Valid);
    assert_eq!(record(&scene, old).await.replaced_by, None);
}
