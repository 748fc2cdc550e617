//! Issuers of every origin and key: made, signed outside, imported; refused where they do not fit, and at a later start.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    Enrollment, IssuerId, IssuerKey, IssuerRecord, IssuerSpec, IssuerState, IssuerUrls, Octets, Preset, Span,
};
use chancery::engine::{Engine, Error, Issued, IssuerFault, Root, Session};
use chancery::signer::SoftwareSigner;
use chancery::store::{Batch, Expect, Key, MemoryStore, Store, Write};
use chancery::x509::{Certificate, KeyAlgorithm};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SubjectPublicKeyInfo,
};
use support::{Hand, START, World, application, builder, issued, slug};
use time::Duration;

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = START - Duration::DAY;
    params.not_after = START + Duration::DAY * 1000;
    params
}

/// A CA outside, made as `edit` says.
struct Outside {
    own: Certificate,
    issuer: rcgen::Issuer<'static, KeyPair>,
}

impl Outside {
    fn new(name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (ca(name), key());
        edit(&mut params);
        let own = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        Self { own, issuer: rcgen::Issuer::new(params, key) }
    }

    fn sign(&self, params: &CertificateParams, spki: &[u8]) -> Certificate {
        let key = SubjectPublicKeyInfo::from_der(spki).unwrap();
        Certificate::from_der(params.signed_by(&key, &self.issuer).unwrap().der()).unwrap()
    }
}

async fn product(store: MemoryStore) -> (Engine, Session) {
    let engine = builder(store, &Arc::new(ManualClock::new(START)), 1).build().await.unwrap();
    let session = engine.acting_as(support::user("root"));
    (engine, session)
}

fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> IssuerFault {
    match result {
        Err(Error::Issuer { reason, .. }) => reason,
        other => panic!("no issuer's fault: {other:?}"),
    }
}

/// Issues below the issuer `name` in an Application of its own.
async fn issue_below(engine: &Engine, name: &str) -> Result<Issued, Error> {
    let session = engine.acting_as(support::user("root"));
    session.save_policy(Preset::TlsServer.policy(slug("web"))).await?;
    let profile = session.save_profile(Preset::TlsServer.profile(slug(name), slug(name), slug("web"))).await?;
    let application = match session.application_named(&slug(name)).await {
        Ok(application) => application,
        Err(_) => application(engine, name, &[name]).await,
    };
    let ask = Enrollment::managed(application.id, profile.id).dns("api.example.com").ttl(Span::days(10));
    let outcome = engine.acting_as(support::user("otto")).submit(&ask).await?;
    Ok(issued(Ok(outcome)))
}

fn verify(issued: &Issued) {
    let chain: Vec<&Certificate> = issued.chain.certificates(Root::Include).collect();
    for pair in chain.windows(2) {
        pair[0].verify_issued_by(pair[1]).unwrap();
    }
}

#[tokio::test]
async fn every_key_algorithm_makes_roots_and_intermediates_that_issue() {
    let (engine, product) = product(MemoryStore::new()).await;
    use KeyAlgorithm::{Ed25519, MlDsa44, MlDsa65, MlDsa87, P256, P384, P521, Rsa2048};
    for (at, algorithm) in [Rsa2048, P256, P384, P521, Ed25519, MlDsa44, MlDsa65, MlDsa87].into_iter().enumerate() {
        let (root, below) = (format!("root-{at}"), format!("below-{at}"));
        let spec = IssuerSpec { key_algorithm: algorithm, ..IssuerSpec::new(slug(&root), "Root") };
        let root = product.create_root(spec).await.unwrap();
        let mut spec = IssuerSpec { key_algorithm: algorithm, ..IssuerSpec::new(slug(&below), "Below") };
        spec.ttl = Span::days(400);
        product.create_intermediate(spec, root.id).await.unwrap();
        let issued = issue_below(&engine, &below).await.unwrap();
        verify(&issued);
        assert_eq!(issued.chain.certificates(Root::Include).count(), 3, "{algorithm}");
        assert_eq!(issued.chain.certificates(Root::Exclude).count(), 2, "{algorithm}");
        let above = issued.chain.certificates(Root::Include).nth(1).unwrap();
        assert_eq!(above.public_key().algorithm(), algorithm);
        assert!(
            algorithm.signature_algorithms().contains(&issued.certificate().content().signature_algorithm),
            "{algorithm}"
        );
    }
}

