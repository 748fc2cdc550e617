//! The verbs in one actor's name.

use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use super::impact::ImpactWalk;
use super::inventory::{Import, ImportOutcome};
use super::outcome::{Chain, Outcome, Refusal, SubjectKey};
use super::query::{CertificateQuery, Page, PageToken};
use super::schema::PolicyRecord;
use crate::domain::{
    Actor, Application, ApplicationId, ApplicationSpec, CertificateId, CertificateRecord, Draft, Enrollment, Event,
    IssuerId, IssuerRecord, IssuerSpec, IssuerUrls, KeyRereading, Member, Metadata, Methods, PolicyId, PolicySpec,
    Principal, Profile, ProfileId, ProfileSpec, RequestId, Slug,
};
use crate::signer::SoftwareSigner;
use crate::x509::{Certificate, Serial};

/// The engine's verbs in the name of one actor. Cheap to make and to clone.
///
/// Every verb that names an Application asks the permission matrix ([`Action`](crate::domain::Action)); verbs on
/// issuers, policies and profiles are for product administrators.
///
/// # Errors
/// Any verb may fail with
/// - [`Error::NotFound`]: there is no such thing, or the actor may not know that there is;
/// - [`Error::Forbidden`]: the actor may see it, but has no role that may do this;
/// - [`Error::NotAdministrator`]: the verb is for product administrators;
/// - [`Error::Store`]: the store failed; after [`StoreError::Unknown`](crate::store::StoreError::Unknown) read to find out;
/// - [`Error::Entropy`]: the source of randomness failed, and nothing was written;
/// - [`Error::Contended`]: others changed the same things, and nothing was written.
///
/// What a verb fails with beside these is said there.
///
/// # Cancellation
/// A verb whose future is dropped has happened entirely or not at all, or has left a request that
/// [`Engine::run_due`](super::Engine::run_due) goes on with. Reading verbs change nothing, but for
/// [`private_key`](Self::private_key) and [`request`](Self::request), which record that a key was read.
#[derive(Clone, Debug)]
pub struct Session {
    context: Arc<Context>,
    actor: Actor,
}

/// Runs a verb and counts it by name and result.
macro_rules! verb {
    ($session:ident . $verb:ident ( $($argument:expr),* )) => {{
        let result = $session.context.$verb(&$session.actor $(, $argument)*).await;
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::counter!("chancery_verbs_total", "verb" => stringify!($verb), "outcome" => outcome).increment(1);
        result
    }};
}

impl Session {
    pub(super) fn new(context: Arc<Context>, actor: Actor) -> Self {
        Self { context, actor }
    }

    /// In whose name.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// Certificates.
impl Session {
    /// Asks for a certificate: judged at once, and issued if it is permitted. Needs `certificates.create` and
    /// `certificate-profiles.issue-cert`.
    ///
    /// Every method of enrollment leads here; see [a request's walk](crate::manual::request_walk). With an idempotency key
    /// it is safe to repeat: the same content gets the same certificate.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use chancery::domain::{Actor, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset};
    /// # use chancery::engine::{Engine, Outcome};
    /// # let alice = Actor::user("alice")?;
    /// # let builder = Engine::builder().sealer(chancery::sealer::AeadSealer::new(&[7; 32]));
    /// # let engine = builder.administrator(alice.principal().clone()).build().await?;
    /// # let session = engine.acting_as(alice);
    /// # session.create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
    /// # session.save_policy(Preset::TlsServer.policy("web".parse()?)).await?;
    /// # let web = session.save_profile(Preset::TlsServer.profile("web".parse()?, "root".parse()?, "web".parse()?)).await?;
    /// # let spec = ApplicationSpec::new("payments-api".parse()?).attach(web.name.clone(), Methods::api());
    /// # let payments = session.create_application(spec).await?;
    /// // In an Application `payments` with a TLS profile `web` attached:
    /// let ask = Enrollment::managed(payments.id, web.id).common_name("api.example.com").dns("api.example.com");
    /// let Outcome::Issued(issued) = session.submit(&ask).await? else { return Err("not issued".into()) };
    /// assert!(issued.private_key.is_some(), "in this answer and no other");
    ///
    /// // What breaks a rule is refused, with every reason.
    /// let ask = ask.dns("not a name").ttl(chancery::domain::Span::days(1000));
    /// let Outcome::Refused(refusal) = session.submit(&ask).await? else { return Err("not refused".into()) };
    /// assert_eq!(refusal.violations.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A refusal is no error. [`Error::Contended`] if what the request is judged by changed eight times while it was judged;
    /// [`Error::Seal`] for a managed key without a sealer; [`Error::IdempotencyKey`] if the key came with other content;
    /// [`Error::Sign`] if a signer in this process fails; [`Error::Issuer`] if the issuer can not be used.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application, method = %enrollment.method), err)]
    pub async fn submit(&self, enrollment: &Enrollment) -> Result<Outcome, Error> {
        verb!(self.submit(enrollment))
    }

