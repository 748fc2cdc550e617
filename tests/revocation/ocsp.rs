//! OCSP: what is answered, when it is signed, and when it is not.
use chancery::clock::Clock;
use chancery::domain::{OcspResponder, StatusSettings};
use chancery::store::MemoryStore;
use chancery::x509::{Certificate, RevocationReason, Serial};
use std::sync::Arc;
use time::Duration;

use super::support::{Hand, Mood, START, bodies, builder, slug};
use super::{Scene, with_ocsp};

const GOOD: [u8; 2] = [0x80, 0];
const UNKNOWN: [u8; 2] = [0x82, 0];
const MALFORMED: [u8; 5] = [0x30, 3, 0x0a, 1, 1];
const TRY_LATER: [u8; 5] = [0x30, 3, 0x0a, 1, 3];
const UNAUTHORIZED: [u8; 5] = [0x30, 3, 0x0a, 1, 6];

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    assert!(length < 256);
    let mut der = vec![tag];
    der.extend(if length < 128 { vec![length as u8] } else { vec![0x81, length as u8] });
    [der, content].concat()
}

/// A request about one certificate, with SHA-256 and, if wanted, a nonce.
fn ask(issuer: &Certificate, serial: &Serial, nonce: Option<&[u8]>) -> Vec<u8> {
    let sha256 = |data: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data).as_ref().to_vec();
    let key = issuer.public_key().spki_der();
    let (name, key) = (sha256(&subject_der(issuer)), sha256(&key[key.len() - 65..]));
    let algorithm = tlv(0x30, &[&tlv(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    let id = tlv(0x30, &[&algorithm, &tlv(4, &[&name]), &tlv(4, &[&key]), &tlv(2, &[serial.as_octets()])]);
    let list = tlv(0x30, &[&tlv(0x30, &[&id])]);
    let extensions = nonce.map_or(Vec::new(), |nonce| {
        let oid = tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2]]);
        tlv(0xa2, &[&tlv(0x30, &[&tlv(0x30, &[&oid, &tlv(4, &[&tlv(4, &[nonce])])])])])
    });
    tlv(0x30, &[&tlv(0x30, &[&list, &extensions])])
}

/// `CN=Test Root`, as its certificate has it.
fn subject_der(issuer: &Certificate) -> Vec<u8> {
    let name = tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&tlv(6, &[&[0x55, 4, 3]]), &tlv(0x0c, &[b"Test Root"])])])]);
    assert!(issuer.der().windows(name.len()).any(|window| window == name));
    name
}

fn contains(response: &[u8], part: &[u8]) -> bool {
    response.windows(part.len()).any(|window| window == part)
}

/// The status behind the serial number.
fn says(response: &[u8], serial: &Serial, status: &[u8]) -> bool {
    contains(response, &[tlv(2, &[serial.as_octets()]), status.to_vec()].concat())
}

#[tokio::test]
async fn oracle_27_good_revoked_unknown_and_unauthorized_once_it_is_off() {
    let scene = Scene::new(MemoryStore::new(), with_ocsp(OcspResponder::Issuer)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    let question = ask(&own, &record.serial, None);
    let good = scene.engine.ocsp(&question).await.der;
    assert!(says(&good, &record.serial, &GOOD));
    assert_eq!(scene.engine.ocsp(&question).await.der, good, "kept");
    scene.session("otto").revoke(record.id, RevocationReason::KeyCompromise).await.unwrap();
    let revoked = scene.engine.ocsp(&question).await.der;
    assert!(says(&revoked, &record.serial, b"\xa1\x16\x18\x0f20261122120000Z\xa0\x03\x0a\x01\x01"));
    let never: Serial = "414243".parse().unwrap();
    assert!(says(&scene.engine.ocsp(&ask(&own, &never, None)).await.der, &never, &UNKNOWN));
    assert_eq!(scene.engine.ocsp(b"what?").await.der, MALFORMED);
    let elsewhere = Scene::new(MemoryStore::new(), with_ocsp(OcspResponder::Issuer)).await.own().await;
    assert_eq!(scene.engine.ocsp(&ask(&elsewhere, &never, None)).await.der, UNAUTHORIZED);
    scene.session("root").set_issuer_status(scene.issuer.id, StatusSettings::default()).await.unwrap();
    for question in [question, ask(&own, &never, Some(&[1; 32]))] {
        assert_eq!(scene.engine.ocsp(&question).await.der, UNAUTHORIZED, "it is off");
    }
}

#[tokio::test]
async fn a_revocation_in_one_process_is_seen_by_the_next_request_in_another() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), with_ocsp(OcspResponder::Issuer)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    let question = ask(&own, &record.serial, None);
    let other = builder(store.clone(), &scene.clock, 2).build().await.unwrap();
    let kept = scene.engine.ocsp(&question).await.der;
    assert_eq!(other.ocsp(&question).await.der, kept, "one answer for all processes");
    scene.session("otto").revoke(record.id, RevocationReason::CertificateHold).await.unwrap();
    assert!(!says(&other.ocsp(&question).await.der, &record.serial, &GOOD));
    scene.session("otto").release_hold(record.id).await.unwrap();
    assert!(says(&other.ocsp(&question).await.der, &record.serial, &GOOD));
}