/// What an outside CA sends back: its own parameters, those of the certificate, whose key, which chain; and the fault.
struct Case {
    label: &'static str,
    root: fn(&mut CertificateParams),
    below: fn(&mut CertificateParams),
    other_key: bool,
    chain: fn(Certificate, &Outside) -> Vec<Certificate>,
    fault: Option<fn(&IssuerFault) -> bool>,
}

const FINE: Case = Case {
    label: "as asked",
    root: |_| {},
    below: |_| {},
    other_key: false,
    chain: |own, above| vec![own, above.own.clone()],
    fault: None,
};

const CASES: [Case; 13] = [
    FINE,
    Case { label: "without the root", chain: |own, _| vec![own], ..FINE },
    Case { label: "room below", root: |ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)), ..FINE },
    Case { label: "another key", other_key: true, fault: Some(|f| *f == IssuerFault::KeyChanged), ..FINE },
    Case {
        label: "another subject",
        below: |ca| ca.distinguished_name.push(DnType::CommonName, "Somebody Else"),
        fault: Some(|f| matches!(f, IssuerFault::Subject { .. })),
        ..FINE
    },
    Case {
        label: "not a CA",
        below: |ca| ca.is_ca = IsCa::ExplicitNoCa,
        fault: Some(|f| matches!(f, IssuerFault::NoAuthority { .. })),
        ..FINE
    },
    Case {
        label: "may not sign certificates",
        below: |ca| ca.key_usages = vec![KeyUsagePurpose::DigitalSignature],
        fault: Some(|f| matches!(f, IssuerFault::NoAuthority { .. })),
        ..FINE
    },
    Case { label: "nothing", chain: |_, _| Vec::new(), fault: Some(is_chain), ..FINE },
    Case {
        label: "another root of the same name",
        chain: |own, _| vec![own, Outside::new("Outside", |_| {}).own],
        fault: Some(is_chain),
        ..FINE
    },
    Case {
        label: "a root that permits no CA below it",
        root: |ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
        fault: Some(is_chain),
        ..FINE
    },
    Case { label: "a root that is no CA", root: |ca| ca.is_ca = IsCa::ExplicitNoCa, fault: Some(is_chain), ..FINE },
    Case { label: "expired", below: |ca| ca.not_after = START - Duration::SECOND, fault: Some(is_chain), ..FINE },
    Case { label: "not valid yet", below: |ca| ca.not_before = START + Duration::DAY, fault: Some(is_chain), ..FINE },
];

fn is_chain(fault: &IssuerFault) -> bool {
    matches!(fault, IssuerFault::Chain { .. })
}

#[tokio::test]
async fn a_certificate_from_an_outside_ca_is_installed_if_it_is_the_one_asked_for() {
    for case in CASES {
        let (engine, product) = product(MemoryStore::new()).await;
        let waiting = product.request_issuer(IssuerSpec::new(slug("ours"), "Ours")).await.unwrap();
        let IssuerState::AwaitingCertificate { csr, public_key, .. } = &waiting.state else { panic!("{waiting:?}") };
        let csr = chancery::x509::Csr::parse(&csr.0).unwrap();
        assert_eq!(csr.public_key().spki_der(), public_key.0, "the request proves possession of the key");
        let early = issue_below(&engine, "ours").await;
        assert_eq!(fault(early), IssuerFault::AwaitingCertificate, "{}", case.label);

        let above = Outside::new("Outside", case.root);
        let mut params = ca("Ours");
        (case.below)(&mut params);
        let spki = if case.other_key { key().subject_public_key_info() } else { public_key.0.clone() };
        let chain = (case.chain)(above.sign(&params, &spki), &above);
        let result = product.install_issuer(waiting.id, chain.clone()).await;
        let Some(expected) = case.fault else {
            result.unwrap_or_else(|error| panic!("{}: {error}", case.label));
            verify(&issue_below(&engine, "ours").await.unwrap());
            assert_eq!(fault(product.install_issuer(waiting.id, chain).await), IssuerFault::NotAwaiting);
            continue;
        };
        let seen = fault(result);
        assert!(expected(&seen), "{}: {seen}", case.label);
        let still = product.issuer_named(&slug("ours")).await.unwrap();
        assert_eq!(still, waiting, "{}: nothing was written", case.label);
    }
}