    /// Judges a request without issuing or recording anything: the completed draft, or every reason against it.
    ///
    /// Nothing is drawn, recorded or told: no event is left. What it answers holds for the moment; [`submit`](Self::submit)
    /// judges anew.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) before the permit.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application), err)]
    pub async fn dry_run(&self, enrollment: &Enrollment) -> Result<Result<Draft, Refusal>, Error> {
        verb!(self.dry_run(enrollment))
    }

    /// Where a request stands. A managed key comes along only if the actor may read it again.
    /// Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a request of an Application that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn request(&self, id: RequestId) -> Result<Outcome, Error> {
        verb!(self.request(id))
    }

    /// A certificate by its id. Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a certificate that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificate(&self, id: CertificateId) -> Result<CertificateRecord, Error> {
        verb!(self.certificate(id))
    }

    /// The certificates with a serial number: one for each issuer that gave it out. Needs `certificates.read`.
    /// Certificates that the actor may not see are left out.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificates_by_serial(&self, serial: &Serial) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_serial(serial))
    }

    /// The certificates with a SHA-256 fingerprint over their DER. Needs `certificates.read`.
    /// Certificates that the actor may not see are left out.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn certificates_by_fingerprint(&self, fingerprint: &[u8; 32]) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_fingerprint(fingerprint))
    }

    /// One page of the certificates that a query finds. Needs `certificates.list`; without an Application in the query,
    /// a product administrator.
    ///
    /// The first page has `None` for `after`; each further one the token that the page before ended with. Pages are cut by
    /// place, not by number, so that what comes and goes between them neither repeats nor hides anything else.
    /// [`CertificateQuery`] shows a walk over all pages.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this query's.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificates(
        &self,
        query: &CertificateQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        verb!(self.certificates(query, after))
    }

    /// A certificate with those above it, for export. Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::Certificate`] if what is stored can not be read as a certificate; [`Error::Issuer`] if its issuer can not be
    /// used.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn chain(&self, id: CertificateId) -> Result<Chain, Error> {
        let record = verb!(self.certificate(id))?;
        self.context.chain_of(&record).await
    }

    /// Reads a managed private key again; an event tells of it. Needs `certificates.read-private-key`.
    /// The event is committed before the key is handed out.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] if it is not kept here or may not be read any more; [`Error::Seal`] if it does not open.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn private_key(&self, id: CertificateId) -> Result<SubjectKey, Error> {
        verb!(self.private_key(id))
    }

    /// Replaces a certificate's tags. Needs `certificates.edit`.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the certificate; read it again.
    #[tracing::instrument(level = "debug", skip(self, metadata), err)]
    pub async fn tag_certificate(&self, id: CertificateId, metadata: Metadata) -> Result<CertificateRecord, Error> {
        verb!(self.tag_certificate(id, metadata))
    }

    /// Deletes an expired or imported certificate, and its key, from the inventory. Needs `certificates.delete`.
    ///
    /// # Errors
    /// [`Error::InUse`] for a certificate that was issued here and is still valid.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_certificate(&self, id: CertificateId) -> Result<(), Error> {
        verb!(self.delete_certificate(id))
    }

    /// Takes a certificate that was issued elsewhere into an Application's inventory. Needs `certificates.import`.
    /// Its chain must lead
    /// from certificate to certificate, and a key must be the certificate's own.
    ///
    /// # Errors
    /// A policy's refusal is no error but an [`ImportOutcome`]. [`Error::Certificate`] if the chain does not hold together;
    /// [`Error::PrivateKey`] or [`Error::Key`] if the key does not fit or can not be read; [`Error::Seal`] without a sealer;
    /// [`Error::Contended`] if the Application changed meanwhile.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn import_certificate(&self, import: Import) -> Result<ImportOutcome, Error> {
        verb!(self.import_certificate(import))
    }
}

