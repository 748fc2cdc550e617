//! Issuing and judging, against the signatures that no issue can do without, and against a peer.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use chancery::domain::Preset;
use chancery::domain::policy::{Policy, ValueRules};
use chancery::store::sqlite::SqliteStore;
use chancery::x509::{Attribute, Content, San, SanKind, Subject};
use rcgen::{CertificateParams, CertificateSigningRequestParams, CertifiedIssuer};

use crate::bench::{Bench, ROUNDS, in_turn, median, row, time};

const CALLERS: usize = 64;

pub(crate) async fn against_crypto(bench: &Bench) {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let message = [0x5a; 400];
    let signature = key.sign(&random, &message).unwrap();
    let public = key.public_key().as_ref().to_vec();
    let limit = || {
        let verified = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public).verify(&message, signature.as_ref());
        black_box((verified.unwrap(), key.sign(&random, &message).unwrap()));
        std::future::ready(())
    };
    let (ours, limit) = in_turn(100, || bench.issue_csr(), limit).await;
    row("CSR P-256: parse, proof, judge, issue (memory)", ours, ("AWS-LC verify + sign", limit), 0.80);
}

pub(crate) async fn against_rcgen(bench: &Bench) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let issuer = CertifiedIssuer::self_signed(CertificateParams::new(Vec::new()).unwrap(), key).unwrap();
    let csr = bench.csr().to_vec().into();
    let peer = || {
        let request = CertificateSigningRequestParams::from_der(&csr).unwrap();
        black_box(request.signed_by(&issuer).unwrap());
        std::future::ready(())
    };
    let (ours, peer) = in_turn(100, || bench.issue_csr(), peer).await;
    row("CSR P-256: the same", ours, ("rcgen parse + verify + sign", peer), 0.85);
}

pub(crate) async fn managed(bench: &Bench) {
    let random = SystemRandom::new();
    let issuer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let limit = || {
        black_box(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap());
        black_box(issuer.sign(&random, &[0x5a; 400]).unwrap());
        std::future::ready(())
    };
    let (ours, limit) = in_turn(100, || bench.issue_managed(), limit).await;
    row("managed P-256: judge, key, seal, issue (memory)", ours, ("AWS-LC key generation + sign", limit), 0.60);
}

pub(crate) fn judging() {
    let mut spec = Preset::TlsServer.policy("web".parse().unwrap());
    spec.sans =
        Some([(SanKind::DnsName, ValueRules::allow(["*.example.com", "*.example.net", "**.int.example"]))].into());
    let policy = Policy::try_from(spec).unwrap();
    let now = time::OffsetDateTime::now_utc();
    let content = Content {
        subject: Subject::from_parts([(Attribute::CommonName, "host0.example.com")]).unwrap(),
        sans: (0..10).map(|n| San::dns(&format!("host{n}.example.com")).unwrap()).collect(),
        key_algorithm: chancery::x509::KeyAlgorithm::P256,
        signature_algorithm: chancery::x509::SignatureAlgorithm::EcdsaSha256,
        validity: chancery::x509::Validity::new(now, now + time::Duration::days(90)).unwrap(),
        key_usages: [chancery::x509::KeyUsage::DigitalSignature].into(),
        extended_key_usages: vec![chancery::x509::ExtendedKeyUsage::ServerAuth],
        basic_constraints: chancery::x509::BasicConstraints::EndEntity,
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..1000 {
            assert!(black_box(policy.judge(black_box(&content), now)).permits());
        }
        times.push(start.elapsed() / 1000);
    }
    row("judging 10 SANs by a TLS policy", median(times), ("3 µs", Duration::from_micros(3)), 1.0);
}

/// Many callers on one SQLite file, against issuing one by one with one fsync for each certificate.
pub(crate) async fn durable() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let memory = Bench::new(chancery::store::MemoryStore::new()).await;
    let sqlite = Arc::new(Bench::new(SqliteStore::open(folder.path().join("bench.db")).unwrap()).await);
    let mut file = File::create(folder.path().join("fsync")).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    let mut single = Vec::new();
    let (mut our_times, mut limit_times) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        our_times.push(many_callers(&sqlite, 20).await);
        single.push(time(20, &mut || sqlite.issue_csr()).await);
        let start = Instant::now();
        for at in 0..50 {
            memory.issue_csr().await;
            file.write_all_at(&[0x5a; 4096], at * 4096).unwrap();
            file.sync_data().unwrap();
        }
        limit_times.push(start.elapsed() / 50);
    }
    let ours = median(our_times);
    row("SQLite, 64 callers, durable, for each issue", ours, ("issue + one fsync each", median(limit_times)), 8.0);
    row("SQLite, 64 callers, durable, for each issue", ours, ("SQLite, one caller", median(single)), 8.0);
}

async fn many_callers(bench: &Arc<Bench>, each: usize) -> Duration {
    let start = Instant::now();
    let caller = || {
        let bench = Arc::clone(bench);
        tokio::spawn(async move {
            for _ in 0..each {
                bench.issue_csr().await;
            }
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(|_| caller()).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    start.elapsed() / u32::try_from(CALLERS * each).unwrap()
}