#[tokio::test]
async fn an_issuer_is_imported_with_its_key_or_beside_the_signer_of_its_name() {
    let root = Outside::new("Outside", |_| {});
    let own = key();
    let chain = vec![root.sign(&ca("Imported"), &own.subject_public_key_info()), root.own.clone()];
    let signer = || SoftwareSigner::from_pkcs8_der(&own.serialize_der()).unwrap();
    let other = || SoftwareSigner::generate(KeyAlgorithm::P256).unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let parts = builder(MemoryStore::new(), &clock, 1);
    let engine = parts.signer(slug("host"), signer()).signer(slug("stranger"), other()).build().await.unwrap();
    let product = engine.acting_as(support::user("root"));
    let import =
        async |name: &str, key| product.import_issuer(slug(name), IssuerUrls::default(), chain.clone(), key).await;

    assert!(matches!(import("with-key", Some(signer())).await.unwrap().key, IssuerKey::Sealed(_)));
    assert_eq!(import("host", None).await.unwrap().key, IssuerKey::Signer);
    for name in ["with-key", "host"] {
        verify(&issue_below(&engine, name).await.unwrap());
    }
    assert_eq!(fault(import("other-key", Some(other())).await), IssuerFault::KeyChanged);
    assert_eq!(fault(import("stranger", None).await), IssuerFault::KeyChanged);
    assert_eq!(fault(import("nobody", None).await), IssuerFault::SignerMissing);
    assert!(matches!(import("host", None).await, Err(Error::NameTaken { what: "issuer", .. })));
}

#[tokio::test]
async fn what_does_not_fit_below_its_issuer_is_refused() {
    let (_, product) = product(MemoryStore::new()).await;
    let make = |path_length, days| IssuerSpec {
        path_length,
        ttl: Span::days(days),
        ..IssuerSpec::new(slug("below"), "Below")
    };
    let root = async |name: &str, path_length| {
        let spec = IssuerSpec { path_length, ttl: Span::days(100), ..IssuerSpec::new(slug(name), "Root") };
        product.create_root(spec).await.unwrap().id
    };
    let (open, one, none) = (root("open", None).await, root("one", Some(1)).await, root("none", Some(0)).await);
    for (parent, spec) in [
        (open, make(None, 101)),
        (one, make(None, 100)),
        (one, make(Some(1), 100)),
        (none, make(Some(0), 100)),
        (none, make(None, 100)),
    ] {
        let seen = fault(product.create_intermediate(spec.clone(), parent).await);
        assert!(matches!(seen, IssuerFault::Refused { .. }), "{spec:?}: {seen}");
    }
    product.create_intermediate(make(Some(0), 100), one).await.unwrap();
    let taken = product.create_intermediate(make(None, 100), open).await.unwrap_err();
    assert!(matches!(taken, Error::NameTaken { what: "issuer", .. }), "{taken:?}");
    let unnamed = IssuerSpec { subject: Default::default(), ..IssuerSpec::new(slug("unnamed"), "") };
    assert!(matches!(product.create_root(unnamed).await, Err(Error::Invalid { .. })));
}

async fn swap_chain(store: &MemoryStore, id: IssuerId, chain: Vec<Octets>) {
    let key = Key::new("issuer", id.to_string());
    let document = store.get(std::slice::from_ref(&key)).await.unwrap().pop().flatten().unwrap();
    let mut record: IssuerRecord = serde_json::from_slice(&document.body).unwrap();
    record.state = IssuerState::Active { chain };
    let (expect, body) = (Expect::Version(document.version), serde_json::to_vec(&record).unwrap().into());
    let writes = vec![Write::Put { key, expect, body, entries: Vec::new() }];
    store.commit(Batch { writes }).await.unwrap();
}

