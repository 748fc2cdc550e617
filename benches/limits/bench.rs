//! What every row needs: an engine to measure, clocks to measure with, and the table.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::clock::ManualClock;
use chancery::domain::policy::ValueRules;
use chancery::domain::{
    Actor, ApiSettings, Application, ApplicationSpec, AutoRenewal, CertificateRecord, Enrollment, IssuerRecord,
    IssuerSpec, Methods, OcspResponder, OcspSettings, Preset, ProfileId, Span, StatusSettings,
};
use chancery::engine::{Engine, Outcome, Session};
use chancery::sealer::AeadSealer;
use chancery::store::Store;
use chancery::x509::{Csr, SanKind};
use rcgen::CertificateParams;
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const ROUNDS: usize = 25;
pub(crate) const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// How certificates renew: from 15 days before their end on.
pub(crate) fn renewal() -> AutoRenewal {
    AutoRenewal::before(Span::days(15))
}

/// An engine with one attachment to issue under.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) issuer: IssuerRecord,
    pub(crate) application: Application,
    pub(crate) profile: ProfileId,
    csr: Vec<u8>,
}

impl Bench {
    pub(crate) async fn new(store: impl Store) -> Self {
        let admin = Actor::user("bench").unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let engine = Engine::builder()
            .store(store)
            .clock(Arc::clone(&clock))
            .sealer(AeadSealer::new(&[7; 32]))
            .administrator(admin.principal().clone())
            .build()
            .await
            .unwrap();
        let session = engine.acting_as(admin);
        let ocsp = OcspSettings { responder: OcspResponder::Issuer, ..OcspSettings::default() };
        let status = StatusSettings { crl: None, ocsp: Some(ocsp) };
        let root = IssuerSpec { status, ..IssuerSpec::new("root".parse().unwrap(), "Bench Root") };
        let issuer = session.create_root(root).await.unwrap();
        let slug = || "web".parse().unwrap();
        let mut policy = Preset::TlsServer.policy(slug());
        policy.sans = Some([(SanKind::DnsName, ValueRules::allow(["*.example.com", "*.example.net"]))].into());
        session.save_policy(policy).await.unwrap();
        let mut spec = Preset::TlsServer.profile(slug(), "root".parse().unwrap(), slug());
        spec.defaults.ttl = Some(Span::days(47));
        let profile = session.save_profile(spec).await.unwrap().id;
        let methods = Methods { api: Some(ApiSettings { auto_renew: Some(renewal()) }), ..Methods::default() };
        let spec = ApplicationSpec::new("bench".parse().unwrap()).attach(slug(), methods);
        let application = session.create_application(spec).await.unwrap();
        Self { engine, session, clock, issuer, application, profile, csr: csr() }
    }

    /// Issues a certificate on a managed key, which renews by itself.
    pub(crate) async fn renewing(&self, name: &str) -> CertificateRecord {
        let ask = Enrollment::managed(self.application.id, self.profile).dns(name);
        match self.session.submit(&ask).await.unwrap() {
            Outcome::Issued(issued) => issued.record,
            other => panic!("not issued: {other:?}"),
        }
    }

    /// Does what is due until nothing is.
    pub(crate) async fn rest(&self) {
        while self.engine.run_due(1000).await.unwrap().total() > 0 {}
    }

    pub(crate) async fn issue_csr(&self) {
        let csr = Csr::parse(&self.csr).unwrap();
        self.issue(&Enrollment::csr(self.application.id, self.profile, csr)).await;
    }

    pub(crate) async fn issue_managed(&self) {
        let name = "api.example.com";
        let enrollment = Enrollment::managed(self.application.id, self.profile).common_name(name).dns(name);
        self.issue(&enrollment).await;
    }

    pub(crate) fn csr(&self) -> &[u8] {
        &self.csr
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
pub(crate) async fn in_turn<A, B>(
    batch: usize,
    mut ours: impl FnMut() -> A,
    mut limit: impl FnMut() -> B,
) -> (Duration, Duration)
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

pub(crate) async fn time<F: Future<Output = ()>>(batch: usize, work: &mut impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..batch {
        work().await;
    }
    start.elapsed() / u32::try_from(batch).unwrap()
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn row(what: &str, ours: Duration, (limit_name, limit): (&str, Duration), target: f64) {
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
