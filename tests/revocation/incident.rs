//! Mass revocations: selected, spread, counted, called off.
use std::collections::BTreeSet;

use chancery::clock::Clock;
use chancery::domain::{CertificateState, IncidentSelection, IncidentSpec, IncidentState, Span};
use chancery::engine::{CertificateQuery, Error};
use chancery::store::MemoryStore;
use chancery::x509::RevocationReason;
use time::Duration;

use super::support::{bodies, events};
use super::{Scene, plain};

fn spec(scene: &Scene, select: IncidentSelection) -> IncidentSpec {
    IncidentSpec {
        reason: RevocationReason::Superseded,
        select,
        deadline: scene.clock.now() + Duration::DAY,
        spread: Span::hours(10),
        explanation: Some("https://example.com/incident".into()),
        note: "Debian weak keys".into(),
    }
}

fn of_application(scene: &Scene) -> IncidentSelection {
    IncidentSelection { application: Some(scene.application.id), ..Default::default() }
}

#[tokio::test]
async fn five_hundred_certificates_are_revoked_in_their_time() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    for at in 0..500 {
        scene.issue(&format!("n{at}.example.com")).await;
    }
    let product = scene.session("root");
    let opened = product.open_incident(spec(&scene, of_application(&scene))).await.unwrap();
    scene.work().await;
    let incident = product.incident(opened.id).await.unwrap();
    assert_eq!((incident.state.clone(), incident.progress.selected), (IncidentState::Open, 500));
    let query = CertificateQuery { application: Some(scene.application.id), page_size: 1, ..Default::default() };
    let one = product.certificates(&query, None).await.unwrap().items.remove(0).id;
    let under = product.certificate_incident(one).await.unwrap().unwrap();
    assert_eq!(under.explanation.as_deref(), Some("https://example.com/incident"));
    let window = opened.spec.deadline..=opened.spec.deadline + Duration::hours(10);
    assert!(window.contains(&under.revoke_at));

    scene.pass(Duration::DAY - Duration::SECOND).await;
    assert_eq!(product.incident(opened.id).await.unwrap().progress.revoked, 0, "owners have until the deadline");
    let mut steps = Vec::new();
    for _ in 0..11 {
        scene.pass(Duration::hours(1)).await;
        steps.push(product.incident(opened.id).await.unwrap().progress.revoked);
    }
    let each: Vec<u64> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(each[..9].iter().all(|count| (20..=90).contains(count)), "spread: {each:?}");
    let closed = product.incident(opened.id).await.unwrap();
    assert_eq!((closed.state, closed.progress.revoked, closed.progress.failed), (IncidentState::Closed, 500, 0));
    assert_eq!(scene.list(0).await.entries.len(), 500);
    assert!(bodies(&store, "under_incident").await.is_empty());
    let told = events(&store).await;
    let count = |name: &str| told.iter().filter(|event| *event == name).count();
    assert_eq!((count("certificate-revoked"), count("incident-opened"), count("incident-closed")), (500, 1, 1));
    assert!(count("crl-published") < 50, "{} lists", count("crl-published"));
}

#[tokio::test]
async fn successors_of_what_was_found_first_are_not_meant() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    for at in 0..250 {
        scene.issue(&format!("n{at}.example.com")).await;
    }
    // Old enough to be renewed at once.
    scene.pass(Duration::hours(2)).await;
    let product = scene.session("root");
    let opened = product.open_incident(spec(&scene, of_application(&scene))).await.unwrap();
    // The search takes several rounds, and renewals go on between them.
    for _ in 0..1000 {
        scene.clock.advance(Duration::SECOND);
        if scene.engine.run_due(10).await.unwrap().total() == 0 {
            break;
        }
    }
    let progress = product.incident(opened.id).await.unwrap().progress;
    assert_eq!(progress.selected, 250);
    scene.pass(Duration::days(2)).await;
    let closed = product.incident(opened.id).await.unwrap();
    assert_eq!((closed.state, closed.progress.revoked, closed.progress.renewed), (IncidentState::Closed, 250, 250));
    let valid = bodies(&store, "certificate").await.into_iter().filter(|body| body["state"]["state"] == "active");
    assert_eq!(valid.filter(|body| !body["replaces"].is_null()).count(), 250);
}

#[tokio::test]
async fn certificates_are_selected_by_serial_and_by_domain() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let mut serials = Vec::new();
    for at in 0..130 {
        serials.push(scene.issue(&format!("n{at}.example.com")).await.record.serial);
    }
    scene.issue("one.other.example").await;
    let product = scene.session("root");
    let issuer = Some(scene.issuer.id);
    let listed = IncidentSelection { issuer, serials: serials[5..125].to_vec(), ..Default::default() };
    let below = IncidentSelection { domain: Some("other.example".into()), ..Default::default() };
    for (select, count) in [(listed, 120), (below, 1)] {
        let opened = product.open_incident(spec(&scene, select)).await.unwrap();
        scene.work().await;
        assert_eq!(product.incident(opened.id).await.unwrap().progress.selected, count);
    }
    let all = IncidentSelection { issuer, ..Default::default() };
    let third = product.open_incident(spec(&scene, all)).await.unwrap();
    scene.work().await;
    let seen = product.incident(third.id).await.unwrap().progress.selected;
    assert_eq!(seen, 10, "those under an incident stay there, and the root's own certificate is not meant");
}

#[tokio::test]
async fn what_is_called_off_is_let_go_and_what_is_over_counts_as_failed() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    let mut ids = Vec::new();
    for at in 0..5 {
        ids.push(scene.issue(&format!("n{at}.example.com")).await.record.id);
    }
    let (product, alice, otto) = (scene.session("root"), scene.session("alice"), scene.session("otto"));
    let opened = alice.open_incident(spec(&scene, of_application(&scene))).await.unwrap();
    scene.work().await;
    assert!(matches!(otto.call_off_incident(opened.id).await, Err(Error::Forbidden { .. })));
    assert!(matches!(scene.session("mallory").incident(opened.id).await, Err(Error::NotFound { .. })));
    alice.call_off_incident(opened.id).await.unwrap();
    scene.pass(Duration::days(3)).await;
    assert!(bodies(&store, "under_incident").await.is_empty());
    assert_eq!(product.certificate(ids[0]).await.unwrap().state, CertificateState::Active);
    assert_eq!(product.incident(opened.id).await.unwrap().state, IncidentState::CalledOff);

    let again = product.open_incident(spec(&scene, of_application(&scene))).await.unwrap();
    scene.work().await;
    otto.revoke(ids[0], RevocationReason::KeyCompromise).await.unwrap();
    otto.revoke(ids[1], RevocationReason::CertificateHold).await.unwrap();
    scene.pass(Duration::days(3)).await;
    let progress = product.incident(again.id).await.unwrap().progress;
    // The first incident had them renewed at once: with their successors they are ten.
    assert_eq!((progress.selected, progress.revoked, progress.failed), (10, 9, 1));
}

#[tokio::test]
async fn a_specification_tells_every_fault() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let bad = IncidentSpec {
        reason: RevocationReason::CertificateHold,
        explanation: Some("http://example.com".into()),
        note: "x".repeat(1001),
        ..spec(&scene, IncidentSelection::default())
    };
    let Err(Error::Invalid { faults }) = scene.session("root").open_incident(bad).await else { panic!("taken") };
    let fields: BTreeSet<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, BTreeSet::from(["explanation", "note", "reason", "select"]));
}