#[tokio::test]
async fn answers_are_kept_without_the_signer_and_signed_anew_at_half_their_time() {
    let store = MemoryStore::new();
    let (hand, clock) = (Hand::new(), Arc::new(chancery::clock::ManualClock::new(START)));
    let builder = builder(store.clone(), &clock, 1).signer(slug("root"), hand.clone());
    let scene = Scene::of(builder, clock, with_ocsp(OcspResponder::Issuer)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    let question = ask(&own, &record.serial, None);
    hand.will([]);
    let first = scene.engine.ocsp(&question).await.der;
    for _ in 0..10 {
        scene.clock.advance(Duration::minutes(30));
        assert_eq!(scene.engine.ocsp(&question).await.der, first);
    }
    assert_eq!(hand.signed().len(), 1);
    // At half of twelve hours it is signed anew; if that fails, the answer that is true still will do until its end.
    scene.clock.advance(Duration::hours(2));
    hand.will([Mood::Unavailable]);
    assert_eq!(scene.engine.ocsp(&question).await.der, first);
    hand.will([Mood::WrongKey]);
    assert_eq!(scene.engine.ocsp(&question).await.der, first);
    let second = scene.engine.ocsp(&question).await.der;
    assert!(second != first && says(&second, &record.serial, &GOOD));
    scene.session("otto").revoke(record.id, RevocationReason::Superseded).await.unwrap();
    hand.will([Mood::UnknownDone]);
    assert_eq!(scene.engine.ocsp(&question).await.der, TRY_LATER, "what is no longer true is not told");
    assert_eq!(bodies(&store, "ocsp_answer").await.len(), 1);
}

#[tokio::test]
async fn what_was_asked_for_once_is_signed_ahead_until_the_certificate_ends() {
    let store = MemoryStore::new();
    let (hand, clock) = (Hand::new(), Arc::new(chancery::clock::ManualClock::new(START)));
    let builder = builder(store.clone(), &clock, 1).signer(slug("root"), hand.clone());
    let scene = Scene::of(builder, clock, with_ocsp(OcspResponder::Issuer)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    let question = ask(&own, &record.serial, None);
    let first = scene.engine.ocsp(&question).await.der;
    scene.session("otto").revoke(record.id, RevocationReason::Superseded).await.unwrap();
    let (mut told, signed) = (first, hand.signed().len());
    for round in 1..=4 {
        scene.clock.advance(Duration::hours(6));
        let report = scene.engine.run_due(100).await.unwrap();
        assert!(report.published >= 1, "{report:?}");
        let ahead = hand.signed().len();
        assert!(ahead >= signed + round, "{round}: due work has signed it");
        let again = scene.engine.ocsp(&question).await.der;
        assert!(again != told && !says(&again, &record.serial, &GOOD), "{round}");
        assert_eq!(hand.signed().len(), ahead, "whoever asks waits for no signer");
        told = again;
    }
    scene.clock.advance(Duration::days(400));
    scene.engine.run_due(100).await.unwrap();
    assert!(bodies(&store, "ocsp_answer").await.is_empty(), "what has ended is forgotten");
}

#[tokio::test]
async fn a_nonce_comes_back() {
    let scene = Scene::new(MemoryStore::new(), with_ocsp(OcspResponder::Issuer)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    for length in [1, 16, 32] {
        let nonce = vec![0x5a; length];
        let response = scene.engine.ocsp(&ask(&own, &record.serial, Some(&nonce))).await.der;
        assert!(contains(&response, &tlv(4, &[&tlv(4, &[&nonce])])) && says(&response, &record.serial, &GOOD));
    }
    for length in [0, 33] {
        assert_eq!(scene.engine.ocsp(&ask(&own, &record.serial, Some(&vec![1; length]))).await.der, MALFORMED);
    }
}

#[tokio::test]
async fn a_delegated_responder_is_certified_and_renewed_by_due_work() {
    let store = MemoryStore::new();
    let scene = Scene::new(store.clone(), with_ocsp(OcspResponder::Delegated)).await;
    let (own, record) = (scene.own().await, scene.issue("a.example.com").await.record);
    let question = ask(&own, &record.serial, None);
    assert_eq!(scene.engine.ocsp(&question).await.der, TRY_LATER, "not certified yet");
    scene.work().await;
    for _ in 0..12 {
        let response = scene.engine.ocsp(&question).await.der;
        assert!(says(&response, &record.serial, &GOOD));
        assert!(contains(&response, &[0x2b, 6, 1, 5, 5, 7, 3, 9]), "the responder's certificate is with it");
        scene.pass(Duration::days(5)).await;
    }
    let certificates = bodies(&store, "certificate").await;
    let responders = certificates.iter().filter(|each| each["origin"] == "ocsp_responder").count();
    assert!((5..=10).contains(&responders), "{responders} in sixty days");
    assert!(scene.clock.now() > START);
}