#[tokio::test]
async fn an_engine_does_not_start_on_a_changed_ca() {
    let octets = |certificate: &Certificate| Octets(certificate.der().to_vec());
    let (own, other) = (key(), key());
    let root = Outside::new("Outside", |_| {});
    let first = root.sign(&ca("Imported"), &own.subject_public_key_info());
    let second = root.sign(&ca("Imported"), &own.subject_public_key_info());
    let foreign = root.sign(&ca("Imported"), &other.subject_public_key_info());
    let stranger = Outside::new("Stranger", |_| {}).own;
    for (label, chain, expected) in [
        ("its own", vec![octets(&first), octets(&root.own)], None),
        (
            "another certificate on its key",
            vec![octets(&second), octets(&root.own)],
            Some(IssuerFault::CertificateChanged),
        ),
        ("another key", vec![octets(&foreign), octets(&root.own)], Some(IssuerFault::KeyChanged)),
        ("no certificate", vec![], Some(IssuerFault::AwaitingCertificate)),
        ("a strange root", vec![octets(&first), octets(&stranger)], None),
    ] {
        let store = MemoryStore::new();
        let (_, product) = product(store.clone()).await;
        let signer = SoftwareSigner::from_pkcs8_der(&own.serialize_der()).unwrap();
        let chain_before = vec![first.clone(), root.own.clone()];
        let made =
            product.import_issuer(slug("ours"), IssuerUrls::default(), chain_before, Some(signer)).await.unwrap();
        swap_chain(&store, made.id, chain).await;
        let started = builder(store, &Arc::new(ManualClock::new(START)), 2).build().await;
        match (label, expected) {
            ("its own", _) => drop(started.unwrap()),
            (_, Some(expected)) => assert_eq!(fault(started), expected, "{label}"),
            (_, None) => assert!(is_chain(&fault(started)), "{label}"),
        }
    }
}

#[tokio::test]
async fn an_engine_does_not_start_with_another_signer_or_without_it() {
    let (store, clock, hand) = (MemoryStore::new(), Arc::new(ManualClock::new(START)), Hand::new());
    World::of(builder(store.clone(), &clock, 1).signer(slug("root"), hand.clone()), Arc::clone(&clock)).await;
    let parts = |seed| builder(store.clone(), &clock, seed);
    assert_eq!(fault(parts(2).build().await), IssuerFault::SignerMissing);
    assert_eq!(fault(parts(3).signer(slug("root"), Hand::new()).build().await), IssuerFault::KeyChanged);
    parts(4).signer(slug("root"), hand).build().await.unwrap();
}

#[tokio::test]
async fn a_signer_with_another_kind_of_key_than_asked_for_is_refused() {
    let clock = Arc::new(ManualClock::new(START));
    let engine = builder(MemoryStore::new(), &clock, 1).signer(slug("root"), Hand::new()).build().await.unwrap();
    let spec = IssuerSpec { key_algorithm: KeyAlgorithm::P384, ..IssuerSpec::new(slug("root"), "Root") };
    let seen = fault(engine.acting_as(support::user("root")).create_root(spec).await);
    assert_eq!(seen, IssuerFault::KeyAlgorithm { seen: KeyAlgorithm::P256, wanted: KeyAlgorithm::P384 });
}

#[tokio::test]
async fn urls_stand_in_what_an_issuer_issues_and_not_in_its_own_certificate() {
    let (engine, product) = product(MemoryStore::new()).await;
    let url = |path: &str| vec![format!("http://pki.example.com/{path}")];
    let urls = IssuerUrls { crl: url("crl"), ocsp: url("ocsp"), ca_issuers: url("ca") };
    let spec = IssuerSpec { urls: urls.clone(), ..IssuerSpec::new(slug("urls"), "Root") };
    let bare = IssuerSpec::new(slug("bare"), "Bare");
    let root = product.create_root(spec).await.unwrap();
    product.create_root(bare).await.unwrap();
    let seen = |certificate: &Certificate| IssuerUrls {
        crl: certificate.crl_urls().to_vec(),
        ocsp: certificate.ocsp_urls().to_vec(),
        ca_issuers: certificate.ca_issuers_urls().to_vec(),
    };
    let leaf = issue_below(&engine, "urls").await.unwrap();
    assert_eq!(seen(leaf.certificate()), urls);
    assert_eq!(seen(leaf.chain.root().unwrap()), IssuerUrls::default());
    assert_eq!(seen(issue_below(&engine, "bare").await.unwrap().certificate()), IssuerUrls::default());
    let below = IssuerSpec { ttl: Span::days(30), ..IssuerSpec::new(slug("below"), "Below") };
    product.create_intermediate(below, root.id).await.unwrap();
    let leaf = issue_below(&engine, "below").await.unwrap();
    assert_eq!(seen(leaf.chain.certificates(Root::Include).nth(1).unwrap()), urls, "the root's, in what it signed");
    let ldap = IssuerUrls { crl: vec!["ldap://pki.example.com/crl".into()], ..IssuerUrls::default() };
    let refused = product.create_root(IssuerSpec { urls: ldap, ..IssuerSpec::new(slug("ldap"), "Ldap") }).await;
    let Err(Error::Invalid { faults }) = refused else { panic!("{refused:?}") };
    assert_eq!(faults[0].0, "urls.crl[0]");
}
