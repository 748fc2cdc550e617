//! The same office in this process, and its verbs called by many tasks at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::domain::{
    Actor, ApplicationId, ApplicationSpec, Enrollment, IssuerSpec, PolicySpec, ProfileId, ProfileSpec,
};
use chancery::engine::{Engine, Outcome, Session};
use chancery::sealer::AeadSealer;
use chancery::store::sqlite::SqliteStore;
use chancery::x509::Csr;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::api::{Ask, CONNECTIONS};
use crate::process::folder;
use crate::server::{OFFICE, csr};
use crate::{Round, Settings};

#[derive(Deserialize)]
struct Office {
    issuers: Vec<IssuerSpec>,
    policies: Vec<PolicySpec>,
    profiles: Vec<ProfileSpec>,
    applications: Vec<ApplicationSpec>,
}

/// An engine with a worker.
pub(crate) struct Direct {
    session: Session,
    application: ApplicationId,
    profile: ProfileId,
    csr: Arc<str>,
}

impl Direct {
    pub(crate) async fn new() -> Self {
        let Office { issuers, policies, profiles, applications } = chancery::domain::read_toml(OFFICE).unwrap();
        let actor = Actor::user("bench").unwrap();
        let engine = Engine::builder()
            .store(SqliteStore::open(folder("direct").join("chancery.db")).unwrap())
            .sealer(AeadSealer::new(&[7; 32]))
            .administrator(actor.principal().clone())
            .build()
            .await
            .unwrap();
        let session = engine.acting_as(actor);
        session.create_root(issuers.into_iter().next().unwrap()).await.unwrap();
        session.save_policy(policies.into_iter().next().unwrap()).await.unwrap();
        let profile = session.save_profile(profiles.into_iter().next().unwrap()).await.unwrap().id;
        let application = session.create_application(applications.into_iter().next().unwrap()).await.unwrap().id;
        let worker = engine.worker(tokio::time::sleep).longest_pause(Duration::from_secs(5));
        tokio::spawn(worker.run(std::future::pending()));
        Self { session, application, profile, csr: csr().into() }
    }

    pub(crate) async fn round(&self, ask: Ask, settings: &Settings) -> Round {
        let begun = Instant::now();
        let end = begun + settings.length;
        let mut callers = JoinSet::new();
        for _ in 0..settings.connections.unwrap_or(CONNECTIONS) {
            callers.spawn(call_until(
                end,
                self.session.clone(),
                (self.application, self.profile),
                ask,
                Arc::clone(&self.csr),
            ));
        }
        let took = callers.join_all().await.concat();
        Round::of(took, begun.elapsed())
    }
}

async fn call_until(
    end: Instant,
    session: Session,
    (application, profile): (ApplicationId, ProfileId),
    ask: Ask,
    csr: Arc<str>,
) -> Vec<Duration> {
    let mut took = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        let enrollment = match ask {
            // Read each time, as a front must.
            Ask::Csr => Enrollment::csr(application, profile, Csr::parse(csr.as_bytes()).unwrap()),
            Ask::Managed => Enrollment::managed(application, profile).dns("bench.example.com"),
        };
        let Outcome::Issued(issued) = session.submit(&enrollment).await.unwrap() else { panic!("not issued") };
        // What an answer holds, without the answer.
        std::hint::black_box(issued.chain_pem());
        took.push(begun.elapsed());
    }
    took
}
