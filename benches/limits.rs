//! Our operations against the physical limit or a peer, each pair measured in turn in the same run, on one thread but
//! for the row of many callers.
//!
//! `cargo bench --bench limits --features sqlite` prints one table. What was found while profiling stands in
//! `benches/FINDINGS.md`.

#![allow(clippy::unwrap_used, reason = "a bench that can not go on shall stop")]

use std::fs::File;
use std::future::Future;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use chancery::domain::policy::{Policy, ValueRules};
use chancery::domain::{Actor, ApplicationId, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset, ProfileId};
use chancery::engine::{Engine, Outcome, Session};
use chancery::sealer::AeadSealer;
use chancery::store::Store;
use chancery::store::sqlite::SqliteStore;
use chancery::x509::{Attribute, Content, Csr, San, SanKind, Subject};
use rcgen::{CertificateParams, CertificateSigningRequestParams, CertifiedIssuer};

const ROUNDS: usize = 25;
const CALLERS: usize = 64;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{:<46} {:>12} {:>34} {:>12} {:>7} {:>8}", "what", "ours", "the limit", "", "ratio", "target");
    runtime.block_on(async {
        let memory = Bench::new(chancery::store::MemoryStore::new()).await;
        against_crypto(&memory).await;
        against_rcgen(&memory).await;
        managed(&memory).await;
        judging();
    });
    // Callers are many here, and so are the threads that serve them.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(durable());
}

/// An engine with one attachment to issue under.
struct Bench {
    session: Session,
    application: ApplicationId,
    profile: ProfileId,
    csr: Vec<u8>,
}

impl Bench {
    async fn new(store: impl Store) -> Self {
        let admin = Actor::user("bench").unwrap();
        let engine = Engine::builder()
            .store(store)
            .sealer(AeadSealer::new(&[7; 32]))
            .administrator(admin.principal().clone())
            .build()
            .await
            .unwrap();
        let session = engine.acting_as(admin);
        session.create_root(IssuerSpec::new("root".parse().unwrap(), "Bench Root")).await.unwrap();
        let slug = || "web".parse().unwrap();
        let mut policy = Preset::TlsServer.policy(slug());
        policy.sans = Some([(SanKind::DnsName, ValueRules::allow(["*.example.com", "*.example.net"]))].into());
        session.save_policy(policy).await.unwrap();
        let profile = Preset::TlsServer.profile(slug(), "root".parse().unwrap(), slug());
        let profile = session.save_profile(profile).await.unwrap();
        let spec = ApplicationSpec::new("bench".parse().unwrap()).attach(slug(), Methods::api());
        let application = session.create_application(spec).await.unwrap();
        Self { session, application: application.id, profile: profile.id, csr: csr() }
    }

    async fn issue_csr(&self) {
        let csr = Csr::parse(&self.csr).unwrap();
        self.issue(&Enrollment::csr(self.application, self.profile, csr)).await;
    }

    async fn issue_managed(&self) {
        let name = "api.example.com";
        let enrollment = Enrollment::managed(self.application, self.profile).common_name(name).dns(name);
        self.issue(&enrollment).await;
    }

    async fn issue(&self, enrollment: &Enrollment) {
        match self.session.submit(enrollment).await.unwrap() {
            Outcome::Issued(issued) => drop(black_box(issued)),
            other => panic!("not issued: {other:?}"),
        }
    }
}

fn csr() -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "api.example.com");
    params.serialize_request(&key).unwrap().der().to_vec()
}

/// Times two things in turn, batch by batch; answers the median time of each.
async fn in_turn<A, B>(batch: usize, mut ours: impl FnMut() -> A, mut limit: impl FnMut() -> B) -> (Duration, Duration)
where
    A: Future<Output = ()>,
    B: Future<Output = ()>,
{
    let (mut our_times, mut limit_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_times.push(time(batch, &mut ours).await);
        limit_times.push(time(batch, &mut limit).await);
    }
    (median(our_times), median(limit_times))
}

async fn time<F: Future<Output = ()>>(batch: usize, work: &mut impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..batch {
        work().await;
    }
    start.elapsed() / u32::try_from(batch).unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn row(what: &str, ours: Duration, (limit_name, limit): (&str, Duration), target: f64) {
    let ratio = limit.as_secs_f64() / ours.as_secs_f64();
    let verdict = if ratio >= target { "" } else { "  MISSED" };
    println!(
        "{what:<46} {:>9.2} µs {limit_name:>34} {:>9.2} µs {ratio:>7.2} {:>8}{verdict}",
        micros(ours),
        micros(limit),
        format!("≥ {target:.2}"),
    );
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

async fn against_crypto(bench: &Bench) {
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

async fn against_rcgen(bench: &Bench) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let issuer = CertifiedIssuer::self_signed(CertificateParams::new(Vec::new()).unwrap(), key).unwrap();
    let csr = bench.csr.clone().into();
    let peer = || {
        let request = CertificateSigningRequestParams::from_der(&csr).unwrap();
        black_box(request.signed_by(&issuer).unwrap());
        std::future::ready(())
    };
    let (ours, peer) = in_turn(100, || bench.issue_csr(), peer).await;
    row("CSR P-256: the same", ours, ("rcgen parse + verify + sign", peer), 0.85);
}

async fn managed(bench: &Bench) {
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

fn judging() {
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
async fn durable() {
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
