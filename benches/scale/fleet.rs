//! The office whose certificates are counted, and how they come to be.

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    Actor, ApiSettings, Application, ApplicationSpec, AutoRenewal, CertificateRecord, Enrollment, IssuerSpec, Methods,
    Preset, ProfileId, Span,
};
use chancery::engine::{Engine, Outcome, Session};
use chancery::sealer::AeadSealer;
use chancery::store::Store;
use chancery::x509::KeyAlgorithm;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::grouped::Grouped;

pub(crate) const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
/// Over how long the fleet is issued: nothing of it is due before the last is there.
pub(crate) const ARRIVAL: Duration = Duration::days(30);
/// How many names there are under one domain.
pub(crate) const UNDER: usize = 100;
/// How often workers do what is due meanwhile.
const STEPS: usize = 100;
const CALLERS: usize = 256;

/// An engine over a store, and one attachment to issue under.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    pub(crate) clock: Arc<ManualClock>,
    application: Application,
    profile: ProfileId,
}

impl Fleet {
    /// An engine whose office is founded, if nobody did that before.
    pub(crate) async fn open(store: impl Store, clock: &Arc<ManualClock>) -> Self {
        let admin = Actor::user("scale").unwrap();
        let builder = Engine::builder().store(store).clock(Arc::clone(clock)).sealer(AeadSealer::new(&[7; 32]));
        let engine = builder.administrator(admin.principal().clone()).build().await.unwrap();
        let session = engine.acting_as(admin);
        let name = "scale".parse().unwrap();
        if session.issuer_named(&name).await.is_err() {
            found(&session).await;
        }
        let application = session.application_named(&name).await.unwrap();
        let profile = session.profile_named(&name).await.unwrap().id;
        Self { engine, session, clock: Arc::clone(clock), application, profile }
    }

    /// Issues to a managed P-256 key for one name.
    pub(crate) async fn issue(&self, name: &str) -> CertificateRecord {
        let ask = Enrollment::managed(self.application.id, self.profile).dns(name).key_algorithm(KeyAlgorithm::P256);
        match self.session.submit(&ask).await.unwrap() {
            Outcome::Issued(issued) => issued.record,
            other => panic!("not issued: {other:?}"),
        }
    }

    /// Does what is due until nothing is.
    pub(crate) async fn rest(&self) {
        while self.engine.run_due(1000).await.unwrap().total() > 0 {}
    }
}

async fn found(session: &Session) {
    let name = || "scale".parse().unwrap();
    session.create_root(IssuerSpec::new(name(), "Scale Root")).await.unwrap();
    session.save_policy(Preset::TlsServer.policy(name())).await.unwrap();
    let mut profile = Preset::TlsServer.profile(name(), name(), name());
    profile.defaults.ttl = Some(Span::days(47));
    session.save_profile(profile).await.unwrap();
    let renewal = Some(AutoRenewal::before(Span::days(15)));
    let methods = Methods { api: Some(ApiSettings { auto_renew: renewal }), ..Methods::default() };
    session.create_application(ApplicationSpec::new(name()).attach(name(), methods)).await.unwrap();
}

/// The domain that the `at`th name is under.
pub(crate) fn domain(at: usize) -> String {
    format!("d{}.example.com", at / UNDER)
}

/// Issues `size` certificates over the time of their arrival, and seals their events; gives some of them.
pub(crate) async fn fill(
    store: &Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    (size, arrival): (usize, Duration),
) -> Vec<CertificateRecord> {
    let fleet = Fleet::open(Grouped::new(Arc::clone(store)), clock).await;
    let bar = ProgressBar::new(size as u64).with_style(style());
    let (mut some, every) = (Vec::new(), (size / 200).max(1));
    // Each a little later than the one before, as in life: ids and ends grow.
    let pause = arrival / i32::try_from(size).unwrap();
    for step in 0..STEPS {
        let range = size * step / STEPS..size * (step + 1) / STEPS;
        let issue = |at: usize| {
            let fleet = fleet.clone();
            let issued = async move {
                fleet.clock.advance(pause);
                fleet.issue(&format!("host-{at}.{}", domain(at))).await
            };
            async move { (at, tokio::spawn(issued).await.unwrap()) }
        };
        let mut issued = stream::iter(range).map(issue).buffer_unordered(CALLERS);
        while let Some((at, record)) = issued.next().await {
            bar.inc(1);
            if at.is_multiple_of(every) {
                some.push(record);
            }
        }
        fleet.rest().await;
    }
    bar.finish_and_clear();
    some
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos} of {len} certificates, {per_sec}, {eta} to go")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
