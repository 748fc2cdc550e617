//! Revocation from the verb to what relying parties see: CRLs, OCSP, incidents, and what strangers think of them.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod crash;
mod crash_work;
mod crl;
mod incident;
mod ocsp;
mod strangers;
#[path = "../support/engine.rs"]
mod support;
#[path = "../support/mod.rs"]
mod tools;
mod verbs;

use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    Application, CrlSettings, Enrollment, IssuerRecord, IssuerSpec, IssuerUrls, OcspResponder, OcspSettings, Preset,
    Profile, StatusSettings,
};
use chancery::engine::{Engine, EngineBuilder, Issued, Session};
use chancery::store::Store;
use chancery::x509::{Certificate, CertificateList};
use time::{Duration, OffsetDateTime};

use support::{START, application, builder, issued, slug, user};

/// An engine with one issuer that has settings of its own, and an Application that asks.
struct Scene {
    engine: Engine,
    clock: Arc<ManualClock>,
    issuer: IssuerRecord,
    profile: Profile,
    application: Application,
}

impl Scene {
    async fn new(store: impl Store, spec: IssuerSpec) -> Self {
        Self::at(START, store, spec).await
    }

    async fn at(start: OffsetDateTime, store: impl Store, spec: IssuerSpec) -> Self {
        let clock = Arc::new(ManualClock::new(start));
        Self::of(builder(store, &clock, 1), clock, spec).await
    }

    async fn of(builder: EngineBuilder, clock: Arc<ManualClock>, spec: IssuerSpec) -> Self {
        let engine = builder.build().await.unwrap();
        let product = engine.acting_as(user("root"));
        let issuer = product.create_root(spec).await.unwrap();
        product.save_policy(Preset::TlsServer.policy(slug("web"))).await.unwrap();
        let spec = Preset::TlsServer.profile(slug("web"), issuer.name.clone(), slug("web"));
        let profile = product.save_profile(spec).await.unwrap();
        let application = application(&engine, "payments", &["web"]).await;
        Self { engine, clock, issuer, profile, application }
    }

    fn session(&self, name: &str) -> Session {
        self.engine.acting_as(user(name))
    }

    async fn issue(&self, name: &str) -> Issued {
        let ask = Enrollment::managed(self.application.id, self.profile.id).dns(name);
        issued(self.session("otto").submit(&ask).await)
    }

    /// Lets time pass and does what is due then, until nothing is.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.work().await;
    }

    async fn work(&self) {
        for _ in 0..50 {
            if self.engine.run_due(100).await.unwrap().total() == 0 {
                return;
            }
        }
        panic!("due work never ends");
    }

    /// The published list of a shard, read and verified.
    async fn list(&self, shard: u32) -> CertificateList {
        let crl = self.engine.crl(self.issuer.id, shard).await.unwrap().expect("a CRL");
        let list = CertificateList::from_der(&crl.der).unwrap();
        list.verify_issued_by(&crl.der, &self.own().await).unwrap();
        assert_eq!((list.number, list.next_update), (Some(crl.number), Some(crl.next_update)));
        list
    }

    async fn own(&self) -> Certificate {
        let der = self.engine.issuer_certificate(self.issuer.id).await.unwrap().unwrap();
        Certificate::from_der(&der).unwrap()
    }
}

fn plain() -> IssuerSpec {
    IssuerSpec::new(slug("root"), "Test Root")
}

/// An issuer whose certificates say where its CRL is.
fn with_crl(url: &str, shards: u32) -> IssuerSpec {
    let urls = IssuerUrls { crl: vec![url.to_owned()], ..IssuerUrls::default() };
    let crl = CrlSettings { shards, ..CrlSettings::default() };
    IssuerSpec { urls, status: StatusSettings { crl: Some(crl), ocsp: None }, ..plain() }
}

fn with_ocsp(responder: OcspResponder) -> IssuerSpec {
    let ocsp = OcspSettings { responder, ..OcspSettings::default() };
    IssuerSpec { status: StatusSettings { crl: None, ocsp: Some(ocsp) }, ..plain() }
}
