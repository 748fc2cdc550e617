//! The people and settings of a simulated world, and how they are when nothing is wrong.

use std::sync::Arc;

use super::model::{GUARDED, KEPT, WARNING};
use super::notifier::SimulatedNotifier;
use super::signer::SimulatedSigner;
use super::target::SimulatedTarget;
use super::verifier::SimulatedVerifier;
use crate::domain::{
    AcmeChecks, AcmeSettings, Actor, AlertOn, AlertSpec, ApiSettings, ApplicationId, ApplicationSpec,
    ApprovalPolicySpec, ApprovalStep, AutoRenewal, Channel, ChannelKind, Enrollment, IssuerId, IssuerSpec, Member,
    Methods, PolicySpec, Preset, Principal, ProfileId, ProfileSpec, Removal, Role, Selection, Slug, Span, SyncSpec,
};
use crate::engine::{Engine, EngineBuilder, Error, Retention, Session};
use crate::signer::{Signer, SoftwareSigner};
use crate::x509::{
    Attribute, BasicConstraints, CertificateRequestInfo, Csr, InvalidValue, KeyAlgorithm, KeyUsage, KeyUsages,
    PublicKey, SanKind, SignatureAlgorithm, Subject,
};

/// What the world is made of, as the engine knows it.
#[derive(Clone, Debug)]
pub(super) struct Office {
    pub(super) application: ApplicationId,
    /// Below a signer that is elsewhere. Its certificates are synced.
    pub(super) web: ProfileId,
    /// Below a key in the process.
    pub(super) inner: ProfileId,
    pub(super) issuers: [IssuerId; 2],
    /// The keys of the clients who hold their own.
    keys: [Arc<SoftwareSigner>; 2],
    /// The key of those who have an account.
    account: Arc<SoftwareSigner>,
}

/// An engine, and what is in it.
pub(super) type Desk = (Engine, Office);

/// What the world has outside of the engine.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) signer: SimulatedSigner,
    pub(super) notifier: SimulatedNotifier,
    pub(super) target: SimulatedTarget,
    pub(super) verifier: SimulatedVerifier,
}

/// The longest life that the policy allows, usually and at times.
pub(super) const LONGEST: Span = Span::days(10);
pub(super) const SHORTER: Span = Span::days(4);

/// How long what is over is kept: so short that housekeeping finds something to do.
const RETENTION: Retention =
    Retention { certificates: Some(KEPT), requests: Some(Span::days(2)), events: Some(Span::days(3)) };

const WEB: &str = "web";
const INNER: &str = "inner";

pub(super) fn slug(text: &str) -> Result<Slug, Error> {
    text.parse().map_err(fault)
}

fn fault(error: InvalidValue) -> Error {
    Error::Invalid { faults: vec![("simulation".into(), error)] }
}

pub(super) fn principal(name: &str) -> Result<Principal, Error> {
    Ok(Actor::user(name).map_err(fault)?.principal().clone())
}

/// The verbs in somebody's name.
pub(super) fn session(engine: &Engine, name: &str) -> Result<Session, Error> {
    Ok(engine.acting_as(Actor::user(name).map_err(fault)?))
}

pub(super) fn policy(longest: Span) -> Result<PolicySpec, Error> {
    let mut policy = Preset::TlsServer.policy(slug(WEB)?);
    policy.validity.max = Some(longest);
    Ok(policy)
}

/// The profile whose certificates are valid for so long unless somebody says otherwise.
pub(super) fn profile(name: &str, ttl: Span) -> Result<ProfileSpec, Error> {
    let issuer = if name == WEB { "root" } else { "cellar" };
    let mut spec = Preset::TlsServer.profile(slug(name)?, slug(issuer)?, slug(WEB)?);
    spec.defaults.ttl = Some(ttl);
    Ok(spec)
}

impl Office {
    /// An engine's ports and its administrator.
    pub(super) fn equip(builder: EngineBuilder, around: Surroundings) -> Result<EngineBuilder, Error> {
        let Surroundings { signer, notifier, target, verifier } = around;
        let builder = builder.signer(slug("root")?, signer).target(slug("edge")?, target).challenge_verifier(verifier);
        let builder = builder.notifier(ChannelKind::Custom(slug("pager")?), notifier);
        Ok(builder.administrator(principal("root")?).retention(RETENTION))
    }