/// Applications.
impl Session {
    /// Makes an Application; the actor becomes an Admin of it. For product administrators.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault of the specification; [`Error::NameTaken`]; [`Error::NotFound`] for a profile that
    /// does not exist.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn create_application(&self, spec: ApplicationSpec) -> Result<Application, Error> {
        verb!(self.create_application(spec))
    }

    /// An Application. Needs `application.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn application(&self, id: ApplicationId) -> Result<Application, Error> {
        verb!(self.see_application(id))
    }

    /// An Application by its name. Needs `application.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for one that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn application_named(&self, name: &Slug) -> Result<Application, Error> {
        verb!(self.application_named(name))
    }

    /// One page of the Applications that the actor may see.
    ///
    /// All of them, 100 a page, for a product administrator. Others get those that they are a member of, by themselves or
    /// through a group, on one page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn applications(&self, after: Option<&PageToken>) -> Result<Page<Application>, Error> {
        verb!(self.applications(after))
    }

    /// Changes an Application's description, or switches the rereading of keys off for good. Needs `application.edit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a description of more than 1000 characters, or to allow the rereading of keys again.
    #[tracing::instrument(level = "debug", skip(self, description), err)]
    pub async fn edit_application(
        &self,
        id: ApplicationId,
        description: String,
        key_rereading: KeyRereading,
    ) -> Result<Application, Error> {
        verb!(self.edit_application(id, description, key_rereading))
    }

    /// Deletes an Application; its certificates stay known. Needs `application.delete`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_application(&self, id: ApplicationId) -> Result<(), Error> {
        verb!(self.delete_application(id))
    }

    /// Attaches a profile, without methods yet. Needs `application.manage-profiles`.
    /// What is attached already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a profile that does not exist; [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn attach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.attach_profile(id, profile))
    }

    /// Detaches a profile. Needs `application.manage-profiles`.
    /// Nothing more is issued under it
    /// here; certificates stay.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn detach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.detach_profile(id, profile))
    }

    /// Sets the enrollment methods of an attachment. Needs `enrollment.edit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of their bounds, or a method that a self-signed profile can not serve;
    /// [`Error::NotFound`] for a profile that is not attached; [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self, methods), err)]
    pub async fn set_methods(
        &self,
        id: ApplicationId,
        profile: ProfileId,
        methods: Methods,
    ) -> Result<Application, Error> {
        verb!(self.set_methods((id, profile), methods))
    }

    /// Gives somebody a role, making them a member if they are none. Needs `members.assign-role`.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn set_member(&self, id: ApplicationId, member: Member) -> Result<Application, Error> {
        verb!(self.set_member(id, member))
    }

    /// Removes a member. Needs `members.delete`.
    /// The last Admin may be removed:
    /// product administrators can assign another.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn remove_member(&self, id: ApplicationId, principal: &Principal) -> Result<Application, Error> {
        verb!(self.remove_member(id, principal))
    }

    /// One page of an Application's events, the latest first. Needs `application.read`.
    /// 100 a page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err)]
    pub async fn events(&self, id: ApplicationId, after: Option<&PageToken>) -> Result<Page<Event>, Error> {
        verb!(self.events(id, after))
    }
}

