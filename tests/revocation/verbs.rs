//! Who can revoke what, for which reason, and how often.
use chancery::clock::Clock;
use chancery::domain::{
    CertificateRef, CertificateState, CertificateStatus, IssuerSpec, KeyProof, RevocationFault, Span,
};
use chancery::engine::{CertificateQuery, Error, Import};
use chancery::signer::{Signer, SoftwareSigner};
use chancery::store::MemoryStore;
use chancery::x509::{RevocationReason, SignatureAlgorithm};

use super::support::{bodies, events, slug};
use super::{Scene, plain};

#[track_caller]
fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> RevocationFault {
    match result {
        Err(Error::Revocation { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_is_revoked_by_id_by_serial_and_by_fingerprint() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    let otto = scene.session("otto");
    for (at, reason) in RevocationReason::ALL.into_iter().enumerate() {
        let issued = scene.issue("a.example.com").await;
        let which: CertificateRef = match at % 3 {
            0 => issued.record.id.into(),
            1 => (scene.issuer.id, issued.record.serial).into(),
            _ => (*issued.certificate().fingerprint()).into(),
        };
        let revoked = otto.revoke(which, reason).await.unwrap();
        assert_eq!(revoked.id, issued.record.id);
        assert!(matches!(revoked.state, CertificateState::Revoked { reason: seen, .. } if seen == reason));
        assert_eq!(otto.revoke(which, reason).await.unwrap(), revoked, "again");
    }
    let told = events(&store).await.into_iter().filter(|event| event == "certificate-revoked").count();
    assert_eq!(told, RevocationReason::ALL.len(), "what changes nothing leaves no event");
}

#[tokio::test]
async fn the_first_reason_stands_but_for_holds_and_lost_keys() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let (otto, id) = (scene.session("otto"), scene.issue("a.example.com").await.record.id);
    otto.revoke(id, RevocationReason::CertificateHold).await.unwrap();
    otto.revoke(id, RevocationReason::Superseded).await.unwrap();
    let stands = fault(otto.revoke(id, RevocationReason::CessationOfOperation).await);
    assert_eq!(stands, RevocationFault::AlreadyRevoked { reason: RevocationReason::Superseded });
    otto.revoke(id, RevocationReason::KeyCompromise).await.unwrap();
    assert_eq!(fault(otto.release_hold(id).await), RevocationFault::NotOnHold);
    scene.clock.advance(time::Duration::SECOND * 6);
    scene.work().await;
    assert_eq!(scene.list(0).await.entries[0].reason, RevocationReason::KeyCompromise);
}

#[tokio::test]
async fn a_hold_is_lifted_and_the_next_list_leaves_it_out() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    let (otto, id) = (scene.session("otto"), scene.issue("a.example.com").await.record.id);
    otto.revoke(id, RevocationReason::CertificateHold).await.unwrap();
    scene.pass(time::Duration::minutes(1)).await;
    assert_eq!(scene.list(0).await.entries.len(), 1);
    let released = otto.release_hold(id).await.unwrap();
    assert_eq!(released.status_at(scene.clock.now()), CertificateStatus::Active);
    scene.pass(time::Duration::minutes(1)).await;
    assert!(scene.list(0).await.entries.is_empty());
    assert!(bodies(&store, "revocation").await.is_empty());
    assert_eq!(fault(otto.release_hold(id).await), RevocationFault::NotOnHold);
    otto.revoke(id, RevocationReason::Superseded).await.unwrap();
}

#[tokio::test]
async fn whoever_has_the_key_may_revoke() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let issued = scene.issue("a.example.com").await;
    let fingerprint = *issued.certificate().fingerprint();
    let pem = issued.private_key.as_ref().unwrap().pem();
    let key = SoftwareSigner::from_pkcs8_pem(pem.expose_text()).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let message = KeyProof::message(&fingerprint);
    let proof = KeyProof { algorithm, signature: key.sign(algorithm, &message).await.unwrap() };
    let other = KeyProof { algorithm, signature: key.sign(algorithm, &KeyProof::message(&[0; 32])).await.unwrap() };
    let (mallory, otto) = (scene.session("mallory"), scene.session("otto"));
    let hidden = mallory.revoke_by_key_proof(fingerprint, &other).await.unwrap_err();
    assert!(matches!(hidden, Error::NotFound { .. }), "{hidden}");
    assert_eq!(fault(otto.revoke_by_key_proof(fingerprint, &other).await), RevocationFault::NoProof);
    let revoked = mallory.revoke_by_key_proof(fingerprint, &proof).await.unwrap();
    assert!(matches!(revoked.state, CertificateState::Revoked { reason: RevocationReason::KeyCompromise, .. }));
    mallory.revoke_by_key_proof(fingerprint, &proof).await.unwrap();
}

