//! A world with ACME on its attachment, and a router over it, in a time that stands still.

use std::sync::Arc;

use axum::Router;
use chancery::challenge::scripted::ScriptedVerifier;
use chancery::clock::ManualClock;
use chancery::domain::acme::BindingSpec;
use chancery::domain::{AcmeChecks, AcmeSettings, MethodSettings};
use chancery::engine::Engine;
use chancery::front::Rate;
use chancery::front::acme::{Acme, AcmeBounds};
use chancery::store::MemoryStore;
use serde_json::{Value, json};
use time::Duration;

use crate::client::{Client, HOST};
use crate::world::{self, START, World, user};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) verifier: ScriptedVerifier,
    pub(crate) router: Router,
    pub(crate) directory: String,
}

/// The router of an engine, mounted as hosts do, without limits on addresses.
pub(crate) fn acme(engine: &Engine) -> Acme {
    let bounds = AcmeBounds { requests: Rate::UNBOUNDED, new_accounts: Rate::UNBOUNDED, ..AcmeBounds::default() };
    Acme::new(engine, &format!("{HOST}/acme")).unwrap().bounds(bounds)
}

pub(crate) fn mounted(acme: Acme) -> Router {
    Router::new().nest("/acme", acme.router())
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }).await
    }

    pub(crate) async fn with(settings: AcmeSettings) -> Self {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(ManualClock::new(START)));
        let verifier = ScriptedVerifier::default();
        let builder = world::builder(Arc::clone(&store), &clock, 1).challenge_verifier(verifier.clone());
        let world = World::of(builder, Arc::clone(&clock)).await;
        world.enable(settings).await;
        let acme = acme(&world.engine);
        let directory = acme.directory(world.application.id, world.profile.id);
        Self { store, clock, verifier, router: mounted(acme), directory, world }
    }

    /// A client without an account.
    pub(crate) async fn client(&self) -> Client {
        Client::at(self.router.clone(), &self.directory).await
    }

    /// A client with an account.
    pub(crate) async fn account(&self) -> Client {
        let mut client = self.client().await;
        client.register(serde_json::json!({ "termsOfServiceAgreed": true })).await.good(201);
        client
    }

    /// A key for account bindings: its kid and its secret.
    pub(crate) async fn binding(&self, spec: BindingSpec) -> (String, String) {
        let (application, profile) = (self.world.application.id, self.world.profile.id);
        let made = self.world.session("alice").create_acme_binding(application, profile, spec).await.unwrap();
        (made.0.id.to_string(), made.1.expose_text().to_owned())
    }

    /// Does what is due now, and what becomes due by it.
    pub(crate) async fn work(&self) {
        for _ in 0..20 {
            self.clock.advance(Duration::seconds(1));
            if self.world.engine.run_due(100).await.unwrap().total() == 0 {
                return;
            }
        }
    }
}

impl World {
    async fn enable(&self, settings: AcmeSettings) {
        let session = self.engine.acting_as(user("alice"));
        let settings = MethodSettings::Acme(Some(settings));
        session.set_method(self.application.id, self.profile.id, settings).await.unwrap();
    }
}

/// Proves control of all that an order names, and gives the order as it looks then.
pub(crate) async fn prove(scene: &Scene, client: &Client, (url, order): &(String, Value), kind: &str) -> Value {
    for authorization in order["authorizations"].as_array().unwrap() {
        let shown = client.read(authorization.as_str().unwrap()).await.good(200);
        let challenges = shown["challenges"].as_array().unwrap();
        let challenge = challenges.iter().find(|challenge| challenge["type"] == kind).unwrap();
        let answered = client.post(challenge["url"].as_str().unwrap(), &json!({})).await;
        assert_eq!(answered.good(200)["status"], "processing");
        assert_eq!(answered.links("up"), [authorization.as_str().unwrap()]);
        assert!(answered.headers.contains_key("retry-after"));
    }
    scene.work().await;
    client.read(url).await.good(200)
}

/// A certificate, in PEM, with its URL.
pub(crate) async fn issue(scene: &Scene, client: &Client, names: &[&str]) -> (String, String) {
    let placed = client.order(names).await;
    let ready = prove(scene, client, &placed, "dns-01").await;
    assert_eq!(ready["status"], "ready");
    let reply = client.finalize(&ready, names).await;
    let valid = reply.good(200);
    assert_eq!((valid["status"].as_str(), reply.header("location")), (Some("valid"), placed.0.as_str()));
    let url = valid["certificate"].as_str().unwrap().to_owned();
    let pem = client.read(&url).await;
    assert_eq!((pem.status.as_u16(), pem.header("content-type")), (200, "application/pem-certificate-chain"));
    (url, pem.text())
}
