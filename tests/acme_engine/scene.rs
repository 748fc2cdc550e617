//! A directory of the Application `payments` over a given store, with a scripted verifier and clients without a wire.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use chancery::challenge::scripted::ScriptedVerifier;
use chancery::clock::ManualClock;
use chancery::domain::acme::{
    Account, AccountKey, AcmeProblem, ChallengeKind, IdentifierSpec, OrderStatus, ProblemKind,
};
use chancery::domain::{AcmeChecks, AcmeOrderId, AcmeSettings, MethodSettings};
use chancery::engine::acme::{
    AcmeError, AcmeServer, AuthorizationView, Created, NewAccount, NewOrder, OrderView, Terms,
};
use chancery::store::{MemoryStore, Store};
use chancery::x509::PublicKey;

use super::support::{START, World, builder, slug};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) verifier: ScriptedVerifier,
    pub(crate) server: AcmeServer,
}

impl Scene {
    /// Clients prove control of what they name; accounts need no binding.
    pub(crate) async fn new() -> Self {
        Self::with(AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }).await
    }

    /// Nothing is proved; accounts are bound, which the scene does by itself.
    pub(crate) async fn trusting() -> Self {
        Self::with(AcmeSettings { checks: AcmeChecks::SkipOwnership, ..AcmeSettings::default() }).await
    }

    pub(crate) async fn with(settings: AcmeSettings) -> Self {
        Self::over(MemoryStore::new(), settings).await
    }

    pub(crate) async fn over(store: impl Store, settings: AcmeSettings) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let verifier = ScriptedVerifier::default();
        let builder = builder(store, &clock, 1).challenge_verifier(verifier.clone());
        Self::of(World::of(builder, clock).await, verifier, settings).await
    }

    pub(crate) async fn of(world: World, verifier: ScriptedVerifier, settings: AcmeSettings) -> Self {
        let server = world.engine.acme(world.application.id, world.profile.id);
        let scene = Self { world, verifier, server };
        scene.set(settings).await;
        scene
    }

    pub(crate) async fn set(&self, settings: AcmeSettings) {
        let (application, profile) = (self.world.application.id, self.world.profile.id);
        let settings = MethodSettings::Acme(Some(settings));
        self.world.session("alice").set_method(application, profile, settings).await.unwrap();
    }

    /// An account on a key of its own.
    pub(crate) async fn account(&self, seed: u8) -> Account {
        self.server.create_account(self.new_account(seed).await).await.unwrap().into_inner()
    }

    pub(crate) async fn new_account(&self, seed: u8) -> NewAccount {
        let needs_binding = self.server.directory().await.unwrap().settings.checks.needs_binding();
        let binding = match needs_binding {
            true => {
                let spec = chancery::domain::acme::BindingSpec::new("test");
                let (application, profile) = (self.world.application.id, self.world.profile.id);
                let made = self.world.session("alice").create_acme_binding(application, profile, spec).await;
                Some(made.unwrap().0)
            }
            false => None,
        };
        NewAccount {
            key: account_key(seed),
            contacts: vec!["mailto:ops@example.com".into()],
            terms: Terms::Agreed,
            binding,
        }
    }

    pub(crate) async fn order(&self, account: &Account, names: &[&str]) -> OrderView {
        self.server.new_order(account, ask(names)).await.unwrap()
    }

    /// Answers a challenge of each authorization that is pending, and lets due work look.
    pub(crate) async fn prove(&self, account: &Account, order: &OrderView) -> OrderView {
        for id in &order.order.authorizations {
            let authorization = self.server.authorization(account, *id).await.unwrap();
            if let Some(challenge) = authorization.challenges.first() {
                self.server.answer_challenge(account, *id, challenge.kind).await.unwrap();
            }
        }
        self.work().await;
        self.server.order(account, order.order.id).await.unwrap()
    }

    pub(crate) async fn authorization(&self, account: &Account, order: &OrderView, at: usize) -> AuthorizationView {
        self.server.authorization(account, order.order.authorizations[at]).await.unwrap()
    }

    pub(crate) async fn answer(&self, account: &Account, order: &OrderView, kind: ChallengeKind) {
        self.server.answer_challenge(account, order.order.authorizations[0], kind).await.unwrap();
    }

    /// An order of the account that can be finalized.
    pub(crate) async fn ready(&self, account: &Account, names: &[&str]) -> OrderView {
        let order = self.order(account, names).await;
        let order = self.prove(account, &order).await;
        assert_eq!(order.status, OrderStatus::Ready, "{order:?}");
        order
    }

    /// A certificate of the account.
    pub(crate) async fn issue(&self, account: &Account, names: &[&str]) -> OrderView {
        let order = self.ready(account, names).await;
        self.finalize(account, order.order.id, &csr(names)).await.unwrap()
    }

    pub(crate) async fn finalize(
        &self,
        account: &Account,
        id: AcmeOrderId,
        csr: &[u8],
    ) -> Result<OrderView, AcmeError> {
        self.server.finalize(account, id, csr).await
    }

    /// Due work until nothing is due.
    pub(crate) async fn work(&self) {
        for _ in 0..20 {
            if self.world.engine.run_due(100).await.unwrap().total() == 0 {
                return;
            }
        }
        panic!("due work never ends");
    }

    pub(crate) fn profile_name(&self) -> chancery::domain::Slug {
        slug("web")
    }
}

pub(crate) fn ask(names: &[&str]) -> NewOrder {
    NewOrder { identifiers: names.iter().map(|name| identifier(name)).collect(), ..NewOrder::default() }
}

pub(crate) fn identifier(name: &str) -> IdentifierSpec {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    IdentifierSpec { kind: kind.into(), value: name.into() }
}

/// A key that no other seed gives. Nobody signs with it here.
pub(crate) fn account_key(seed: u8) -> AccountKey {
    AccountKey::new([seed; 32], &public_key())
}

pub(crate) fn public_key() -> PublicKey {
    let key = rcgen::KeyPair::generate().unwrap();
    PublicKey::from_spki_der(&rcgen::PublicKeyData::subject_public_key_info(&key)).unwrap()
}

/// A request on a fresh key for these names.
pub(crate) fn csr(names: &[&str]) -> Vec<u8> {
    csr_with_key(names, &rcgen::KeyPair::generate().unwrap())
}

pub(crate) fn csr_with_key(names: &[&str], key: &rcgen::KeyPair) -> Vec<u8> {
    let mut params =
        rcgen::CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(key).unwrap().der().to_vec()
}

#[track_caller]
pub(crate) fn problem<T: std::fmt::Debug>(refused: Result<T, AcmeError>) -> AcmeProblem {
    match refused {
        Err(AcmeError::Refused(problem)) => problem,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(refused: Result<T, AcmeError>) -> ProblemKind {
    problem(refused).kind
}

pub(crate) fn is_new<T>(created: &Created<T>) -> bool {
    matches!(created, Created::New(_))
}