#[tokio::test]
async fn what_was_not_issued_here_or_has_ended_is_refused() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), plain()).await;
    let (otto, product) = (scene.session("otto"), scene.session("root"));
    let elsewhere = Scene::new(MemoryStore::new(), plain()).await.issue("b.example.com").await;
    let import = Import {
        application: scene.application.id,
        profile: None,
        certificate: elsewhere.certificate().clone(),
        chain: Vec::new(),
        key: None,
        metadata: Default::default(),
    };
    otto.import_certificate(import).await.unwrap();
    let imported = *elsewhere.certificate().fingerprint();
    assert_eq!(fault(otto.revoke(imported, RevocationReason::Superseded).await), RevocationFault::IssuedElsewhere);
    let root = *scene.own().await.fingerprint();
    assert_eq!(fault(product.revoke(root, RevocationReason::Superseded).await), RevocationFault::SelfSigned);
    let ended = scene.issue("a.example.com").await.record;
    scene.clock.advance(ended.validity.not_after() + time::Duration::SECOND - scene.clock.now());
    assert_eq!(fault(otto.revoke(ended.id, RevocationReason::Superseded).await), RevocationFault::Expired);
    assert!(bodies(&store, "revocation").await.is_empty());
}

#[tokio::test]
async fn an_intermediate_is_revoked_on_its_parents_list() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let product = scene.session("root");
    let spec = IssuerSpec { ttl: Span::days(365), ..IssuerSpec::new(slug("below"), "Below") };
    let below = product.create_intermediate(spec, scene.issuer.id).await.unwrap();
    let der = scene.engine.issuer_certificate(below.id).await.unwrap().unwrap();
    let own = chancery::x509::Certificate::from_der(&der).unwrap();
    let denied = scene.session("otto").revoke(*own.fingerprint(), RevocationReason::CaCompromise).await.unwrap_err();
    assert!(matches!(denied, Error::NotFound { .. }), "{denied}");
    let revoked = product.revoke((scene.issuer.id, *own.serial()), RevocationReason::CaCompromise).await.unwrap();
    assert_eq!((revoked.issuer, revoked.certifies), (Some(scene.issuer.id), Some(below.id)));
    scene.pass(time::Duration::minutes(1)).await;
    assert_eq!(scene.list(0).await.entries[0].serial, *own.serial());
    assert!(scene.engine.crl(below.id, 0).await.unwrap().is_none());
    let chain = product.chain(revoked.id).await.unwrap();
    assert_eq!(chain.root().unwrap().content().subject, scene.own().await.content().subject);
}

#[tokio::test]
async fn revoked_certificates_are_found_by_status_whatever_else_is_asked() {
    let scene = Scene::new(MemoryStore::new(), plain()).await;
    let otto = scene.session("otto");
    let mut revoked = Vec::new();
    for at in 0..20 {
        let record = scene.issue(&format!("n{at}.example.com")).await.record;
        if at % 5 == 0 {
            otto.revoke(record.id, RevocationReason::Superseded).await.unwrap();
            revoked.push(record.id);
        }
    }
    revoked.sort();
    let status = Some(CertificateStatus::Revoked);
    let (application, profile, issuer) = (Some(scene.application.id), Some(scene.profile.id), Some(scene.issuer.id));
    let all = CertificateQuery { status, page_size: 3, ..Default::default() };
    let queries = [
        all.clone(),
        CertificateQuery { application, ..all.clone() },
        CertificateQuery { profile, ..all.clone() },
        CertificateQuery { issuer, ..all.clone() },
        CertificateQuery { application, profile, issuer, ..all.clone() },
    ];
    for query in queries {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = scene.session("root").certificates(&query, after.as_ref()).await.unwrap();
            found.extend(page.items.into_iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort();
        assert_eq!(found, revoked, "{query:?}");
    }
    let of_issuer = CertificateQuery { issuer, ..CertificateQuery::default() };
    let found = scene.session("root").certificates(&of_issuer, None).await.unwrap().items;
    assert_eq!(found.len(), 21, "the root signed its own certificate, too");
}