    /// Makes issuers, policies, profiles, an Application, its alerts and its sync.
    pub(super) async fn open(engine: &Engine) -> Result<Self, Error> {
        let root = session(engine, "root")?;
        let elsewhere = root.create_root(IssuerSpec::new(slug("root")?, "Simulated Root")).await?.id;
        let within = root.create_root(IssuerSpec::new(slug("cellar")?, "Simulated Cellar")).await?.id;
        root.save_policy(policy(LONGEST)?).await?;
        let web = root.save_profile(profile(WEB, Span::days(2))?).await?.id;
        let inner = root.save_profile(profile(INNER, Span::days(2))?).await?.id;
        let spec = ApplicationSpec::new(slug("payments")?)
            .attach(slug(WEB)?, methods())
            .attach(slug(INNER)?, methods())
            .member(principal("otto")?, Role::Operator)
            .member(principal("alice")?, Role::Admin)
            .member(principal("bob")?, Role::Admin);
        let application = root.create_application(spec).await?.id;
        let key = || SoftwareSigner::generate(KeyAlgorithm::P256).map(Arc::new).map_err(|error| broken(&error));
        let (keys, account) = ([key()?, key()?], key()?);
        let office = Self { application, web, inner, issuers: [elsewhere, within], keys, account };
        office.furnish(&session(engine, "alice")?).await?;
        Ok(office)
    }

    async fn furnish(&self, alice: &Session) -> Result<(), Error> {
        let step = ApprovalStep::new(1, [principal("alice")?, principal("bob")?]);
        let mut guarded = ApprovalPolicySpec::new(slug("money")?, [step]);
        guarded.max_age = Span::days(2);
        guarded.conditions.sans = [(SanKind::DnsName, vec![format!("*{GUARDED}")])].into_iter().collect();
        alice.save_approval_policy(self.application, guarded).await?;
        let warning = Span::hours(u16::try_from(WARNING.whole_hours()).unwrap_or(12));
        let alerts = [
            ("issuance", AlertOn::Issuance),
            ("renewal", AlertOn::Renewal),
            ("revocation", AlertOn::Revocation),
            ("pending", AlertOn::ApprovalPending),
            ("renewal-failed", AlertOn::RenewalFailed),
            ("expiration", AlertOn::Expiration { before: warning }),
        ];
        for (name, on) in alerts {
            let channel = Channel::Custom { notifier: slug("pager")?, to: "whoever is on call".into() };
            alice.save_alert(Some(self.application), AlertSpec::new(slug(name)?, on).channel(channel)).await?;
        }
        let mut sync = SyncSpec::new(slug("edge")?, slug("edge")?, Selection::profile(self.web));
        sync.remove = Removal::ALWAYS;
        alice.save_sync(self.application, sync).await.map(drop)
    }

    /// Puts settings back as they were, so that whatever was blocked can come right.
    pub(super) async fn restore(&self, engine: &Engine) -> Result<(), Error> {
        let (root, alice) = (session(engine, "root")?, session(engine, "alice")?);
        root.save_policy(policy(LONGEST)?).await?;
        alice.set_member(self.application, Member { principal: principal("bob")?, role: Role::Admin }).await?;
        root.attach_profile(self.application, self.web).await?;
        alice.set_methods(self.application, self.web, methods()).await.map(drop)
    }

    /// A request for a certificate on a key that the engine keeps.
    pub(super) fn ask(&self, profile: ProfileId, name: &str) -> Enrollment {
        Enrollment::managed(self.application, profile).dns(name).idempotency_key(name)
    }

    /// A request for a certificate on the client's own key.
    pub(super) async fn ask_with_csr(&self, profile: ProfileId, name: &str) -> Result<Enrollment, Error> {
        let csr = self.csr(name, 0).await?;
        Ok(Enrollment::csr(self.application, profile, csr).idempotency_key(name))
    }

    /// A certificate request on one of the clients' keys.
    pub(super) async fn csr(&self, name: &str, key: u64) -> Result<Csr, Error> {
        csr(&self.keys[usize::from(key > 0)], name).await
    }

    /// The key of those who have an account.
    pub(super) fn account_key(&self) -> &PublicKey {
        self.account.public_key()
    }
}

pub(super) fn methods() -> Methods {
    Methods {
        api: Some(ApiSettings { auto_renew: Some(AutoRenewal::before(Span::hours(16))) }),
        acme: Some(AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }),
        ..Methods::default()
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    fault(InvalidValue::new("CSR", error.to_string(), "one that can be made"))
}

async fn csr(key: &SoftwareSigner, name: &str) -> Result<Csr, Error> {
    let subject = Subject::from_parts([(Attribute::CommonName, name.to_owned())]).map_err(fault)?;
    let usages = KeyUsages::from([KeyUsage::DigitalSignature]);
    let entity = BasicConstraints::EndEntity;
    let info = CertificateRequestInfo::for_ca(&subject, key.public_key(), entity, usages);
    let info = info.map_err(|error| broken(&error))?;
    let algorithm: SignatureAlgorithm = key.algorithms()[0];
    let signature = key.sign(algorithm, info.der()).await?;
    let der = info.seal(algorithm, &signature).map_err(|error| broken(&error))?;
    Csr::parse(&der).map_err(|error| broken(&error))
}
