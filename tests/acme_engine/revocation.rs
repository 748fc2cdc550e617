//! Revocation: by the account that ordered, by one that controls all names, by the certificate's key.

use chancery::domain::acme::ProblemKind;
use chancery::domain::{CertificateState, Enrollment};
use chancery::engine::acme::RevokeBy;
use chancery::x509::{Csr, PublicKey, RevocationReason};
use time::Duration;

use super::scene::{Scene, csr, csr_with_key, kind, public_key};
use super::support::issued;

async fn der(scene: &Scene, account: &chancery::domain::acme::Account, names: &[&str]) -> Vec<u8> {
    let order = scene.issue(account, names).await;
    let certificate = scene.server.certificate(account, order.certificate.unwrap()).await.unwrap();
    certificate.chains[0].leaf().der().to_vec()
}

async fn state(scene: &Scene, der: &[u8]) -> CertificateState {
    let certificate = chancery::x509::Certificate::from_der(der).unwrap();
    let otto = scene.world.session("otto");
    otto.certificates_by_fingerprint(certificate.fingerprint()).await.unwrap()[0].state
}

#[tokio::test]
async fn the_account_that_ordered_it_revokes_it_once() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let der = der(&scene, &account, &["a.example.com"]).await;
    let by = RevokeBy::Account(&account);
    for reason in
        [RevocationReason::CaCompromise, RevocationReason::CertificateHold, RevocationReason::PrivilegeWithdrawn]
    {
        assert_eq!(kind(scene.server.revoke(by, &der, Some(reason)).await), ProblemKind::BadRevocationReason);
    }
    scene.server.revoke(by, &der, Some(RevocationReason::Superseded)).await.unwrap();
    assert!(matches!(
        state(&scene, &der).await,
        CertificateState::Revoked { reason: RevocationReason::Superseded, .. }
    ));
    for reason in [RevocationReason::Superseded, RevocationReason::Unspecified] {
        assert_eq!(kind(scene.server.revoke(by, &der, Some(reason)).await), ProblemKind::AlreadyRevoked);
    }
    assert_eq!(kind(scene.server.revoke(by, b"no certificate", None).await), ProblemKind::Malformed);
}

#[tokio::test]
async fn another_account_must_control_every_name() {
    let scene = Scene::new().await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    let der = der(&scene, &account, &["a.example.com", "b.example.com"]).await;
    let by = RevokeBy::Account(&other);
    assert_eq!(kind(scene.server.revoke(by, &der, None).await), ProblemKind::Unauthorized);
    scene.ready(&other, &["a.example.com"]).await;
    assert_eq!(kind(scene.server.revoke(by, &der, None).await), ProblemKind::Unauthorized);
    scene.ready(&other, &["b.example.com"]).await;
    scene.world.clock.advance(Duration::hours(9));
    assert_eq!(kind(scene.server.revoke(by, &der, None).await), ProblemKind::Unauthorized, "long ago");
    scene.ready(&other, &["a.example.com", "b.example.com"]).await;
    scene.server.revoke(by, &der, None).await.unwrap();
    assert!(matches!(state(&scene, &der).await, CertificateState::Revoked { .. }));
}

#[tokio::test]
async fn what_was_waived_controls_nothing() {
    let scene = Scene::trusting().await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    let der = der(&scene, &account, &["a.example.com"]).await;
    scene.ready(&other, &["a.example.com"]).await;
    assert_eq!(kind(scene.server.revoke(RevokeBy::Account(&other), &der, None).await), ProblemKind::Unauthorized);
}

#[tokio::test]
async fn whoever_has_the_key_revokes_it_as_compromised() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let order = scene.order(&account, &["a.example.com"]).await;
    let order = scene.finalize(&account, order.order.id, &csr_with_key(&["a.example.com"], &key)).await.unwrap();
    let certificate = scene.server.certificate(&account, order.certificate.unwrap()).await.unwrap();
    let der = certificate.chains[0].leaf().der();
    let wrong = public_key();
    assert_eq!(kind(scene.server.revoke(RevokeBy::Key(&wrong), der, None).await), ProblemKind::Unauthorized);
    let own = PublicKey::from_spki_der(&rcgen::PublicKeyData::subject_public_key_info(&key)).unwrap();
    scene.server.revoke(RevokeBy::Key(&own), der, Some(RevocationReason::Superseded)).await.unwrap();
    assert!(matches!(
        state(&scene, der).await,
        CertificateState::Revoked { reason: RevocationReason::KeyCompromise, .. }
    ));
    assert_eq!(kind(scene.server.revoke(RevokeBy::Key(&own), der, None).await), ProblemKind::AlreadyRevoked);
}

#[tokio::test]
async fn certificates_of_other_applications_are_not_known_here() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let other = super::support::application(&scene.world.engine, "other", &["web"]).await;
    let request = Csr::parse(&csr(&["a.example.com"])).unwrap();
    let ask = Enrollment::csr(other.id, scene.world.profile.id, request);
    let foreign = issued(scene.world.session("otto").submit(&ask).await);
    scene.ready(&account, &["a.example.com"]).await;
    let refused = scene.server.revoke(RevokeBy::Account(&account), foreign.certificate().der(), None).await;
    assert_eq!(kind(refused), ProblemKind::Malformed);
    let key = foreign.certificate().public_key();
    let refused = scene.server.revoke(RevokeBy::Key(key), foreign.certificate().der(), None).await;
    assert_eq!(kind(refused), ProblemKind::Malformed);
}