/// Issuers, policies and profiles: for product administrators.
impl Session {
    /// Makes an issuer that signs its own certificate. Its key is the signer's that the host handed over under the
    /// issuer's name, or a new one that is sealed and kept.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::Invalid`] for a subject, URL or signature algorithm that can not be;
    /// [`Error::Seal`] if a new key is to be kept without a sealer; [`Error::Issuer`] if the signer holds another kind of key;
    /// [`Error::Sign`] if it does not sign.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn create_root(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.create_root(spec))
    }

    /// Makes an issuer whose certificate the issuer `parent` signs.
    ///
    /// # Errors
    /// As [`create_root`](Self::create_root), and [`Error::Issuer`] if the parent can not issue it: it would outlive the
    /// parent, or the parent's path length leaves no room (RFC 5280 section 4.2.1.9).
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name, %parent), err)]
    pub async fn create_intermediate(&self, spec: IssuerSpec, parent: IssuerId) -> Result<IssuerRecord, Error> {
        verb!(self.create_intermediate(spec, parent))
    }

    /// Makes an issuer that waits for its certificate from an outside CA. Its state holds the request to send there.
    ///
    /// See [`IssuerState::AwaitingCertificate`](crate::domain::IssuerState) for the request (PKCS#10, RFC 2986), DER.
    ///
    /// # Errors
    /// As [`create_root`](Self::create_root).
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn request_issuer(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.request_issuer(spec))
    }

    /// Gives a waiting issuer the certificate that an outside CA issued, with those above it.
    /// The
    /// certificate comes first, then those above it, each issued by the next.
    ///
    /// # Errors
    /// [`Error::Issuer`] if it does not wait, or the certificate has another key or subject, is not one of a CA, or the chain
    /// does not hold together.
    #[tracing::instrument(level = "debug", skip(self, chain), err)]
    pub async fn install_issuer(&self, id: IssuerId, chain: Vec<Certificate>) -> Result<IssuerRecord, Error> {
        verb!(self.install_issuer(id, chain))
    }

    /// Takes over an issuer with its chain. Without a key, it is with the signer that the host handed over under `name`.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::Invalid`] for a URL; [`Error::Issuer`] if the chain is not one of a CA, does not hold
    /// together, or the key is not its key; [`Error::Seal`] to keep a key without a sealer.
    #[tracing::instrument(level = "debug", skip_all, fields(%name), err)]
    pub async fn import_issuer(
        &self,
        name: Slug,
        urls: IssuerUrls,
        chain: Vec<Certificate>,
        key: Option<SoftwareSigner>,
    ) -> Result<IssuerRecord, Error> {
        verb!(self.import_issuer((name, urls), chain, key))
    }

    /// An issuer by its name.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn issuer_named(&self, name: &Slug) -> Result<IssuerRecord, Error> {
        verb!(self.issuer_named(name))
    }

    /// Makes a policy, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault, also if it can never permit anything.
    /// [`Error::Contended`] if somebody else saved it at the same moment.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn save_policy(&self, spec: PolicySpec) -> Result<PolicyRecord, Error> {
        verb!(self.save_policy(spec))
    }

    /// A policy by its name.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn policy_named(&self, name: &Slug) -> Result<PolicyRecord, Error> {
        verb!(self.policy_named(name))
    }

    /// A past or present revision of a policy.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn policy_revision(&self, id: PolicyId, revision: u32) -> Result<PolicyRecord, Error> {
        verb!(self.policy_revision(id, revision))
    }

    /// Deletes a policy that no profile uses.
    ///
    /// # Errors
    /// [`Error::InUse`] if a profile uses it.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_policy(&self, id: PolicyId) -> Result<(), Error> {
        verb!(self.delete_policy(id))
    }

    /// Which valid certificates a new text of a policy would refuse, and from when that would hurt.
    /// Nothing is
    /// changed. The walk reads a page at a time; see [`ImpactWalk::next`].
    ///
    /// # Errors
    /// [`Error::Policy`] if the new text is not a valid policy.
    #[tracing::instrument(level = "debug", skip(self, new), err)]
    pub async fn impact(&self, policy: PolicyId, new: PolicySpec) -> Result<ImpactWalk<'_>, Error> {
        verb!(self.impact(policy, new))
    }

    /// Makes a profile, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Profile`] with every default that its policy refuses.
    /// [`Error::NotFound`] for a policy or issuer of no such name; [`Error::Contended`] if somebody else changed either.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn save_profile(&self, spec: ProfileSpec) -> Result<Profile, Error> {
        verb!(self.save_profile(spec))
    }

    /// A profile by its name.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn profile_named(&self, name: &Slug) -> Result<Profile, Error> {
        verb!(self.profile_named(name))
    }

    /// Deletes a profile: nothing more is issued under it.
    /// What was issued stays, and so do its
    /// revisions.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_profile(&self, id: ProfileId) -> Result<(), Error> {
        verb!(self.delete_profile(id))
    }
}
